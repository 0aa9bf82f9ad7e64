//! Codes of the area `sql`: SQL in steps.

use super::Code;

codes! {
    SQL_ARGS = "runbook::sql::args", "parameters and args that do not match",
r#"`args` gives the values of `$1`, `$2` and so on, which travel beside the statement and are never part of its text.
Their number must be that of the parameters in the SQL. Only SELECT, INSERT, UPDATE, DELETE, MERGE and VALUES take
parameters; for other statements PostgreSQL knows none, so use a template there, as a literal or with `ident` or
`relation`.

Wrong:
    sql: { query: "SELECT * FROM orders WHERE day < $1 AND state = $2", args: ["{{ params.day }}"] }
Right:
    sql: { query: "SELECT * FROM orders WHERE day < $1", args: ["{{ params.day }}"] }
"#;
    SQL_BIND_CHANGED = "runbook::sql::bind_changed", "a value that would change the statement",
r#"When the value of a template is known, the statement is read again: all its words outside of the templates must be
the same as those that were checked, and each template must be filled by exactly what its filter allows. This value
would have changed the statement around it, as an injected `; DROP TABLE` does. The step is refused before anything
is sent. Usually this takes a `raw`.

Wrong:
    sql: SELECT * FROM orders ORDER BY {{ params.order | raw }}       # order is "1; DROP TABLE orders"
Right:
    sql: SELECT * FROM orders ORDER BY {{ params.order | ident }}
"#;
    SQL_BLOCK = "runbook::sql::block", "a template block in SQL",
r"In SQL a template is a value in a hole: `{{ … }}`. Blocks (`{% if %}`, `{% for %}`) and template comments would
make other statements of the same text, so what was checked and planned would not be what runs. Decide with `when`
between two steps, with CASE in SQL, or pass a list as a parameter.

Wrong:
    sql: SELECT * FROM orders {% if params.open %} WHERE state = 'open' {% endif %}
Right:
    sql: SELECT * FROM orders WHERE NOT {{ params.open }} OR state = 'open'
";
    SQL_CLASS_RAISED = "runbook::sql::class_raised", "bound SQL that does more than was planned",
r#"A step is classed from its text when it is planned, and again when its values are known. The second class is above
the first, so the statement would do more than the plan showed and people agreed to. The step is refused before
anything is sent. Usually this takes a `raw`. Declare what it may do with `effect`, or write the statement out.

Wrong:
    sql: "{{ params.statement | raw }}"
Right:
    sql: TRUNCATE {{ params.table | relation }}
"#;
    SQL_COPY = "runbook::sql::copy", "COPY without its file",
r"`COPY … FROM STDIN` needs `stdin_file`, and `COPY … TO STDOUT` needs `stdout_file`: a step has no terminal to read
from and no standard output of its own. Such a COPY stands alone in its step, and rows cannot follow it in the SQL
text as they do for psql. A file without such a COPY is refused too, since it would never be used.

Wrong:
    sql: COPY prices FROM STDIN (FORMAT csv)
Right:
    sql: { query: COPY prices FROM STDIN (FORMAT csv), stdin_file: prices.csv }
";
    SQL_EMPTY = "runbook::sql::empty", "no SQL statement",
r"The text holds no statement: it is empty, or nothing but comments and semicolons. The step would succeed without
having done anything. Write a statement, or remove the step.

Wrong:
    sql: -- to be written
Right:
    sql: SELECT 1
";
    SQL_FILE = "runbook::sql::file", "a SQL file that cannot be read",
r"`sql.file` names a file beside the runbook, or in a folder below it. It cannot be read: it is not there, is a
directory, or lies outside of the runbook's folder. Files are found from the runbook, not from the folder where the
command was started, so a runbook does the same from everywhere, and a runbook from elsewhere reads no file of
yours.

Wrong:
    sql: { file: /srv/sql/reindex.sql }
Right:
    sql: { file: sql/reindex.sql }
";
    SQL_HOLE_PLACE = "runbook::sql::hole_place", "a template inside a literal, a name or a comment",
r"In SQL a template stands alone, as a word of its own, and is escaped: a plain one becomes a literal with its
quotes, one with `ident` or `relation` a name with its quotes. Inside quotes, a dollar-quoted body or a comment, or
glued to another word, no escaping is right, and a value with a quote in it would end the text around it. Drop the
quotes, or join texts with `||` in SQL or `~` in the template.

Wrong:
    sql: SELECT * FROM orders WHERE state = '{{ params.state }}' AND note LIKE '%{{ params.word }}%'
Right:
    sql: SELECT * FROM orders WHERE state = {{ params.state }} AND note LIKE '%' || {{ params.word }} || '%'
";
    SQL_HOLE_VALUE = "runbook::sql::hole_value", "a value that has no place in SQL",
r"The value cannot be written where its template stands. `ident` and `relation` take names, which are text; a map has
no literal; an empty list would give `IN ()`, which is no SQL; a filter such as `ident` must come last, because
quoting a quoted name would make it another name. Convert the value, pass it in `args`, or use `to_json` and a
cast.

Wrong:
    sql: SELECT * FROM {{ params.table | relation | upper }}
Right:
    sql: SELECT * FROM {{ params.table | upper | relation }}
";
    SQL_META_COMMAND = "runbook::sql::meta_command", "a psql command in SQL",
r"Lines that begin with a backslash, and variables such as `:name`, are read by psql and never reach the server.
Steps speak to the server directly. The help says what to use instead: a key of the step, a parameter, or a query
of the catalog.

Wrong:
    sql: |
      \c archive
      DELETE FROM orders WHERE day < :'day'
Right:
    sql:
      database: archive
      query: DELETE FROM orders WHERE day < {{ params.day }}
";
    SQL_MIXED_TRANSACTION = "runbook::sql::mixed_transaction", "statements that cannot share a transaction",
r"A step that changes something runs in one transaction, so it happens wholly or not at all. Some statements, such as
VACUUM, CREATE DATABASE and CREATE INDEX CONCURRENTLY, refuse to run in one. Beside other statements it would be
unclear what a failure leaves. Split the step; or write `transaction: never`, and each statement stands alone, with
its own result.

Wrong:
    - id: rebuild
      sql: |
        DROP INDEX orders_by_day;
        CREATE INDEX CONCURRENTLY orders_by_day ON orders (day)
Right:
    - id: drop
      sql: DROP INDEX orders_by_day
    - id: create
      sql: CREATE INDEX CONCURRENTLY orders_by_day ON orders (day)
";
    SQL_RAW = "runbook::sql::raw", "text put into SQL as it is",
r"`raw` puts a value into SQL without escaping it. It is the one way around the rules that keep values values, so
every use is reported, and the plan shows it. This is a warning. Use `ident`, `relation` or a plain template where
one of them can do it; where `raw` is meant, restrict the parameter to an `enum` or a `pattern`.

Wrong:
    sql: SELECT * FROM {{ params.table | raw }}
Right:
    sql: SELECT * FROM {{ params.table | relation }}
";
    SQL_SECRET = "runbook::sql::secret", "a secret in the text of SQL",
r"The text of a statement is written to the server's log when it fails or is slow, to `pg_stat_activity` while it
runs, and to extensions such as `pg_stat_statements`. A secret must not be in it, neither written out nor from a
template. Bind it with `args`; for a password send only its verifier, with `| scram_verifier`.

Wrong:
    sql: ALTER ROLE app PASSWORD {{ params.password }}
Right:
    sql: ALTER ROLE app PASSWORD {{ params.password | scram_verifier }}
";
    SQL_SOURCE = "runbook::sql::source", "a sql step without one source of SQL",
r"The statements of a step are given once: as `query`, or in a `file` beside the runbook. With both it would be
unclear which runs, and with none the step would do nothing.

Wrong:
    sql: { query: SELECT 1, file: check.sql }
Right:
    sql: { file: check.sql }
";
    SQL_SQLSTATE = "runbook::sql::sqlstate", "an expected error that is no SQLSTATE",
r#"`expect_error` names the one error that means success, by its SQLSTATE: five digits or capital letters, such as
`42P07` for a table that exists already. Messages depend on the language and version of the server, so they cannot
be expected. Quote a SQLSTATE of digits alone. PostgreSQL's manual lists all of them in appendix A.

Wrong:
    sql: { query: CREATE TABLE archive (LIKE orders), expect_error: duplicate_table }
Right:
    sql: { query: CREATE TABLE archive (LIKE orders), expect_error: "42P07" }
"#;
    SQL_SYNTAX = "runbook::sql::syntax", "SQL that PostgreSQL cannot parse",
r"The statement was read with PostgreSQL's grammar, without a server, and does not fit it. So a missing bracket in
the last step is found before the first one runs. The place is where reading stopped, which is often one word after
the mistake.

Wrong:
    sql: SELECT count(* FROM orders
Right:
    sql: SELECT count(*) FROM orders
";
    SQL_TRANSACTION_CONTROL = "runbook::sql::transaction_control", "transaction control in a step",
r"BEGIN, COMMIT, ROLLBACK, SAVEPOINT and PREPARE TRANSACTION belong to the engine: it opens the transaction, notes
its id in the journal, and commits only when that note is on disk. A COMMIT of your own would make a change durable
that a resumed run knows nothing of. Remove it: a step that changes something is one transaction already.
`transaction:` says otherwise.

Wrong:
    sql: |
      BEGIN;
      UPDATE stock SET reserved = 0;
      COMMIT
Right:
    sql: UPDATE stock SET reserved = 0
";
}
