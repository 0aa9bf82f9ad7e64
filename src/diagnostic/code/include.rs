//! Codes of the area `include`: runbooks in runbooks.

use super::Code;

codes! {
    INCLUDE_CYCLE = "runbook::include::cycle", "a runbook that includes itself",
r"A `runbook:` step puts the steps of another runbook in its place before anything runs. A runbook that includes
itself, directly or by way of others, would never come to an end. The help prints the circle. Move what both need
into a third runbook that includes neither.

Wrong:
    name: nightly
    steps:
      - id: again
        runbook: nightly
Right:
    name: nightly
    steps:
      - id: sizes
        runbook: table-sizes
";
    INCLUDE_PARAMETER = "runbook::include::parameter", "a parameter the included runbook lacks or needs",
r"`params` under a `runbook:` step gives values to the parameters that the included runbook declares. A name it does
not declare is probably misspelt, and the value would be lost. A parameter without a default must be given, because
nobody is asked for it: an included runbook sees only what its caller passes.

Wrong:
    - id: sizes
      runbook: { name: table-sizes, params: { limitt: 10 } }
Right:
    - id: sizes
      runbook: { name: table-sizes, params: { limit: 10 } }
";
    INCLUDE_UNKNOWN = "runbook::include::unknown", "an included runbook that does not exist",
r"`runbook:` takes the name of a runbook: one beside the including file, in `./runbooks`, on `$RUNBOOK_PATH`, in the
user's folder, or a shipped one. No file has this name. `runbook list` prints every name that can be used here; the
nearest one is offered.

Wrong:
    - id: sizes
      runbook: table-size
Right:
    - id: sizes
      runbook: table-sizes
";
}
