//! `delete`: deletes an object, or those a selector finds but for the newest.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::change::partly;
use super::get::Missing;
use super::restore::restore;
use crate::connect::kubernetes::{ApiError, Cluster, Deletion, ListOptions, Resource, Right, Which, Write};
use crate::model::{Class, Effect, Failure};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::{Done, Happened, Preview, Settled, Undo};
use crate::step::kubectl::object::{kept, name_of, plain};
use crate::step::kubectl::patience::patiently;
use crate::step::kubectl::settle::looked;
use crate::step::kubectl::target::{BoundTarget, Target};
use crate::step::kubectl::undo::VerbEffect;
use crate::step::kubectl::verb::{Verb, VerbContext};
use crate::step::templated::Text;

/// How often a deleted object is looked for.
const LOOK: Duration = Duration::from_millis(300);

/// How long an object that was deleted may take to end while it is found out what became of a step.
const ENDING: Duration = Duration::from_mins(2);

/// Deletes an object, or those a selector finds. The step ends when they are gone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::step::kubectl) struct Delete {
    /// What is deleted.
    target: Target,
    /// Only the object with this UID is meant.
    uid: Option<Text>,
    /// Of what a selector finds, so many of the newest stay.
    keep_newest: Option<usize>,
    /// What it means that the object is not there.
    #[serde(default)]
    missing: Missing,
}

/// What will be deleted.
#[derive(Debug, Serialize)]
pub(in crate::step::kubectl) struct DeleteInput {
    target: BoundTarget,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_newest: Option<usize>,
    #[serde(skip)]
    missing: Missing,
}

/// What was found, and what of it goes.
struct Found {
    resource: Resource,
    delete: Vec<Value>,
    keep: Vec<String>,
}

impl DeleteInput {
    fn doing(&self) -> String {
        format!("delete {}", self.target.shown())
    }

    fn is_meant(&self, object: &Value) -> bool {
        self.uid.as_ref().is_none_or(|uid| object["metadata"]["uid"] == *uid)
    }

    async fn find(&self, cluster: &Cluster, namespace: &str) -> Result<Found, ApiError> {
        let resource = cluster.resource(&self.target.kind).await?;
        let Some(name) = &self.target.name else {
            let labels = self.target.selector.as_deref().unwrap_or_default();
            let mut found = cluster.list(&resource, namespace, ListOptions { labels, fields: "" }).await?;
            // Names may say another age than the server knows.
            let age = |object: &Value| {
                let metadata = &object["metadata"];
                (metadata["creationTimestamp"].to_string(), metadata["name"].to_string())
            };
            found.sort_by_cached_key(age);
            let delete = found.len().saturating_sub(self.keep_newest.unwrap_or(0));
            let keep = found.split_off(delete).iter().map(name_of).collect();
            return Ok(Found { resource, delete: found, keep });
        };
        let object = match self.missing {
            // Another one of its name is not the one that is meant.
            Missing::Ok => {
                cluster.find(&resource, namespace, name).await?.filter(|object| self.is_meant(object))
            }
            Missing::Error => Some(cluster.get(&resource, namespace, name).await?),
        };
        Ok(Found { resource, delete: object.into_iter().collect(), keep: Vec::new() })
    }

    /// Which of the objects that were there are gone.
    async fn look_again(&self, before: &Value, cx: &VerbContext<'_>) -> Result<Settled, ApiError> {
        let resource = cx.cluster.resource(&self.target.kind).await?;
        let objects = before.as_array().map_or(&[][..], Vec::as_slice);
        let (mut gone, mut left) = (Vec::new(), Vec::new());
        for object in objects {
            match ended(&resource, object, cx).await? {
                None => gone.push(object),
                Some(now) if now["metadata"]["deletionTimestamp"].is_null() => left.push(name_of(object)),
                Some(_) => {
                    let name = resource.named(&name_of(object));
                    return Ok(Settled::Unknown(format!("{name} was deleted, and does not end")));
                }
            }
        }
        if left.is_empty() {
            return Ok(Settled::Done(output(objects, &self.find_kept(cx).await?)));
        }
        if gone.is_empty() {
            return Ok(Settled::NotDone);
        }
        // Undo goes by what is gone. A journal that cannot be written stops the run a moment later.
        for object in gone {
            cx.deleted(object).ok();
        }
        Ok(Settled::Partly(format!("still there: {}", left.join(", "))))
    }

    /// What is left of what a selector finds.
    async fn find_kept(&self, cx: &VerbContext<'_>) -> Result<Vec<String>, ApiError> {
        if self.target.name.is_some() {
            return Ok(Vec::new());
        }
        let found = self.find(&cx.cluster, &cx.namespace).await?;
        Ok(found.delete.iter().map(name_of).chain(found.keep).collect())
    }

