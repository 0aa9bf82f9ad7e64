//! Codes of the area `head`: what stands above the steps.

use super::Code;

codes! {
    NAME = "runbook::head::name", "a name that cannot be used",
r"A runbook's `name` is lowercase words joined by hyphens, and equal to its file's name without `.yaml`: it is how
people and other runbooks call it, and two names for one thing would make journals and reports ambiguous. Names of
parameters, variables, connections and outputs are lowercase words joined by underscores, because templates read
them as names: `params.max-rows` would be a subtraction.

Wrong:
    name: Weekly Vacuum
    params:
      max-rows: { type: int }
Right:
    name: weekly-vacuum
    params:
      max_rows: { type: int }
";
    PARAMETER = "runbook::head::parameter", "a parameter that contradicts itself",
r"The declaration of a parameter can never be met: its `default` does not fit its type, its limits, its values or its
pattern; an `enum` lists no `values`; a limit has another unit than the type; the `pattern` is not a regular
expression; or something that is no secret is to be generated. It is refused now, since otherwise every run would
be refused later.

Wrong:
    params:
      percent: { type: int, max: 100, default: 120 }
Right:
    params:
      percent: { type: int, max: 100, default: 80 }
";
    SCHEDULE = "runbook::head::schedule", "a schedule that cannot be read",
r#"`schedule` says when a procedure is due, and `runbook schedule` turns it into a timer. `cron` has five fields:
minute, hour, day of the month, month and day of the week, where `SUN#1` is the first Sunday. `timezone` is a name
of the IANA database such as `Europe/Berlin`; abbreviations such as `CEST` change their meaning twice a year.

Wrong:
    schedule: { cron: "0 25 * * *", timezone: CEST }
Right:
    schedule: { cron: "0 4 * * SUN#1", timezone: Europe/Berlin }
"#;
    VERSION = "runbook::head::version", "an unknown version of the language",
r#"Every runbook begins with the version of the language it is written in. There is one: 1. Without it, a later
version that gives a key another meaning could not tell old files from new ones, and a runbook that was safe would
quietly change what it does. It is a number: no quotes, no fraction.

Wrong:
    version: "1.0"
Right:
    version: 1
"#;
}
