//! Every diagnostic code: its name, a title, and the long explanation that `runbook explain CODE` prints.

/// A documented problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `runbook::<area>::<problem>`.
    pub name: &'static str,
    /// One line.
    pub title: &'static str,
    /// What it means, why it is refused, and how to put it right, with an example.
    pub explanation: &'static str,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $constant:ident = $name:literal, $title:literal, $explanation:literal;)*) => {
        impl Code {
            $(
                #[doc = $title]
                pub const $constant: &'static Code =
                    &Code { name: $name, title: $title, explanation: $explanation };
            )*
        }

        /// Every code, sorted by name.
        pub static CODES: &[&Code] = &[$(Code::$constant),*];
    };
}

codes! {
    YAML_ALIAS = "runbook::yaml::alias", "an alias that stands for nothing, or for itself",
r#"`*name` repeats the value that `&name` marked earlier in the same file. The anchor must come before the alias, and a
value cannot contain an alias of itself. A value that merely starts with `*` or `&`, such as a cron expression, is text
and needs quotes.

Wrong:
    schedule: *daily            # no `&daily` above
Right:
    schedule: "* 3 * * *"
"#;
    YAML_AMBIGUOUS = "runbook::yaml::ambiguous", "two readings of the same text",
r#"Every file is read by two YAML parsers, one for the values and one for their places. A document is refused when they
read a value differently, because other tools would also disagree about what the runbook does. This happens with rare
notation: unusual line separators, odd indentation inside quotes, tabs around block text. Write the value in a plainer
way.

Wrong:
    text: "one
     <an invisible line separator> two"
Right:
    text: |
      one
      two
"#;
    YAML_BAD_VALUE = "runbook::yaml::bad_value", "a value outside what the key allows",
"The value has the right type, but is not one that the key accepts: a number out of range, a word that is not among
the known ones, text in the wrong format, or `.inf` and `.nan`, which are never accepted. The message says what is
expected.

Wrong:
    attempts: -1
Right:
    attempts: 3
";
    YAML_BINARY = "runbook::yaml::binary", "the file is not text",
"The file contains zero bytes, so it is a program, an archive, a picture or something else that is not text. The path is
probably wrong: `runbook` reads YAML text only, and does not unpack archives.

Wrong:
    runbook check reindex.tar.gz
Right:
    runbook check reindex.yaml
";
    YAML_DUPLICATE_KEY = "runbook::yaml::duplicate_key", "the same key twice in one map",
"A map has each key once. Many YAML readers silently keep the last of two equal keys, so half of what was written would
never run and nobody would notice. Rename one of the keys, remove it, or turn the map into a list. Both places are
shown.

Wrong:
    vars:
      table: orders
      table: customers
Right:
    vars:
      table: orders
      other_table: customers
";
    YAML_EMPTY = "runbook::yaml::empty", "the file holds no values",
"The file is empty, or holds nothing but blank lines, comments and document markers. A command that succeeded on it would
suggest that something was checked or done. Write the document, or name another file.

Wrong:
    # to be written
Right:
    name: reindex
    steps: []
";
    YAML_FILE_UNREADABLE = "runbook::yaml::file_unreadable", "a file cannot be read",
"The file that a command or another file names does not exist, is a directory, or may not be read by this user. Relative
paths in a runbook start at the folder of the file that names them, not at the folder where the command was started. The
message holds the path that was tried and what the operating system said.

Wrong:
    runbook check reindex           # there is only reindex.yaml
Right:
    runbook check reindex.yaml
";
    YAML_INTEGER_RANGE = "runbook::yaml::integer_range", "a number that cannot be kept exactly",
r#"Whole numbers must fit 64 bits, and fractions are kept as 64-bit floats, which hold about 16 digits. A longer number
would be rounded, and the rounded one would be sent to the database. Quote it: text keeps every digit, and PostgreSQL
reads numbers from text.

Wrong:
    limit: 123456789012345678901234567890
    price: 12345678901234567.89
Right:
    limit: "123456789012345678901234567890"
    price: "12345678901234567.89"
"#;
    YAML_MERGE = "runbook::yaml::merge", "`<<` with something that is not a map",
"`<<` copies the members of another map into this one. Keys written here win over merged ones, and the first of several
merged maps wins over the later ones. Its value must be a map, or a list of maps, usually given as aliases. Text and
numbers have no members to merge.

Wrong:
    <<: defaults
Right:
    defaults: &defaults {timeout: 5m}
    step:
      <<: *defaults
";
    YAML_MISSING_KEY = "runbook::yaml::missing_key", "a key that must be there is missing",
"The map needs a key that it does not have, and there is no default that would be right for everyone. The message names
the key, and the place is the map that needs it. Check the indentation if the key seems to be there: a key one level too
deep or too shallow belongs to another map.

Wrong:
    - id: notify
      exec: {host: db1}
Right:
    - id: notify
      exec: {host: db1, command: [uptime]}
";
    YAML_NON_TEXT_KEY = "runbook::yaml::non_text_key", "a key that is not text",
r#"Keys are text. A number, a boolean or nothing before the `:` is read differently by different tools. The usual reason for
this message is an unquoted template: YAML reads `{{ x }}` as a map whose key is another map. Quote the template, or
quote the key.

Wrong:
    table: {{ vars.table }}
    5432: primary
Right:
    table: "{{ vars.table }}"
    "5432": primary
"#;
    YAML_NOT_UTF8 = "runbook::yaml::not_utf8", "the file is not UTF-8",
"YAML files are UTF-8 text. This one contains bytes that are not, so it was saved in another encoding: Latin-1 and
Windows-1252 are common for old files, UTF-16 for files from Windows tools. The message names the line and the first such
byte. Guessing the encoding could change names in the database, so convert the file instead.

Wrong:
    a file saved as ISO-8859-1 that contains `é`
Right:
    iconv -f ISO-8859-1 -t UTF-8 old.yaml > new.yaml
";
    YAML_OCTAL = "runbook::yaml::octal", "a number with a leading zero",
r#"`012` is ten for a YAML 1.1 reader, twelve for YAML 1.2, and text for several programs; `08` is an error, eight, or text.
A reader of the file cannot know which is meant, so it is refused. Quote it if it is text, such as a postal code or a file
mode; write it without the zeros if it is a number; `0o12` is an octal number for everyone.

Wrong:
    hour: 08
    mode: 0644
Right:
    hour: 8
    mode: "0644"
"#;
    YAML_SECOND_DOCUMENT = "runbook::yaml::second_document", "more than one document in a file",
"A line of `---` ends a YAML document and starts the next. A file holds one document: what came second would otherwise be
ignored, or be taken for a part of the first. One `---` at the top of the file is fine. Text that contains such a line
belongs into an indented block.

Wrong:
    name: one
    ---
    name: two
Right:
    two files, one document each
";
    YAML_SYNTAX = "runbook::yaml::syntax", "the file is not valid YAML",
r#"The parser could not go on. The place is where it stopped, which is often the line after the mistake. The commonest
causes: a tab in the indentation; a line that is not indented like its neighbours; an unquoted `: ` inside text; a value
that starts with `{{`, `*`, `&`, `@`, `%` or `!` without quotes; a quote that is never closed. SQL and other long text is
safest in a block after `|`.

Wrong:
    message: careful: this locks
    sql: "SELECT 1
Right:
    message: "careful: this locks"
    sql: |
      SELECT 1
"#;
    YAML_TAG = "runbook::yaml::tag", "a tag that means nothing here",
r#"`!name` before a value is a YAML tag: an instruction to a program that knows it. No tag is known here except those of YAML
itself, such as `!!str`, and ignoring one could change what the author meant. Text that starts with `!` needs quotes.

Wrong:
    password: !vault db/password
    message: !important
Right:
    message: "!important"
"#;
    YAML_TOO_DEEP = "runbook::yaml::too_deep", "too many levels of nesting",
"Lists and maps may be nested up to 64 levels, counted after aliases are followed. The limit protects against files that
are made to exhaust memory; handwritten runbooks stay below ten. A document that needs more was probably generated, or
lost a closing bracket.

Wrong:
    value: [[[[[[ … a thousand brackets … ]]]]]]
Right:
    value: [1, 2, 3]
";
    YAML_TOO_LARGE = "runbook::yaml::too_large", "the file is too large",
"A document may have up to 8 MiB of text, which is about fifty thousand steps. A larger file is usually a data file named
by mistake. Split a long runbook into several and include them with `runbook:` steps; leave bulk data in the database.

Wrong:
    runbook check dump.sql
Right:
    runbook check reindex.yaml
";
    YAML_TOO_MANY_NODES = "runbook::yaml::too_many_nodes", "aliases that expand to too many values",
"An alias stands for everything under its anchor, so a few lines of aliases of aliases can stand for billions of values.
A document may have a million values after aliases are followed, and larger ones are refused before anything is expanded.
Write the values out, or generate them with `for_each`.

Wrong:
    a: &a [x, x, x, x, x, x, x, x, x]
    b: &b [*a, *a, *a, *a, *a, *a, *a, *a]
    c: &c [*b, *b, *b, *b, *b, *b, *b, *b]      # and so on
Right:
    for_each: [1, 2, 3]
";
    YAML_UNKNOWN_KEY = "runbook::yaml::unknown_key", "a key that is not known here",
"The map has a key that means nothing in this place. It is either misspelt, or belongs to another level: check the
indentation. Unknown keys are errors because an ignored one, such as a misspelt `rollback`, is a promise that nobody
keeps. The nearest known name is offered when there is one.

Wrong:
    - id: drop
      rolback: auto
Right:
    - id: drop
      rollback: auto
";
    YAML_WRONG_TYPE = "runbook::yaml::wrong_type", "a value of the wrong type",
r#"The key needs another kind of value: text, a number, a boolean, a list or a map. Nothing is converted silently, because
`version: 1.10` would become `1.1` and `answer: no` could become `false`. Quote numbers and booleans that are meant as
text; write `true` and `false` for booleans; write a list with brackets or dashes even for one item.

Wrong:
    sql: 12
    needs: prepare
Right:
    sql: "12"
    needs: [prepare]
"#;
    CONFIRM_CONFLICT = "runbook::confirm::conflict", "a gate with contradicting answers", "";
    CONNECTION = "runbook::connection::declaration", "a connection that is not declared or not usable", "";
    EFFECT = "runbook::step::effect", "a declared effect below the known one", "";
    EXEC_COMMAND = "runbook::exec::command", "a command that cannot be started", "";
    GRAPH_CYCLE = "runbook::graph::cycle", "steps that wait for each other", "";
    GRAPH_UNKNOWN_STEP = "runbook::graph::unknown_step", "a step that does not exist", "";
    INCLUDE_CYCLE = "runbook::include::cycle", "a runbook that includes itself", "";
    INCLUDE_PARAMETER = "runbook::include::parameter", "a parameter the included runbook lacks or needs", "";
    INCLUDE_UNKNOWN = "runbook::include::unknown", "an included runbook that does not exist", "";
    NAME = "runbook::head::name", "a runbook without a usable name", "";
    NESTED_BLOCK = "runbook::structure::nested_block", "a parallel block where none may stand", "";
    NESTED_GROUP = "runbook::structure::nested_group", "a group inside a group", "";
    NOT_A_LIST = "runbook::structure::not_a_list", "something that must be a list", "";
    NOT_A_MAP = "runbook::structure::not_a_map", "something that must be a map", "";
    NOT_A_RUNBOOK = "runbook::structure::not_a_runbook", "a file that is not a runbook", "";
    NOT_A_STEP = "runbook::structure::not_a_step", "an entry that is not a step", "";
    NO_KIND = "runbook::step::no_kind", "a step that does nothing", "";
    NO_STEPS = "runbook::structure::no_steps", "a list without steps", "";
    PARAMETER = "runbook::head::parameter", "a parameter that contradicts itself", "";
    RETRY = "runbook::step::retry", "a retry that never tries", "";
    ROLLBACK = "runbook::step::rollback", "an undo that is not one", "";
    ROLLBACK_SILENT = "runbook::step::rollback_silent", "a change that does not say how it is undone", "";
    SCHEDULE = "runbook::head::schedule", "a schedule that cannot be read", "";
    SEVERAL_KINDS = "runbook::step::several_kinds", "a step that does several things", "";
    SIDE_CHECK = "runbook::step::side_check", "a side check that changes something", "";
    SQL_ARGS = "runbook::sql::args", "parameters and args that do not match", "";
    SQL_BIND_CHANGED = "runbook::sql::bind_changed", "a value that would change the statement", "";
    SQL_BLOCK = "runbook::sql::block", "a template block in SQL", "";
    SQL_CLASS_RAISED = "runbook::sql::class_raised", "bound SQL that does more than was planned", "";
    SQL_COPY = "runbook::sql::copy", "COPY without its file", "";
    SQL_EMPTY = "runbook::sql::empty", "no SQL statement", "";
    SQL_FILE = "runbook::sql::file", "a SQL file that cannot be read", "";
    SQL_HOLE_PLACE = "runbook::sql::hole_place", "a hole inside a literal, a name or a comment", "";
    SQL_HOLE_VALUE = "runbook::sql::hole_value", "a value that has no place in SQL", "";
    SQL_META_COMMAND = "runbook::sql::meta_command", "a psql command in SQL", "";
    SQL_MIXED_TRANSACTION = "runbook::sql::mixed_transaction", "statements that cannot share a transaction", "";
    SQL_NAME = "runbook::sql::name", "a name that cannot be quoted", "";
    SQL_RAW = "runbook::sql::raw", "text put into SQL as it is", "";
    SQL_SECRET = "runbook::sql::secret", "a secret in the text of SQL", "";
    SQL_SOURCE = "runbook::sql::source", "a sql step without one source of SQL", "";
    SQL_SQLSTATE = "runbook::sql::sqlstate", "an expected error that is no SQLSTATE", "";
    SQL_SYNTAX = "runbook::sql::syntax", "SQL that PostgreSQL cannot parse", "";
    SQL_TRANSACTION_CONTROL = "runbook::sql::transaction_control", "transaction control in a step", "";
    STEP_ID = "runbook::step::id", "a step without a usable name", "";
    STEP_TWICE = "runbook::step::twice", "two steps with the same id", "";
    TEMPLATE_DYNAMIC_READ = "runbook::template::dynamic_read", "a read that hides what it reads", "";
    TEMPLATE_FILTER = "runbook::template::filter", "a filter that cannot do its work", "";
    TEMPLATE_FUEL = "runbook::template::fuel", "a template that works too long", "";
    TEMPLATE_REFUSED = "runbook::template::refused", "a value that may not be read here", "";
    TEMPLATE_SYNTAX = "runbook::template::syntax", "a template that cannot be read", "";
    TEMPLATE_TRUTHINESS = "runbook::template::truthiness", "a condition that is not true or false", "";
    TEMPLATE_TYPE = "runbook::template::type", "values that do not go together", "";
    TEMPLATE_UNDEFINED = "runbook::template::undefined", "a value that is not there", "";
    TEMPLATE_UNGUARDED = "runbook::template::unguarded", "a read of a step that may be skipped", "";
    TEMPLATE_UNKNOWN_FILTER = "runbook::template::unknown_filter", "a filter or test that does not exist", "";
    TEMPLATE_UNKNOWN_FUNCTION = "runbook::template::unknown_function", "a function that does not exist", "";
    TEMPLATE_UNKNOWN_NAME = "runbook::template::unknown_name", "a name that is not declared", "";
    TEMPLATE_UNKNOWN_ROOT = "runbook::template::unknown_root", "a variable that does not exist", "";
    UNTIL = "runbook::step::until", "a change that would be repeated", "";
    VERSION = "runbook::head::version", "an unknown version of the language", "";
    YAML_COMMENT_AFTER_SQL = "runbook::yaml::comment_after_sql", "a YAML comment behind unquoted SQL", "";
}
