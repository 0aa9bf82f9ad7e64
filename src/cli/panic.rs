//! What is said when the program itself is wrong: without secrets, and with a place to look at.

use std::io::Write as _;

use crate::model::Redactor;

/// Makes panics pass the redactor. They go to stderr directly, since whoever panics may hold a lock on the writers.
pub(super) fn install(redactor: &Redactor) {
    let redactor = redactor.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let text = format!(
            "runbook: {panic}\nThis is a mistake in the program, not in the runbook: please report it with the lines above.\n"
        );
        // There is nobody left to tell of a closed stderr.
        std::io::stderr().write_all(redactor.redact(&text).as_bytes()).ok();
    }));
}
