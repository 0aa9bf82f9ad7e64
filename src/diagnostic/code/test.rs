//! Codes of the area `test`: the fixtures of trials.

use super::Code;

codes! {
    TEST_FIXTURE = "runbook::test::fixture", "a fixture that does not fit its runbook",
r"A fixture lies beside its runbook as NAME.test.yaml and says, for each of its cases, what the steps bring and what
must come of it. It speaks of the runbook's own steps, connections, parameters and outputs, so a name that the runbook
does not have would test nothing, and a field that a step does not produce would never be read. An assert has no
result: it is evaluated, as in a run.

Wrong:
    steps:
      old: { row: { count: 3 } }
      something_to_do: { passed: true }
Right:
    steps:
      old: { row: { count: 3 } }
    expect:
      outcome: succeeded
      states: { something_to_do: succeeded }
";
}
