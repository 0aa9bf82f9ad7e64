//! Codes of the area `graph`: which step waits for which.

use super::Code;

codes! {
    GRAPH_CYCLE = "runbook::graph::cycle", "steps that wait for each other",
r"A step waits for every step it needs, for the steps above it, and for those whose output it reads. When such edges
lead back to where they began, none of the steps could ever start. The message prints the circle, and every edge of
it is underlined where it is written. Remove one of them: usually a `needs` that names a step further down, or a
template that reads the output of a later step.

Wrong:
    - id: swap
      needs: [verify]
      sql: ALTER TABLE orders_new RENAME TO orders
    - id: verify
      needs: [swap]
      sql: SELECT count(*) FROM orders
Right:
    - id: swap
      sql: ALTER TABLE orders_new RENAME TO orders
    - id: verify
      needs: [swap]
      sql: SELECT count(*) FROM orders
";
    GRAPH_UNKNOWN_STEP = "runbook::graph::unknown_step", "a step that does not exist",
r"`needs` takes ids of steps in the same list, and templates read `steps.<id>.<field>`. An id that no step has is
refused, because a step that waits for nothing would start too early, and a value that is never there would fail in
the middle of a run. The nearest id is offered. A step inside a group is read as `steps.group.inner`, but needed
only as the whole `group`.

Wrong:
    - id: vacuum
      needs: [tragets]
      sql: VACUUM
Right:
    - id: vacuum
      needs: [targets]
      sql: VACUUM
";
}
