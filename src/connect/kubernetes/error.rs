//! [`ApiError`]: why a request did not succeed, and whether it may have taken effect.

use kube::Error;
use kube::core::Status;

use crate::model::{Applied, Failure};

/// Why a request did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status of an answer; none when there was no answer.
    pub code: Option<u16>,
    /// The server's word for it, such as `NotFound` or `Conflict`.
    pub reason: String,
    /// What the server, or the connection, said.
    pub message: String,
    /// The single faults behind it, such as each conflicting field.
    pub causes: Vec<String>,
    /// Whether a write may have taken effect all the same.
    pub unknown: bool,
    /// Whether asking again may help: the server is busy, starting, or was not reached.
    pub transient: bool,
}

impl ApiError {
    /// An error that arose here: nothing was sent.
    pub(super) fn local(message: impl Into<String>) -> Self {
        Self {
            code: None,
            reason: String::new(),
            message: message.into(),
            causes: Vec::new(),
            unknown: false,
            transient: false,
        }
    }

    /// An object lacks a field without which it cannot be sent.
    pub fn missing(field: &str) -> Self {
        Self::local(format!("the object has no `{field}`"))
    }

    /// The object is in no state for what was asked.
    pub fn unfit(why: String) -> Self {
        Self::local(why)
    }

    /// No answer came within the time.
    pub(super) fn silent(seconds: u64) -> Self {
        Self {
            unknown: true,
            transient: true,
            ..Self::local(format!("the API server did not answer within {seconds} s"))
        }
    }

    /// What kube reports.
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::Api(status) => Self::answered(status),
            // Credentials are fetched and a connection is made before anything is sent.
            Error::Auth(_) => Self::local(format!("the credentials cannot be used: {}", chain(error))),
            Error::Service(_) if is_connect(error) => Self {
                transient: true,
                ..Self::local(format!("the API server cannot be reached: {}", chain(error)))
            },
            _ => Self {
                unknown: true,
                transient: true,
                ..Self::local(format!("the connection failed: {}", chain(error)))
            },
        }
    }

    fn answered(status: &Status) -> Self {
        let causes = status.details.iter().flat_map(|details| &details.causes);
        let causes = causes.map(|cause| match cause.field.as_str() {
            "" => cause.message.clone(),
            field => format!("{field}: {}", cause.message),
        });
        let news = |cause: &String| !status.message.contains(cause.as_str());
        Self {
            code: Some(status.code),
            reason: status.reason.clone(),
            message: status.message.clone(),
            causes: causes.filter(news).collect(),
            // A gateway's answer, and a server's that gave up, say nothing about what was done; policies are asked, and
            // fields are looked at, before anything is.
            unknown: matches!(status.code, 500 | 502 | 504)
                && !is_silent_policy(&status.message)
                && !is_no_object(&status.message),
            transient: matches!(status.code, 429 | 500 | 502 | 503 | 504) && !is_no_object(&status.message),
        }
    }

    /// Whether the server does not take the credentials.
    pub(super) fn is_unauthorized(&self) -> bool {
        self.code == Some(401)
    }

    /// Whether the object, or what was asked for, is not there.
    pub fn is_not_found(&self) -> bool {
        self.code == Some(404)
    }

    /// The failure of a step: `doing` what, such as `scale deployment/backend`.
    pub fn failure(&self, doing: &str) -> Failure {
        let failure = Failure {
            details: self.causes.clone(),
            ..Failure::new(format!("cannot {doing}: {}", self.message))
        };
        let failure = match self.help() {
            Some(help) => failure.help(help),
            None => failure,
        };
        let failure = if self.unknown { failure.applied(Applied::Unknown) } else { failure };
        if self.transient { failure.retryable() } else { failure }
    }

    fn help(&self) -> Option<&'static str> {
        Some(match (self.code?, self.reason.as_str()) {
            (401, _) => "Log in again, or renew the token of the context.",
            (403, _)
                if self.message.contains("admission webhook")
                    || self.message.contains("denied the request") =>
            {
                "Ask the owner of the policy that refused it."
            }
            (403, _) => {
                "Ask for the right named here: a Role with this verb on this resource, bound to this user."
            }
            (404, _) => "Check the name, the kind and the namespace.",
            (409, "AlreadyExists") => "Choose another name, or delete the object first.",
            (409, _) if !self.causes.is_empty() => {
                "Leave these fields to the manager named, or take them with `force_conflicts: true`."
            }
            (409, _) => "Somebody else changed it meanwhile: look at it again, then run the step again.",
            (500, _) if is_silent_policy(&self.message) => {
                "A policy of the cluster does not answer: wait, or ask its owner."
            }
            (500, _) if is_no_object(&self.message) => "Correct the field named here.",
            (413, _) => "Make the object smaller: the server takes requests of 3 MiB at most.",
            (422, _) => "Correct the fields named here.",
            (429, _) => "A disruption budget or the server's load stands against it: wait, then try again.",
            (503, _) => "The server is not ready: wait, then try again.",
            _ => return None,
        })
    }
}

/// Whether a webhook that must be asked first could not be.
fn is_silent_policy(message: &str) -> bool {
    message.contains("failed calling webhook") || message.contains("failed calling admission webhook")
}

/// Whether an apply has fields that its kind does not have, for which servers answer as for their own faults.
fn is_no_object(message: &str) -> bool {
    message.contains("failed to create typed patch object")
}

fn is_connect(error: &Error) -> bool {
    causes(error).any(|text| text.contains("(Connect)") || text.contains("tcp connect error"))
}

fn causes(error: &Error) -> impl Iterator<Item = String> {
    let mut next: Option<&dyn std::error::Error> = Some(error);
    let mut texts = Vec::new();
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts.into_iter()
}

/// The last cause is the one that says something; those above it only name layers.
fn chain(error: &Error) -> String {
    causes(error).last().unwrap_or_else(|| error.to_string())
}
