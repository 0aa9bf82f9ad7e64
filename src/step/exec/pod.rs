//! [`InPod`]: a program in a container of a pod.

use std::collections::BTreeMap;

use tokio::io::DuplexStream;

use super::bound::BoundProgram;
use crate::connect::kubernetes::{Container, PrivateEnvironment};
use crate::model::Secret;
use crate::step::context::RunContext;
use crate::step::error::StepError;
use crate::step::program::{ContainerProgram, Ended, Input};

/// A program in a container of a pod, ready to start.
pub(super) struct InPod<'a> {
    program: &'a BoundProgram,
    container: Container,
    command: Vec<String>,
    private: Option<PrivateEnvironment>,
}

impl<'a> InPod<'a> {
    pub(super) async fn prepare(
        program: &'a BoundProgram,
        container: Container,
        cx: &RunContext<'_>,
    ) -> Result<Self, StepError> {
        let (mut variables, mut password_file) = (BTreeMap::new(), None);
        if let Some(name) = &program.postgres {
            let libpq = cx.connections.libpq_in(name, &container).await?;
            variables = libpq.variables;
            variables.insert("PGAPPNAME".to_owned(), cx.application_name.to_owned());
            password_file = libpq.password_file;
        }
        // What the step says itself comes last, and wins.
        let (secret, open): (Vec<_>, Vec<_>) =
            program.env.clone().into_iter().partition(|(name, _)| program.secret_env.contains(name));
        variables.extend(open);
        let private = (!secret.is_empty() || password_file.is_some())
            .then(|| PrivateEnvironment::new(secret, password_file.as_ref().map(Secret::expose)));
        Ok(Self { program, container, command: in_environment(&variables, &program.command), private })
    }

    pub(super) async fn run(
        &self,
        input: Input<'_>,
        out: DuplexStream,
        cx: &RunContext<'_>,
    ) -> Result<Ended, StepError> {
        let program = ContainerProgram {
            container: &self.container,
            program: self.program.name(),
            command: &self.command,
            private: self.private.as_ref(),
        };
        program.run(input, out, cx).await
    }
}

/// The command, started by `env` where there are variables.
fn in_environment(variables: &BTreeMap<String, String>, command: &[String]) -> Vec<String> {
    let assignments = variables.iter().map(|(name, value)| format!("{name}={value}"));
    let env = (!variables.is_empty()).then(|| "env".to_owned());
    env.into_iter().chain(assignments).chain(command.iter().cloned()).collect()
}
