//! The body of a `kubectl` step: one verb, and where.

use schemars::JsonSchema;
use serde::Deserialize;

use super::undo::VerbEffect;
use super::verb::{AnyVerb, Verb as _};
use super::verbs;
use crate::step::kind::{CheckContext, TookEffect, Undo};
use crate::step::templated::Text;

macro_rules! spec {
    ($($(#[$about:meta])* $key:ident: $verb:ty,)*) => {
        /// One verb of kubectl, spoken natively, and where.
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(in crate::step) struct KubectlSpec {
            /// The cluster; `defaults.connection`, or the only one, when absent.
            pub(super) connection: Option<String>,
            /// The namespace; `defaults.namespace`, or the cluster's own, when absent.
            pub(super) namespace: Option<Text>,
            $($(#[$about])* $key: Option<$verb>,)*
        }

        impl KubectlSpec {
            /// The verbs that are written.
            pub(super) fn verbs(&self) -> Vec<(&'static str, &dyn AnyVerb)> {
                let mut found: Vec<(&'static str, &dyn AnyVerb)> = Vec::new();
                $(if let Some(verb) = &self.$key { found.push((<$verb>::NAME, verb)); })*
                found
            }

            /// Reads the files that the verbs name.
            pub(super) fn complete(&mut self, cx: &mut CheckContext<'_>) {
                $(if let Some(verb) = &mut self.$key { verb.complete(cx); })*
            }
        }

        /// What undoes an effect, by the verb that its input names.
        pub(super) fn undo(took_effect: &TookEffect<'_>) -> Undo {
            $(if let Some(input) = took_effect.input.get(<$verb>::NAME) {
                return <$verb>::undo(&VerbEffect::new(took_effect, input));
            })*
            Undo::Impossible("the journal names no verb that is known here".to_owned())
        }
    };
}

spec! {
    /// Reads an object, or all that a selector finds.
    get: verbs::Get,
    /// Reads an object with the events about it.
    describe: verbs::Describe,
    /// Reads what a container wrote.
    logs: verbs::Logs,
    /// Runs a program in a container.
    exec: verbs::Exec,
    /// Copies files out of a container, or into one.
    cp: verbs::Cp,
    /// Makes the fields of an object as they are written here, by server-side apply.
    apply: verbs::Apply,
    /// Makes a new object.
    create: verbs::Create,
    /// Changes parts of an object.
    patch: verbs::Patch,
    /// Sets or removes labels.
    label: verbs::Label,
    /// Sets or removes annotations.
    annotate: verbs::Annotate,
    /// Deletes objects.
    delete: verbs::Delete,
    /// Sets the number of pods.
    scale: verbs::Scale,
    /// Restarts every pod of a workload, as its update strategy has it.
    rollout_restart: verbs::RolloutRestart,
    /// Waits until a workload runs as it is written.
    rollout_status: verbs::RolloutStatus,
    /// Gives a workload the pod template of an earlier revision.
    rollout_undo: verbs::RolloutUndo,
    /// Waits until an object is as described.
    wait: verbs::Wait,
}

impl KubectlSpec {
    /// The one verb.
    pub(super) fn verb(&self) -> Option<&dyn AnyVerb> {
        self.verbs().first().map(|(_, verb)| *verb)
    }
}
