//! Kind `kubectl`: one verb of kubectl, spoken natively.
//!
//! Adding a verb: write its file in `verbs` with its body and its `impl Verb`; add a `mod` line there and a line to the
//! list in [`spec`]. Decoding, JSON Schema, classes and the journal follow.

mod back;
mod difference;
mod object;
mod patience;
mod pod;
mod secret;
mod settle;
mod spec;
mod target;
mod undo;
mod verb;
mod verbs;

use serde::Serialize;
use serde_json::Value;

use super::bind::Binder;
use super::context::{ReadContext, RunContext};
use super::error::{BindError, StepError};
use super::kind::{
    Anchor, CheckContext, Done, Happened, Need, Preview, RightNeeded, Settled, StepKind, TookEffect, Undo,
};
use super::templated::Problem;
use crate::connect::kubernetes::{Access, Right};
use crate::diagnostic::{Code, Severity};
use crate::model::{Class, Effect, Failure};

use spec::KubectlSpec;
use verb::{AnyVerb, BoundVerb, VerbContext};

/// The kind.
#[derive(Debug)]
pub(super) struct Kubectl;

/// The verb as it will be done.
#[derive(Debug, Serialize)]
pub(super) struct KubectlInput {
    connection: String,
    /// The cluster's own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(flatten)]
    verb: BoundVerb,
}

impl KubectlInput {
    fn needed(&self, rights: Vec<Right>) -> Vec<RightNeeded> {
        let needed = |right| RightNeeded {
            connection: self.connection.clone(),
            namespace: self.namespace.clone(),
            right,
        };
        rights.into_iter().map(needed).collect()
    }
}

impl StepKind for Kubectl {
    const NAME: &'static str = "kubectl";
    const ABOUT: &'static str = "Does one thing in a Kubernetes cluster, by kubectl's name for it.";
    const SHORT: Option<&'static str> = None;
    type Spec = KubectlSpec;
    type Input = KubectlInput;
    type Output = Value;

    fn check(spec: &mut KubectlSpec, cx: &mut CheckContext<'_>) {
        let verbs = spec.verbs();
        let problem = match verbs.as_slice() {
            [(name, verb)] => match verb.check() {
                None => return spec.complete(cx),
                Some((message, help)) => (Anchor::Key(name), message, help),
            },
            [] => (
                Anchor::Body,
                "the step names no verb".to_owned(),
                "Write one, such as `get: deployment/backend`.".to_owned(),
            ),
            [_, (second, _), ..] => {
                let (first, _) = verbs[0];
                let message = format!("a step has one verb, and this one has `{first}` and `{second}`");
                (Anchor::Key(second), message, "Make two steps of them.".to_owned())
            }
        };
        let (anchor, message, help) = problem;
        let problem = Problem {
            code: Code::KUBECTL_VERB,
            severity: Severity::Error,
            message,
            range: None,
            help: Some(help),
        };
        cx.problems.push((anchor, problem));
    }

    fn classify(spec: &KubectlSpec) -> Class {
        spec.verb().map(AnyVerb::class).unwrap_or_default()
    }

    fn summary(spec: &KubectlSpec) -> String {
        spec.verb().map(AnyVerb::summary).unwrap_or_default()
    }

    fn needs(spec: &KubectlSpec) -> Vec<Need> {
        vec![Need { kind: "kubernetes", name: spec.connection.clone() }]
    }

    fn leaves_nothing_to_undo(spec: &KubectlSpec) -> bool {
        Self::classify(spec).effect == Effect::Read
    }

    fn fields(spec: &KubectlSpec) -> &'static [&'static str] {
        spec.verb().map(AnyVerb::fields).unwrap_or_default()
    }

    fn bind(spec: &KubectlSpec, binder: &Binder<'_>) -> Result<KubectlInput, BindError> {
        let verb = spec.verb().ok_or_else(|| BindError {
            message: "the step names no verb".to_owned(),
            source: String::new(),
            help: None,
        })?;
        let namespace = binder.maybe_text(spec.namespace.as_ref())?;
        Ok(KubectlInput {
            connection: binder.cluster(spec.connection.as_deref())?,
            namespace: namespace.or_else(|| binder.namespace.map(str::to_owned)),
            verb: verb.bind(binder)?,
        })
    }

    fn classify_bound(input: &KubectlInput) -> Class {
        input.verb.class()
    }

    fn shown(input: &KubectlInput) -> Option<Value> {
        let (name, shown) = input.verb.shown()?;
        let mut whole = serde_json::to_value(input).ok()?;
        whole[name] = shown;
        Some(whole)
    }

    fn lines(input: &KubectlInput) -> Vec<String> {
        let mut lines = input.verb.lines();
        if let (Some(namespace), Some(first)) = (&input.namespace, lines.first_mut()) {
            first.extend([" in ", namespace]);
        }
        lines
    }

    fn template_lines(spec: &KubectlSpec) -> Vec<String> {
        vec![Self::summary(spec)]
    }

    fn rights(input: &KubectlInput) -> Vec<RightNeeded> {
        input.needed(input.verb.rights())
    }

    fn rights_to_undo(input: &KubectlInput) -> Vec<RightNeeded> {
        input.needed(input.verb.rights_to_undo())
    }

    async fn preview(input: &KubectlInput, cx: &ReadContext<'_>) -> Result<Preview, Failure> {
        let cluster = cx.connections.cluster(&input.connection, Access::DryRun).await?;
        let namespace = input.namespace.as_deref().unwrap_or(cluster.namespace()).to_owned();
        input.verb.preview(&cluster, &namespace).await
    }

    async fn run(input: &KubectlInput, cx: &RunContext<'_>) -> Result<Done<Value>, StepError> {
        // A program that is only declared to read is started all the same.
        let reads = cx.effect == Effect::Read && input.verb.class().effect == Effect::Read;
        let access = if reads { Access::Read } else { Access::Write };
        let cluster = Box::pin(cx.connections.cluster(&input.connection, access)).await?;
        let namespace = input.namespace.as_deref().unwrap_or(cluster.namespace()).to_owned();
        let cx = VerbContext { run: *cx, cluster, namespace };
        cx.stoppable(input.verb.run(&cx)).await
    }

    async fn settle(input: &KubectlInput, happened: &Happened<'_>, cx: &RunContext<'_>) -> Settled {
        let cluster = match Box::pin(cx.connections.cluster(&input.connection, Access::DryRun)).await {
            Ok(cluster) => cluster,
            Err(failure) => {
                return Settled::Unknown(format!("the cluster cannot be asked: {}", failure.message));
            }
        };
        let namespace = input.namespace.as_deref().unwrap_or(cluster.namespace()).to_owned();
        input.verb.settle(happened, &VerbContext { run: *cx, cluster, namespace }).await
    }

    fn undo(took_effect: &TookEffect<'_>) -> Undo {
        spec::undo(took_effect)
    }
}
