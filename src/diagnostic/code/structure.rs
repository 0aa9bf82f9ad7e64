//! Codes of the area `structure`: lists, maps, groups and blocks.

use super::Code;

codes! {
    NESTED_BLOCK = "runbook::structure::nested_block", "a parallel block where none may stand",
r"`parallel:` stands only in the runbook's own `steps`. Steps inside a group run in order, undo and cleanup run one
at a time, and a block inside a block says nothing that one block does not say. So one glance at the top list tells
what may happen at the same time.

Wrong:
    - id: prepare
      steps:
        - parallel:
            - id: a
              sql: SELECT 1
            - id: b
              sql: SELECT 2
Right:
    - parallel:
        - id: a
          sql: SELECT 1
        - id: b
          sql: SELECT 2
";
    NESTED_GROUP = "runbook::structure::nested_group", "a group inside a group",
r"A group (`steps:` under an id) holds steps, and no other group; hooks hold none either. Ids have at most one dot,
`group.inner`, and timeouts and loops at most one level around them, so a reader always knows what surrounds a
step. Move the inner steps up, write two groups, or make a runbook of the inner one and include it.

Wrong:
    - id: outer
      steps:
        - id: inner
          steps:
            - id: look
              sql: SELECT 1
Right:
    - id: outer
      steps:
        - id: look
          sql: SELECT 1
";
    NO_STEPS = "runbook::structure::no_steps", "a list without steps",
r"A runbook, a group and a parallel block hold at least one step. An empty one would succeed and report that all is
well, although nothing was looked at. Write a step, or remove the list.

Wrong:
    steps: []
Right:
    steps:
      - id: version
        sql: SHOW server_version
";
    NOT_A_LIST = "runbook::structure::not_a_list", "something that must be a list",
r"Steps, hooks and `needs` are lists, even with one entry: each begins with a dash, or all stand in brackets. A map
of steps would have no order, and the order of steps is what a runbook says.

Wrong:
    steps:
      version:
        sql: SHOW server_version
    needs: prepare
Right:
    steps:
      - id: version
        sql: SHOW server_version
    needs: [prepare]
";
    NOT_A_MAP = "runbook::structure::not_a_map", "something that must be a map",
r"`params`, `vars`, `connections` and `outputs` are maps from names to what each name stands for. A list has no
names, so templates could not read its items.

Wrong:
    vars:
      - schema: public
Right:
    vars:
      schema: public
";
    NOT_A_RUNBOOK = "runbook::structure::not_a_runbook", "a file that is not a runbook",
r"A runbook is a map: `version`, `name`, `steps` and other keys, none of them indented. This file is valid YAML but a
list, a number or plain text. Perhaps it is another tool's file, or only the list of steps was written.

Wrong:
    - id: version
      sql: SHOW server_version
Right:
    version: 1
    name: server-version
    connections: { db: postgres }
    steps:
      - id: version
        sql: SHOW server_version
";
    NOT_A_STEP = "runbook::structure::not_a_step", "an entry that is not a step",
r"Each entry of a list of steps is a map with an `id` and exactly one kind, such as `sql`. Plain text, a number or an
empty dash is none; text alone does not say whether it is SQL, a question or a program.

Wrong:
    steps:
      - VACUUM orders
Right:
    steps:
      - id: vacuum
        sql: VACUUM orders
";
}