    /// Deletes one object, the one that was looked at and no other of its name, and waits until it is gone.
    async fn delete(
        &self,
        cx: &VerbContext<'_>,
        resource: &Resource,
        object: &Value,
    ) -> Result<(), StepError> {
        let failed = |error: ApiError| cx.failed(&self.doing(), &error);
        let name = name_of(object);
        let uid = object["metadata"]["uid"].as_str();
        let of = Write { resource, namespace: &cx.namespace, name: &name, subresource: None };
        let deletion = Deletion { uid: self.uid.as_deref().or(uid), grace: None };
        match cx.cluster.delete(of, deletion).await {
            Ok(_) => {}
            // Somebody else was quicker, and it is gone all the same.
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(failed(error)),
        }
        loop {
            let now = patiently(cx, || cx.cluster.find(resource, &cx.namespace, &name)).await;
            match now.map_err(failed)? {
                Some(now) if now["metadata"]["uid"].as_str() == uid => {}
                _ => return Ok(()),
            }
            cx.run.events.progress(
                "deleting",
                None,
                Some(format!("until {} is gone", resource.named(&name))),
            );
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The object as it is now, once it is not about to end any more; nothing where it is gone.
async fn ended(resource: &Resource, object: &Value, cx: &VerbContext<'_>) -> Result<Option<Value>, ApiError> {
    let began = Instant::now();
    loop {
        let now = cx.cluster.find(resource, &cx.namespace, &name_of(object)).await?;
        let now = now.filter(|now| now["metadata"]["uid"] == object["metadata"]["uid"]);
        let ends = now.as_ref().is_some_and(|now| !now["metadata"]["deletionTimestamp"].is_null());
        if !ends || began.elapsed() > ENDING {
            return Ok(now);
        }
        cx.run.events.progress("settling", None, Some(format!("until {} is gone", name_of(object))));
        tokio::time::sleep(LOOK).await;
    }
}

/// What a step produces that has deleted these and kept those.
fn output(before: &[Value], keep: &[String]) -> Value {
    let deleted: Vec<String> = before.iter().map(name_of).collect();
    let before: Vec<Value> = before.iter().cloned().map(kept).collect();
    json!({ "deleted": deleted, "kept": keep, "before": before })
}

fn class(kind: Option<&str>) -> Class {
    match kind.map(str::to_lowercase).as_deref() {
        Some("pod" | "pods" | "po") => Class::because(Effect::Disrupt, "a deleted pod is stopped"),
        _ => Class::because(Effect::Destroy, "what is deleted is gone"),
    }
}

impl Verb for Delete {
    const NAME: &'static str = "delete";
    const FIELDS: &'static [&'static str] = &["deleted", "kept", "before"];
    type Input = DeleteInput;

    fn check(&self) -> Option<(String, String)> {
        let by_name = !matches!(&self.target, Target::Long(long) if long.name.is_none());
        if by_name && self.keep_newest.is_some() {
            let help = "Give a `selector`, or remove `keep_newest`.".to_owned();
            return Some(("`keep_newest` is about what a selector finds".to_owned(), help));
        }
        self.target.check()
    }

    fn class(&self) -> Class {
        class(self.target.kind())
    }

    fn summary(&self) -> String {
        format!("delete {}", self.target.source())
    }

    fn bind(&self, binder: &Binder<'_>) -> Result<DeleteInput, BindError> {
        Ok(DeleteInput {
            target: self.target.bind(binder)?,
            uid: binder.maybe_text(self.uid.as_ref())?,
            keep_newest: self.keep_newest,
            missing: self.missing,
        })
    }

    fn class_bound(input: &DeleteInput) -> Class {
        class(Some(&input.target.kind))
    }

    fn lines(input: &DeleteInput) -> Vec<String> {
        let keep = input.keep_newest.map_or_else(String::new, |keep| format!(", but for the newest {keep}"));
        vec![format!("{}{keep}", input.doing())]
    }

    fn rights(input: &DeleteInput) -> Vec<Right> {
        input.target.rights(&["get", "delete"], "")
    }

    fn rights_to_undo(input: &DeleteInput) -> Vec<Right> {
        vec![Right::on("create", &input.target.kind, Which::Any)]
    }

    async fn preview(input: &DeleteInput, cluster: &Cluster, namespace: &str) -> Result<Preview, Failure> {
        let found = input.find(cluster, namespace).await.map_err(|error| error.failure(&input.doing()))?;
        for object in &found.delete {
            let name = name_of(object);
            let of = Write { resource: &found.resource, namespace, name: &name, subresource: None };
            let uid = input.uid.as_deref().or(object["metadata"]["uid"].as_str());
            let dry = cluster.delete(of, Deletion { uid, grace: None }).await;
            dry.map_err(|error| error.failure(&input.doing()))?;
        }
        let names: Vec<String> = found.delete.iter().map(name_of).collect();
        let mut facts = vec![match names.as_slice() {
            [] => "nothing is there to delete".to_owned(),
            names => format!("goes now: {}", names.join(", ")),
        }];
        if !found.keep.is_empty() {
            facts.push(format!("stays: {}", found.keep.join(", ")));
        }
        Ok(Preview { facts, ..Preview::default() })
    }

    async fn run(input: &DeleteInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        let found = input.find(&cx.cluster, &cx.namespace).await;
        let found = found.map_err(|error| cx.failed(&input.doing(), &error))?;
        let before: Vec<Value> = found.delete.iter().cloned().map(plain).collect();
        if !before.is_empty() {
            cx.intend(&Value::from(before.clone()))?;
        }
        let mut deleted = Vec::new();
        for object in &found.delete {
            input
                .delete(cx, &found.resource, object)
                .await
                .map_err(|error| partly(error, "deleted before", &deleted))?;
            cx.deleted(object)?;
            deleted.push(name_of(object));
        }
        Ok(Done::with(output(&before, &found.keep)))
    }

    async fn settle(input: &DeleteInput, happened: &Happened<'_>, cx: &VerbContext<'_>) -> Settled {
        looked(happened, cx, || input.look_again(happened.before, cx)).await
    }

    fn undo(effect: &VerbEffect<'_>) -> Undo {
        restore(effect)
    }
}
