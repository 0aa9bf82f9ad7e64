//! What became of a write without an answer: the object is looked at, and a dry run tells what the write would still
//! change. Nothing is written.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::difference::differences;
use super::object::{changes, kept, meant, plain};
use super::patience::patiently;
use super::verb::VerbContext;
use crate::connect::kubernetes::{ApiError, MANAGER};
use crate::step::kind::{Happened, Settled};

/// How long a write may still take effect: an API server gives up a request after a minute, whoever waits for it.
const LATE: Duration = Duration::from_secs(65);

/// How far the server's clock may be behind ours.
const SKEW: Duration = Duration::from_secs(30);

/// How often it is looked again.
const LOOK: Duration = Duration::from_millis(500);

/// When the first byte of the attempt may have been sent; nothing where none was, as the intent is on disk before.
pub(super) fn sent_at(happened: &Happened<'_>) -> Option<Timestamp> {
    happened.traces.iter().rev().find_map(|trace| trace["sends_at"].as_str()?.parse().ok())
}

/// Looks until something of the write is found, or nothing of it can come any more. A server that is away is waited
/// for.
pub(super) async fn looked<F: Future<Output = Result<Settled, ApiError>>>(
    happened: &Happened<'_>,
    cx: &VerbContext<'_>,
    look: impl Fn() -> F,
) -> Settled {
    let Some(sent_at) = sent_at(happened) else { return Settled::NotDone };
    loop {
        match patiently(cx, &look).await {
            Ok(Settled::NotDone) if cx.run.events.now() < sent_at + LATE => {
                let what = "nothing of it is there, and the server may still be at it".to_owned();
                cx.run.events.progress("settling", None, Some(what));
                tokio::time::sleep(LOOK).await;
            }
            Ok(settled) => return settled,
            Err(error) => {
                return Settled::Unknown(format!("the API server does not tell: {}", error.message));
            }
        }
    }
}

/// Judges an object that was there before: `wanted` is what a dry run of the write makes of it now.
pub(super) fn judged(
    before: &Value,
    now: &Value,
    wanted: Result<Value, ApiError>,
) -> Result<Settled, ApiError> {
    match wanted {
        Ok(wanted) => Ok(compared(before, now, &plain(wanted))),
        // What is refused now says nothing of then, but for an object that nobody has written to since.
        Err(error) => {
            let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
            let untouched = !error.transient && version(before) == version(now);
            if untouched { Ok(Settled::NotDone) } else { Err(error) }
        }
    }
}

fn compared(before: &Value, now: &Value, wanted: &Value) -> Settled {
    if before["metadata"]["uid"] != now["metadata"]["uid"] {
        return Settled::Unknown("another object has its name now".to_owned());
    }
    let missing = differences(&meant(now), &meant(wanted));
    if missing.is_empty() {
        return Settled::Done(written(before, now));
    }
    // Controllers write to an object all the time: what counts are the fields that the write is about.
    let was = meant(before);
    let untouched = |path: &[String]| path.iter().fold(&was, |value, key| &value[key.as_str()]);
    if missing.iter().all(|field| *untouched(&field.path) == field.before) {
        return Settled::NotDone;
    }
    Settled::Unknown("the object is neither as it was before nor as it was to be".to_owned())
}

/// Whether we have made an object since, as the server notes it down; clocks may differ a little.
pub(super) fn is_made_since(object: &Value, operation: &str, since: Timestamp) -> bool {
    let is_late = |time: &Value| {
        let time = time.as_str().and_then(|time| time.parse::<Timestamp>().ok());
        time.is_some_and(|time| time + SKEW >= since)
    };
    let metadata = &object["metadata"];
    let mut entries = metadata["managedFields"].as_array().into_iter().flatten();
    is_late(&metadata["creationTimestamp"])
        && entries.any(|entry| entry["manager"] == MANAGER && entry["operation"] == operation)
}

/// What a write of an object puts into the output.
pub(super) fn written(before: &Value, after: &Value) -> Value {
    let changed = if before.is_null() { vec!["made".to_owned()] } else { changes(before, after) };
    let (before, after) = (kept(before.clone()), kept(after.clone()));
    json!({ "object": after, "before": before, "after": after, "changed": changed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(uid: &str, replicas: u32, more: &Value) -> Value {
        json!({ "metadata": { "uid": uid, "labels": more }, "spec": { "replicas": replicas }, "status": more })
    }

    #[test]
    fn an_object_is_ours_where_we_made_it_since() {
        let since = "2026-01-01T10:00:00.5Z".parse().unwrap();
        let check = |manager: &str, created: &str, expected: bool| {
            let object = json!({ "metadata": { "creationTimestamp": created,
                "managedFields": [{ "manager": manager, "operation": "Update" }] } });
            assert_eq!(is_made_since(&object, "Update", since), expected, "{manager} {created}");
        };
        check("runbook", "2026-01-01T10:00:00Z", true);
        check("runbook", "2026-01-01T09:59:00Z", false);
        check("kubectl", "2026-01-01T10:00:01Z", false);
    }

    #[test]
    fn the_fields_of_the_write_tell_whether_it_took_effect() {
        let before = object("u", 1, &json!({}));
        let wanted = object("u", 2, &json!({ "x": "1" }));
        // Somebody else's label came meanwhile.
        let check = |now: Value, expected: &str| {
            let settled = format!("{:?}", compared(&before, &now, &wanted));
            assert!(settled.starts_with(expected), "{settled}");
        };
        check(object("u", 2, &json!({ "x": "1" })), "Done");
        check(object("u", 1, &json!({ "x": "1" })), "NotDone");
        check(object("u", 3, &json!({ "x": "1" })), "Unknown");
        check(object("v", 2, &json!({ "x": "1" })), "Unknown");
    }
}
