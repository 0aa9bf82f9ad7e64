//! The command line as people and scripts meet it.

mod check;
mod edges;
mod explain;
mod lists;
mod parameters;
mod plan;
mod show;

use crate::support::sandbox::Sandbox;

/// A runbook with a bit of everything.
const SAMPLE: &str = "version: 1
name: sample
title: A sample
description: Looks at a table and changes it when asked to.
owner: dba
tags: [example]
params:
  schema_name: { type: identifier, description: Where the table is. }
  limit: { type: int, default: 10, min: 1, max: 100 }
  token: { type: string, secret: true, required: false }
connections:
  db: postgres
steps:
  - id: look
    title: Count the rows
    sql: SELECT count(*) FROM {{ params.schema_name | ident }}.orders
  - id: sure
    confirm: Really delete {{ steps.look.value }} rows?
  - id: clear
    title: Delete what is old
    when: steps.look.value > params.limit
    sql: DELETE FROM {{ params.schema_name | ident }}.orders WHERE ordered_at < now() - interval '1 year'
    rollback: { impossible: Deleted rows do not come back. }
  - id: fits
    needs: [look]
    assert: { that: steps.look.value < 1000, message: too many rows }
";

/// A sandbox with the sample in `runbooks`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("runbooks/sample.yaml", SAMPLE);
    sandbox
}
