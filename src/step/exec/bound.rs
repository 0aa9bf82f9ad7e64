//! [`BoundProgram`]: a program as it will be started, wherever that is.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tokio::io::DuplexStream;

use super::here::Here;
use super::pod::InPod;
use super::spec::Written;
use crate::connect::kubernetes::Access;
use crate::connect::{Connections, Host};
use crate::model::Failure;
use crate::step::bind::Binder;
use crate::step::context::RunContext;
use crate::step::error::{BindError, StepError};
use crate::step::program::{Ended, Input, command_line};
use crate::step::templated::Text;

/// A program, where it runs, and what it gets there.
#[derive(Debug, Serialize)]
pub(super) struct BoundProgram {
    /// The environment's name of the host.
    pub(super) on: String,
    pub(super) command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) postgres: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) env: BTreeMap<String, String>,
    /// The variables whose values no list of processes may show.
    #[serde(skip)]
    pub(super) secret_env: BTreeSet<String>,
    /// Whether the command itself has a secret in it.
    #[serde(skip)]
    pub(super) secret_command: bool,
    #[serde(skip)]
    pub(super) exit_codes: Vec<i32>,
}

/// A program whose host was found.
pub(super) enum Ready<'a> {
    Here(Here<'a>),
    InPod(InPod<'a>),
}

impl Ready<'_> {
    /// Runs it to its end, or as long as the step may take.
    pub(super) async fn run(
        self,
        input: Input<'_>,
        out: DuplexStream,
        cx: &RunContext<'_>,
    ) -> Result<Ended, StepError> {
        match self {
            Self::Here(program) => program.run(input, out, cx).await,
            Self::InPod(program) => program.run(input, out, cx).await,
        }
    }
}

impl BoundProgram {
    /// Renders a program.
    pub(super) fn bind(written: Written<'_>, binder: &Binder<'_>) -> Result<Self, BindError> {
        let is_secret = |text: &Text| binder.secrets.any(text.template.reads());
        let env = written.env.iter().map(|(name, text)| Ok((name.clone(), binder.text(text)?)));
        let secret = written.env.iter().filter(|(_, text)| is_secret(text));
        Ok(Self {
            on: binder.host(written.on)?,
            command: written.command.iter().map(|word| binder.text(word)).collect::<Result<_, _>>()?,
            postgres: written.postgres.map(|name| binder.connection(Some(name))).transpose()?,
            secret_env: secret.map(|(name, _)| name.clone()).collect(),
            env: env.collect::<Result<_, BindError>>()?,
            secret_command: written.command.iter().any(is_secret),
            exit_codes: written.exit_codes.to_vec(),
        })
    }

    /// Its name, for people.
    pub(super) fn name(&self) -> &str {
        &self.command[0]
    }

    /// As a shell would need it, for people.
    pub(super) fn shown(&self) -> String {
        command_line(&self.command)
    }

    /// Finds its host, and everything it gets there. Nothing is started yet.
    pub(super) async fn ready(&self, cx: &RunContext<'_>) -> Result<Ready<'_>, StepError> {
        // Boxed: few programs run in a pod, and each would carry the size of a client otherwise.
        Ok(match self.host(cx.connections, Access::Write).await? {
            Host::Local => Ready::Here(Here::prepare(self, cx)?),
            Host::Container(container) => Ready::InPod(Box::pin(InPod::prepare(self, container, cx)).await?),
        })
    }

    /// Where it runs, for somebody who may do this there.
    pub(super) async fn host(&self, connections: &Connections, access: Access) -> Result<Host, Failure> {
        let host = Box::pin(connections.host(&self.on, access)).await?;
        match &host {
            Host::Container(container) if self.secret_command => Err(Failure::new(format!(
                "the command of `{}` has a secret in it, and a command in pod `{}` is seen in audit logs",
                self.name(),
                container.pod()
            ))
            .help("Give it in `env:` or `stdin:`, which nobody sees.")),
            _ => Ok(host),
        }
    }
}
