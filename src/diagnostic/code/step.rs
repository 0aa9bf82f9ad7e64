//! Codes of the area `step`: the keys that steps have, whatever they do.

use super::Code;

codes! {
    EFFECT = "runbook::step::effect", "a declared effect below the known one",
r"Every step is classed: read, change, disrupt, destroy. `effect` may raise the class, for a function whose harm only
its author knows. It may lower a class that is merely assumed, since nobody else can know. It may not lower what
the text of the step proves: gates and the plan rely on the class, so a `DROP TABLE` that claims to read would pass
unasked.

Wrong:
    - id: cleanup
      sql: DROP TABLE orders_old
      effect: read
Right:
    - id: cleanup
      sql: DROP TABLE orders_old
";
    STEP_ID = "runbook::step::id", "a step without a usable id",
r"An `id` is how templates, `needs`, answers, the journal and `runbook explain` name a step, so every step has one.
It is lowercase words joined by underscores and begins with a letter: `steps.dead-rows.value` would be read as a
subtraction.

Wrong:
    - id: Dead-Rows
      sql: SELECT sum(n_dead_tup) FROM pg_stat_user_tables
Right:
    - id: dead_rows
      sql: SELECT sum(n_dead_tup) FROM pg_stat_user_tables
";
    NO_KIND = "runbook::step::no_kind", "a step that does nothing",
r"A step does exactly one thing, and its key says what: `sql`, `assert`, `confirm`, `exec`, or `steps` and `runbook`
for a group and another runbook. This one has none of them. Perhaps the key is misspelt or indented too deep; the
nearest one is offered.

Wrong:
    - id: vacuum
      query: VACUUM orders
Right:
    - id: vacuum
      sql: VACUUM orders
";
    RETRY = "runbook::step::retry", "a retry that never tries",
r"`attempts` counts every attempt, the first included: 1 means no repetition, 3 means two more after a failure. With
0 the step would never run at all. Leave `retry` out where nothing is to be repeated.

Wrong:
    retry: { attempts: 0 }
Right:
    retry: { attempts: 3, delay: 5s }
";
    ROLLBACK = "runbook::step::rollback", "an undo that is not one",
r"`rollback` says how a step is undone, in one of four ways: a list of steps; `auto`, where what was there before
tells how; `{ none: why }`, when nothing needs to be undone; or `{ impossible: why }`, when nothing can be. The
reason is shown in the plan and to the person who must decide at three in the morning. `rollback: true` would
promise an undo that nobody wrote.

Wrong:
    rollback: true
Right:
    rollback:
      - id: drop_index
        sql: DROP INDEX IF EXISTS orders_by_day
";
    ROLLBACK_SILENT = "runbook::step::rollback_silent", "a change that does not say how it is undone",
r"The step changes something and has no `rollback`, so an automatic undo stops here: the step is a point of no
return. That may be right, but silence looks the same as an oversight, so the file should say which. This is a
warning, and the runbook works.

Wrong:
    - id: archive
      sql: INSERT INTO archive SELECT * FROM orders WHERE day < current_date - 90
Right:
    - id: archive
      sql: INSERT INTO archive SELECT * FROM orders WHERE day < current_date - 90
      rollback:
        - id: empty_archive
          sql: DELETE FROM archive WHERE day < current_date - 90
";
    SEVERAL_KINDS = "runbook::step::several_kinds", "a step that does several things",
r"A step has exactly one kind. With two it would be unclear which comes first, what its output is, and what has taken
effect when one succeeds and the other fails. Make a step of each: they run in the order in which they are written.

Wrong:
    - id: drop
      confirm: Really?
      sql: DROP TABLE orders_old
Right:
    - id: sure
      confirm: Really?
    - id: drop
      sql: DROP TABLE orders_old
";
    SIDE_CHECK = "runbook::step::side_check", "a side check that changes something",
r#"The SQL of `verify` and of `abort_when` is asked at moments nobody chooses: while the step runs, after a lost
connection, before a retry, perhaps many times. It must only look. Do the change in a step of its own.

Wrong:
    verify: { sql: "DELETE FROM queue RETURNING id", that: this.row_count == 0 }
Right:
    verify: { sql: "SELECT count(*) FROM queue", that: this.value == 0 }
"#;
    STEP_TWICE = "runbook::step::twice", "two steps with the same id",
r"Ids are unique in a runbook, hooks and members of parallel blocks included; inside a group they are unique in that
group. Two steps of one name could not be told apart in templates, in `needs`, or in the journal that a resume
relies on. Both places are shown; rename one.

Wrong:
    - id: size
      sql: SELECT pg_database_size(current_database())
    - id: size
      sql: SELECT pg_relation_size('orders')
Right:
    - id: database_size
      sql: SELECT pg_database_size(current_database())
    - id: table_size
      sql: SELECT pg_relation_size('orders')
";
    UNTIL = "runbook::step::until", "a change that would be repeated",
r"`until` asks the same step again and again until something holds. Repeating a change does it again each time, so
only reads may be repeated. Make the change in one step, and wait for its effect in a read below it.

Wrong:
    - id: promote
      sql: SELECT pg_promote()
      until: { that: this.value }
Right:
    - id: promote
      sql: SELECT pg_promote()
    - id: promoted
      sql: SELECT NOT pg_is_in_recovery()
      until: { that: this.value, timeout: 2m }
";
}
