//! Codes of the area `kubectl`: verbs and targets.

use super::Code;

codes! {
    KUBECTL_VERB = "runbook::kubectl::verb", "a kubectl step that does not say what to do, or with what",
r"A kubectl step has exactly one verb, with kubectl's name, and most verbs have a target: `kind/name`, or a map with
`kind` and either `name` or `selector`. Two things to do are two steps, so that each has its own result, its own
retry and its own undo. A pod's selector means the pod that is ready; where it may find several, `pick: newest` or
`pick: any` says which one is taken.

Wrong:
    kubectl: { scale: { target: backend, replicas: 3 } }
Right:
    kubectl: { scale: { target: deployment/backend, replicas: 3 } }
";
}
