//! Codes of the area `yaml`: what is wrong with the text, whatever it says.

use super::Code;

codes! {
    YAML_ALIAS = "runbook::yaml::alias", "an alias that stands for nothing, or for itself",
r#"`*name` repeats the value that `&name` marked earlier in the same file. The anchor must come before the alias, and
a value cannot contain an alias of itself. A value that merely starts with `*` or `&` is text and needs quotes.

Wrong:
    title: *urgent
Right:
    title: "*urgent"
"#;
    YAML_AMBIGUOUS = "runbook::yaml::ambiguous", "two readings of the same text",
r#"Every file is read by two YAML parsers, one for the values and one for their places. A document is refused when
they read a value differently, because other tools would also disagree about what the runbook does. This happens
with rare notation: unusual line separators, odd indentation inside quotes, tabs around block text. Write the value
in a plainer way.

Wrong:
    description: "one
     <an invisible line separator> two"
Right:
    description: |
      one
      two
"#;
    YAML_BAD_VALUE = "runbook::yaml::bad_value", "a value outside what the key allows",
r"The value has the right type, but is not one that the key accepts: a number out of range, a word that is not among
the known ones, text in the wrong format, or `.inf` and `.nan`, which are never accepted. The message says what is
expected.

Wrong:
    retry: { attempts: -1 }
Right:
    retry: { attempts: 3 }
";
    YAML_BINARY = "runbook::yaml::binary", "the file is not text",
r"The file contains zero bytes, so it is a program, an archive, a picture or something else that is not text. The
path is probably wrong: `runbook` reads YAML text only, and does not unpack archives.

Wrong:
    runbook check reindex.tar.gz
Right:
    runbook check reindex.yaml
";
    YAML_COMMENT_AFTER_SQL = "runbook::yaml::comment_after_sql", "a YAML comment behind unquoted SQL",
r"In unquoted text a blank and `#` begin a YAML comment, and what stands behind it never reaches the server. SQL has
an operator `#` and text with `#` in it, so the rest of a statement may be cut off and the statement still be
valid. If the comment is meant as one, put it on a line of its own; otherwise use a block after `|`, where `#`
means nothing to YAML.

Wrong:
    sql: SELECT 5 # 3
Right:
    sql: |
      SELECT 5 # 3
";
    YAML_DUPLICATE_KEY = "runbook::yaml::duplicate_key", "the same key twice in one map",
r"A map has each key once. Many YAML readers silently keep the last of two equal keys, so half of what was written
would never run and nobody would notice. Rename one of the keys, remove it, or turn the map into a list. Both
places are shown.

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
r"The file is empty, or holds nothing but blank lines, comments and document markers. A command that succeeded on it
would suggest that something was checked or done. Write the document, or name another file.

Wrong:
    # to be written
Right:
    version: 1
    name: reindex
    steps:
      - id: reindex
        sql: REINDEX TABLE orders
";
    YAML_FILE_UNREADABLE = "runbook::yaml::file_unreadable", "a file cannot be read",
r"The file that a command or another file names does not exist, is a directory, or may not be read by this user.
Relative paths in a runbook start at the folder of the file that names them, not at the folder where the command
was started. The message holds the path that was tried and what the operating system said.

Wrong:
    runbook check reindex           # there is only reindex.yaml
Right:
    runbook check reindex.yaml
";
    YAML_INTEGER_RANGE = "runbook::yaml::integer_range", "a number that cannot be kept exactly",
r#"Whole numbers must fit 64 bits, and fractions are kept as 64-bit floats, which hold about 16 digits. A longer
number would be rounded, and the rounded one would be sent to the database. Quote it: text keeps every digit, and
PostgreSQL reads numbers from text.

Wrong:
    vars: { limit: 123456789012345678901234567890, price: 12345678901234567.89 }
Right:
    vars: { limit: "123456789012345678901234567890", price: "12345678901234567.89" }
"#;
    YAML_MERGE = "runbook::yaml::merge", "`<<` with something that is not a map",
r"`<<` copies the members of another map into this one. Keys written here win over merged ones, and the first of
several merged maps wins over the later ones. Its value must be a map, or a list of maps, usually given as aliases.
Text and numbers have no members to merge.

Wrong:
    retry: { <<: patient, attempts: 5 }
Right:
    retry: &patient { attempts: 3, delay: 10s }      # on one step
    retry: { <<: *patient, attempts: 5 }             # on another one
";
    YAML_MISSING_KEY = "runbook::yaml::missing_key", "a key that must be there is missing",
r"The map needs a key that it does not have, and there is no default that would be right for everyone. The message
names the key, and the place is the map that needs it. Check the indentation if the key seems to be there: a key
one level too deep or too shallow belongs to another map.

Wrong:
    - id: load
      exec: { on: db1 }
Right:
    - id: load
      exec: { on: db1, command: [uptime] }
";
    YAML_NON_TEXT_KEY = "runbook::yaml::non_text_key", "a key that is not text",
r#"Keys are text. A number, a boolean or nothing before the `:` is read differently by different tools. The usual
reason for this message is an unquoted template: YAML reads `{{ x }}` as a map whose key is another map. Quote the
template, or quote the key.

Wrong:
    vars: { table: {{ params.table }} }
Right:
    vars: { table: "{{ params.table }}" }
"#;
    YAML_NOT_UTF8 = "runbook::yaml::not_utf8", "the file is not UTF-8",
r"YAML files are UTF-8 text. This one contains bytes that are not, so it was saved in another encoding: Latin-1 and
Windows-1252 are common for old files, UTF-16 for files from Windows tools. The message names the line and the
first such byte. Guessing the encoding could change names in the database, so convert the file instead.

Wrong:
    a file saved as ISO-8859-1 that contains `é`
Right:
    iconv -f ISO-8859-1 -t UTF-8 old.yaml > new.yaml
";
    YAML_OCTAL = "runbook::yaml::octal", "a number with a leading zero",
r#"`012` is ten for a YAML 1.1 reader, twelve for YAML 1.2, and text for several programs; `08` is an error, eight, or
text. A reader of the file cannot know which is meant, so it is refused. Quote it if it is text, such as a postal
code or a file mode; write it without the zeros if it is a number; `0o12` is an octal number for everyone.

Wrong:
    vars: { hour: 08, mode: 0644 }
Right:
    vars: { hour: 8, mode: "0644" }
"#;
    YAML_SECOND_DOCUMENT = "runbook::yaml::second_document", "more than one document in a file",
r"A line of `---` ends a YAML document and starts the next. A file holds one document: what came second would
otherwise be ignored, or be taken for a part of the first. One `---` at the top of the file is fine. Text that
contains such a line belongs into an indented block.

Wrong:
    name: one
    ---
    name: two
Right:
    two files, one document each
";
    YAML_SYNTAX = "runbook::yaml::syntax", "the file is not valid YAML",
r#"The parser could not go on. The place is where it stopped, which is often the line after the mistake. The commonest
causes: a tab in the indentation; a line that is not indented like its neighbours; an unquoted `: ` inside text; a
value that starts with `{{`, `*`, `&`, `@`, `%` or `!` without quotes; a quote that is never closed. SQL and other
long text is safest in a block after `|`.

Wrong:
    message: careful: this locks
    sql: "SELECT 1
Right:
    message: "careful: this locks"
    sql: |
      SELECT 1
"#;
    YAML_TAG = "runbook::yaml::tag", "a tag that means nothing here",
r#"`!name` before a value is a YAML tag: an instruction to a program that knows it. No tag is known here except those
of YAML itself, such as `!!str`, and ignoring one could change what the author meant. Text that starts with `!`
needs quotes.

Wrong:
    confirm: !important restart now?
Right:
    confirm: "!important restart now?"
"#;
    YAML_TOO_DEEP = "runbook::yaml::too_deep", "too many levels of nesting",
r"Lists and maps may be nested up to 64 levels, counted after aliases are followed. The limit protects against files
that are made to exhaust memory; handwritten runbooks stay below ten. A document that needs more was probably
generated, or lost a closing bracket.

Wrong:
    vars: { value: [[[[[[ … a thousand brackets … ]]]]]] }
Right:
    vars: { value: [1, 2, 3] }
";
    YAML_TOO_LARGE = "runbook::yaml::too_large", "the file is too large",
r"A document may have up to 8 MiB of text, which is about fifty thousand steps. A larger file is usually a data file
named by mistake. Split a long runbook into several and include them with `runbook:` steps; leave bulk data in the
database.

Wrong:
    runbook check dump.sql
Right:
    runbook check reindex.yaml
";
    YAML_TOO_MANY_NODES = "runbook::yaml::too_many_nodes", "aliases that expand to too many values",
r"An alias stands for everything under its anchor, so a few lines of aliases of aliases can stand for billions of
values. A document may have a million values after aliases are followed, and larger ones are refused before
anything is expanded. Write the values out, or compute the list where it is needed.

Wrong:
    vars:
      a: &a [x, x, x, x, x, x, x, x, x]
      b: &b [*a, *a, *a, *a, *a, *a, *a, *a]
      c: &c [*b, *b, *b, *b, *b, *b, *b, *b]      # and so on
Right:
    vars:
      a: [x, x, x]
";
    YAML_UNKNOWN_KEY = "runbook::yaml::unknown_key", "a key that is not known here",
r"The map has a key that means nothing in this place. It is either misspelt, or belongs to another level: check the
indentation. Unknown keys are errors because an ignored one, such as a misspelt `rollback`, is a promise that
nobody keeps. The nearest known name is offered when there is one.

Wrong:
    - id: drop
      rolback: auto
Right:
    - id: drop
      rollback: auto
";
    YAML_WRONG_TYPE = "runbook::yaml::wrong_type", "a value of the wrong type",
r#"The key needs another kind of value: text, a number, a boolean, a list or a map. Nothing is converted silently,
because `1.10` would become `1.1` and `no` could become `false`. Quote numbers and booleans that are meant as text;
write `true` and `false` for booleans; write a list with brackets or dashes even for one item.

Wrong:
    title: 2026
    needs: prepare
Right:
    title: "2026"
    needs: [prepare]
"#;
}
