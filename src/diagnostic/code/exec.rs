//! Codes of the area `exec`: programs.

use super::Code;

codes! {
    EXEC_COMMAND = "runbook::exec::command", "a command that cannot be started",
r#"`command` is a list: the program, then one item for each argument. It is never split and never passed to a shell,
so a blank, a quote or a `;` in a value stays what it is. An empty list names no program. `stdin` and `stdin_file`
are two sources of the same standard input, and a program has only one. For pipes and redirections use
`stdout_file`, `stdin_file`, or a script that the host has.

Wrong:
    exec: { command: [] }
Right:
    exec: { command: [pg_dump, --format=custom, "--file={{ run.dir }}/orders.dump"] }
"#;
}
