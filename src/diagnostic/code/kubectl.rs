//! Codes of the area `kubectl`: verbs, targets and manifests.

use super::Code;

codes! {
    KUBECTL_FILE = "runbook::kubectl::file", "a manifest that cannot be applied",
r"`file` of `apply` and `create` names a manifest beside the runbook, or in a folder below it: one YAML document for each
object, and each says its `apiVersion`, its `kind` and its `metadata.name`. The file is sent as it stands: it is no
template, so that what other programs check and apply is what is meant here too, and `{{ … }}` in an alert's text stays
what it is. An object with values of this run is written in the step, as `object:`. A manifest is kept with the run, so
it must hold no values of a Secret; `secret:` takes them from parameters or files.

Wrong:
    kubectl: { apply: { file: /srv/manifests/backend.yaml } }
Right:
    kubectl: { apply: { file: manifests/backend.yaml } }
";
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
