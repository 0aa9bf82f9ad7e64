//! Codes of the area `template`: templates and expressions.

use super::Code;

codes! {
    TEMPLATE_DYNAMIC_READ = "runbook::template::dynamic_read", "a read that hides what it reads",
r"Outputs and parameters are read only as `steps.<id>.<field>` and `params.<name>`, with the names written out. A
computed name, or `steps` as a whole, would hide from the graph which steps must come first, and from the secrets
which values must not be shown. Write the names; to choose between several, use `if` and `else`.

Wrong:
    when: steps[params.which].value > 0
Right:
    when: (steps.orders.value if params.which == 'orders' else steps.stock.value) > 0
";
    TEMPLATE_FILTER = "runbook::template::filter", "a filter that cannot do its work",
r"A filter got a value of the right type that it can make nothing of: a text that is no size, no date, no base64 or
no JSON; or an aggregate, such as `max`, got an empty list. Nothing is guessed, so an empty result never passes for
a zero. Say what to use instead with `default=`, or check the value before.

Wrong:
    that: steps.tables.rows | max(attribute='bytes') < params.limit
Right:
    that: steps.tables.rows | max(attribute='bytes', default=0) < params.limit
";
    TEMPLATE_FUEL = "runbook::template::fuel", "a template that works too long",
r#"Templates have a budget of operations, and lists and texts a largest size, so a loop over a huge result cannot hold
up a run that may have locks on a server. The database counts, joins and filters far faster: do the work in SQL and
let the template show its result.

Wrong:
    message: "{% for a in range(9000) %}{% for b in range(9000) %}.{% endfor %}{% endfor %}"
Right:
    message: "{{ steps.pairs.row_count }} pairs"
"#;
    TEMPLATE_REFUSED = "runbook::template::refused", "a value that may not be read here",
r"The value exists but must not be used: the step that would produce it was skipped, failed or has not run; a result
has several rows where one is meant; or a result was cut off at `max_rows`, so a decision on it could be wrong.
Read facts such as `steps.x.succeeded`, which are always there, or give a `default(…)`.

Wrong:
    that: steps.optional.value > 0
Right:
    that: steps.optional.value | default(1) > 0
";
    TEMPLATE_SYNTAX = "runbook::template::syntax", "a template that cannot be read",
r#"The text between the braces, or a bare expression such as `when`, is not an expression of the language. Common
causes: a bracket or quote that is never closed; `&&`, `||` and `!` for `and`, `or` and `not`; `=` for `==`; an
`if` without `else`; or braces in a key that already is an expression (`when`, `that`, `until`, `verify`, `in`).

Wrong:
    when: "{{ params.mode == 'full' }}"
Right:
    when: params.mode == 'full'
"#;
    TEMPLATE_TRUTHINESS = "runbook::template::truthiness", "a condition that is not true or false",
r#"`and`, `or`, `not`, `if` and every condition take booleans only. In many languages text is true unless it is empty,
so the text "false", or a count of 0 that arrived as text, would let a step run that should not. Compare, and say
what you mean.

Wrong:
    when: steps.blockers.row_count
Right:
    when: steps.blockers.row_count > 0
"#;
    TEMPLATE_TYPE = "runbook::template::type", "values that do not go together",
r#"Two values are compared or combined whose types do not fit: a number with a text, a list with a number, anything
with none. Nothing is converted silently, since "10" is less than "9" as text. The message names both types.
Convert one of them with `int`, `bytes` or `seconds`, or cast in SQL.

Wrong:
    that: steps.setting.value < 100           # SHOW gives text: "64"
Right:
    that: steps.setting.value | int < 100
"#;
    TEMPLATE_UNDEFINED = "runbook::template::undefined", "a value that is not there",
r"The template reads something that has no value: a column the result does not have, a key a map does not have, an
item past the end of a list, `item` outside of a `for_each`, or `this` outside of a step. Nothing is replaced by
empty text, because `DROP TABLE {{ prefix }}orders` would then mean another table. Correct the name, or provide a
`default(…)`.

Wrong:
    - id: vacuum
      sql: VACUUM {{ item.table_name | relation }}
Right:
    - id: vacuum
      for_each: { in: steps.targets.rows, key: item.table_name }
      sql: VACUUM {{ item.table_name | relation }}
";
    TEMPLATE_UNGUARDED = "runbook::template::unguarded", "a read of a step that may be skipped",
r"The step that is read has a `when`, so it may be skipped, and what a skipped step did not produce cannot be read:
the run would fail here. This is a warning. Give the reader a condition of its own, provide a `default(…)`, or read
`steps.x.succeeded`, which is always there.

Wrong:
    - id: lag
      when: params.check_standby
      sql: SELECT max(replay_lag) FROM pg_stat_replication
    - id: fresh
      assert: steps.lag.value < 60
Right:
    - id: fresh
      when: steps.lag.succeeded
      assert: steps.lag.value < 60
";
    TEMPLATE_UNKNOWN_FILTER = "runbook::template::unknown_filter", "a filter or test that does not exist",
r#"What stands after `|` is a filter, and what stands after `is` a test. This one is not part of the language; the
nearest name is offered. Filters of other template languages, such as `tojson` or `filesizeformat`, have other
names here: `to_json` and `size`.

Wrong:
    message: "{{ steps.size.value | filesizeformat }} in all"
Right:
    message: "{{ steps.size.value | size }} in all"
"#;
    TEMPLATE_UNKNOWN_FUNCTION = "runbook::template::unknown_function", "a function that does not exist",
r#"There are two functions, `now()` and `range()`, and values have no methods. Everything else is a filter, written
after the value. So a template can compute, but cannot reach files, the network or the program it runs in.

Wrong:
    message: "{{ params.schema.upper() }}"
Right:
    message: "{{ params.schema | upper }}"
"#;
    TEMPLATE_UNKNOWN_NAME = "runbook::template::unknown_name", "a name that is not declared",
r"The part after `params.`, `vars.`, `env.`, `connections.` or `run.`, or the field after `steps.x.`, is not one that
exists. All of them are known from the file, so a misspelt one is found before anything runs; the nearest name is
offered. Parameters, variables, connections and environment variables are declared at the top of the runbook.

Wrong:
    params: { schema: { default: public } }
    steps:
      - id: show
        assert: params.shema != ''
Right:
    params: { schema: { default: public } }
    steps:
      - id: show
        assert: params.schema != ''
";
    TEMPLATE_UNKNOWN_ROOT = "runbook::template::unknown_root", "a variable that does not exist",
r"Everything a template can read begins with one of `params`, `vars`, `steps`, `connections`, `env`, `run`, `item`,
`loop` and `this`. A bare name is none of them, and it is not taken for text either: text in an expression needs
quotes. Write where the value comes from, or quote it.

Wrong:
    when: mode == full
Right:
    when: params.mode == 'full'
";
}
