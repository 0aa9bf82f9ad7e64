//! [`Notice`]: what the server says beside a result; a WARNING can be the only sign that nothing was done.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio_postgres::error::DbError;

/// A message the server sent beside a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// `WARNING`, `NOTICE`, `INFO`, `LOG` or `DEBUG`, never translated.
    pub severity: String,
    /// The SQLSTATE.
    pub code: String,
    /// The message.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Notice {
    /// Whether it is a warning.
    pub fn is_warning(&self) -> bool {
        self.severity == "WARNING"
    }
}

impl From<&DbError> for Notice {
    fn from(error: &DbError) -> Self {
        let severity = error.parsed_severity();
        Self {
            severity: severity.map_or_else(|| error.severity().to_owned(), |severity| severity.to_string()),
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: error.detail().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
        }
    }
}

/// More than this between two drains are counted, not kept: `RAISE NOTICE` in a loop must not fill the memory.
const KEPT: usize = 1000;

/// What the driving task hands to the session: notices, and why the connection ended.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    notices: Mutex<(Vec<Notice>, usize)>,
    end: Mutex<Option<String>>,
}

impl Mailbox {
    pub(super) fn push(&self, notice: Notice) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        // Warnings decide about failure, so they are kept even when there are too many notices.
        if notices.0.len() < KEPT || (notice.is_warning() && notices.0.len() < 2 * KEPT) {
            notices.0.push(notice);
        } else {
            notices.1 += 1;
        }
    }

    pub(super) fn drain(&self) -> Vec<Notice> {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut kept, dropped) = std::mem::take(&mut *notices);
        if dropped > 0 {
            kept.push(Notice {
                severity: "NOTICE".to_owned(),
                code: "00000".to_owned(),
                message: format!("{dropped} more messages of the server were dropped"),
                detail: None,
                hint: None,
            });
        }
        kept
    }

    pub(super) fn end(&self, reason: String) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    pub(super) fn end_reason(&self) -> Option<String> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
