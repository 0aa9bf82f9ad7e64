//! Codes of the area `confirm`: gates.

use super::Code;

codes! {
    CONFIRM_CONFLICT = "runbook::confirm::conflict", "a gate with contradicting answers",
r#"A gate is answered in one way: by yes or no, by typing a text, or by choosing from a list. `type` and `choices`
together would ask for two answers. `second_person` says that somebody else must answer, and `unattended` gives the
answer without anybody: together they would let a protected step through with nobody looking.

Wrong:
    confirm: { message: Drop it?, second_person: true, unattended: "yes" }
Right:
    confirm: { message: Drop it?, second_person: true }
"#;
}
