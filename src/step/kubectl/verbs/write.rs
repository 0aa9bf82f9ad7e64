//! [`Writing`]: the objects of `apply` and `create`, looked at all before the first is written.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::change::partly;
use super::manifest::{BoundManifest, meant, shown};
use crate::connect::kubernetes::{ApiError, Cluster, PatchKind, Resource, Right, Which, Write};
use crate::model::Failure;
use crate::step::error::StepError;
use crate::step::kind::{Done, Happened, Preview, Settled};
use crate::step::kubectl::object::{changes, plain};
use crate::step::kubectl::settle::{is_made_since, judged, looked, sent_at, written};
use crate::step::kubectl::verb::VerbContext;

/// How an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It must not be there.
    Create,
    /// Its fields become what is written; `force` takes those of other managers.
    Apply { force: bool },
}

/// Objects, and how they are written.
pub(super) struct Writing<'a> {
    pub(super) manifest: &'a BoundManifest,
    pub(super) how: How,
}

/// An object as it is to be, with the one that is there.
struct Wanted {
    resource: Resource,
    name: String,
    object: Value,
    before: Option<Value>,
}

impl Writing<'_> {
    /// What is done, a line for each object.
    pub(super) fn lines(&self) -> Vec<String> {
        self.manifest.shown().iter().map(|shown| self.doing(shown)).collect()
    }

    /// What the account must be allowed to do. An apply that makes its object takes the right to create it, too.
    pub(super) fn rights(&self) -> Vec<Right> {
        let rights = self.manifest.kinds_and_names().into_iter().flat_map(|(kind, name)| match self.how {
            How::Create => vec![Right::on("create", &kind, Which::Any)],
            How::Apply { .. } => vec![
                Right::on("get", &kind, Which::Named(name.clone())),
                Right::on("patch", &kind, Which::Named(name.clone())),
                Right::on("create", &kind, Which::Absent(name)),
            ],
        });
        rights.collect()
    }

    /// What it must be allowed to do to take it back: an object that was made is deleted.
    pub(super) fn rights_to_undo(&self) -> Vec<Right> {
        let rights = self.manifest.kinds_and_names().into_iter().flat_map(|(kind, name)| match self.how {
            How::Create => {
                ["get", "delete"].map(|verb| Right::on(verb, &kind, Which::Named(name.clone()))).to_vec()
            }
            How::Apply { .. } => vec![Right::on("delete", &kind, Which::Absent(name))],
        });
        rights.collect()
    }

    /// What the server says it would do.
    pub(super) async fn preview(&self, cluster: &Cluster, namespace: &str) -> Result<Preview, Failure> {
        // A plan reads no data files: they may come to be during the run.
        let mut facts = Vec::new();
        let objects = self.manifest.objects(None).await?;
        let several = objects.len() > 1;
        for object in objects {
            let shown = shown(&object);
            let found = self.dry_run(cluster, namespace, object).await;
            let found = match found {
                // One dry run does not see another: what an object before this one brings is not there.
                Err(error) if several && error.is_not_found() => {
                    vec![format!("cannot be tried yet: {}", error.message)]
                }
                found => found.map_err(|error| error.failure(&self.doing(&shown)))?,
            };
            let lead = if several { format!("{shown}: ") } else { String::new() };
            facts.extend(found.into_iter().map(|fact| format!("{lead}{fact}")));
        }
        Ok(Preview { facts, ..Preview::default() })
    }

    /// Writes the objects in order. One that is refused stops the rest, and those before it stay.
    pub(super) async fn make(&self, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        let mut wanted = Vec::new();
        for object in self.manifest.objects(Some(cx.run.files)).await? {
            let shown = shown(&object);
            let found = self.look(&cx.cluster, &cx.namespace, object).await;
            wanted.push(found.map_err(|error| cx.failed(&self.doing(&shown), &error))?);
        }
        let before: Vec<Value> = wanted.iter().map(Wanted::before).collect();
        cx.intend(&in_shape(self.manifest, before))?;
        let (mut results, mut done) = (Vec::new(), Vec::new());
        for (index, wanted) in wanted.iter().enumerate() {
            let shown = shown(&wanted.object);
            let after = self.write(&cx.cluster, &cx.namespace, wanted).await;
            let after =
                plain(after.map_err(|error| {
                    partly(cx.failed(&self.doing(&shown), &error), "written before", &done)
                })?);
            cx.wrote(index, &after)?;
            results.push(written(&wanted.before(), &after));
            done.push(shown);
        }
        Ok(Done::with(self.output(results)))
    }

    fn output(&self, results: Vec<Value>) -> Value {
        match in_shape(self.manifest, results) {
            Value::Array(objects) => json!({ "objects": objects }),
            one => one,
        }
    }

    /// What became of a write without an answer: of each of its objects.
    pub(super) async fn settle(&self, happened: &Happened<'_>, cx: &VerbContext<'_>) -> Settled {
        let objects = match self.manifest.objects(Some(cx.run.files)).await {
            Ok(objects) => objects,
            Err(failure) => return Settled::Unknown(failure.message),
        };
        let several = happened.before.as_array();
        let (mut results, mut missing) = (BTreeMap::new(), Vec::new());
        for (index, object) in objects.into_iter().enumerate() {
            let shown = shown(&object);
            let before = several.map_or(happened.before, |several| &several[index]);
            match looked(happened, cx, || self.look_again(happened, before, object.clone(), cx)).await {
                Settled::Done(result) => drop(results.insert(index, result)),
                Settled::NotDone => missing.push(shown),
                unclear => return unclear,
            }
        }
        match (results.is_empty(), missing.is_empty()) {
            (true, _) => Settled::NotDone,
            (_, true) => Settled::Done(self.output(results.into_values().collect())),
            _ => {
                // Undo goes by what was written. A journal that cannot be written stops the run a moment later.
                for (index, result) in &results {
                    cx.wrote(*index, &result["after"]).ok();
                }
                Settled::Partly(format!("not written: {}", missing.join(", ")))
            }
        }
    }

    /// An object that was not there before is ours where the server says that we have made it since.
    async fn look_again(
        &self,
        happened: &Happened<'_>,
        before: &Value,
        object: Value,
        cx: &VerbContext<'_>,
    ) -> Result<Settled, ApiError> {
        let (resource, name) = meant(&cx.cluster, &object).await?;
        let Some(now) = cx.cluster.find(&resource, &cx.namespace, &name).await? else {
            let gone = || format!("{} is gone", resource.named(&name));
            return Ok(if before.is_null() { Settled::NotDone } else { Settled::Unknown(gone()) });
        };
        let ours = sent_at(happened).is_some_and(|sent_at| is_made_since(&now, self.operation(), sent_at));
        if before.is_null() && !ours {
            let why =
                format!("{} is there, and nothing says that this step has made it", resource.named(&name));
            return Ok(Settled::Unknown(why));
        }
        // What has been made is done, whatever others have changed of it since.
        if before.is_null() {
            return Ok(Settled::Done(written(before, &now)));
        }
        let wanted = Wanted { resource, name, object, before: None };
        judged(before, &now, self.write(&cx.cluster, &cx.namespace, &wanted).await)
    }

    /// How the server notes down who wrote the fields.
    fn operation(&self) -> &'static str {
        match self.how {
            How::Create => "Update",
            How::Apply { .. } => "Apply",
        }
    }

    fn doing(&self, shown: &str) -> String {
        match self.how {
            How::Create => format!("create {shown}"),
            How::Apply { .. } => format!("apply {shown}"),
        }
    }

    async fn look(&self, cluster: &Cluster, namespace: &str, object: Value) -> Result<Wanted, ApiError> {
        let (resource, name) = meant(cluster, &object).await?;
        let before = match self.how {
            How::Create => None,
            How::Apply { .. } => cluster.find(&resource, namespace, &name).await?,
        };
        Ok(Wanted { resource, name, object, before })
    }

    async fn write(&self, cluster: &Cluster, namespace: &str, wanted: &Wanted) -> Result<Value, ApiError> {
        let Wanted { resource, name, object, .. } = wanted;
        match self.how {
            How::Create => cluster.create(resource, namespace, object).await,
            How::Apply { force } => {
                let of = Write { resource, namespace, name, subresource: None };
                cluster.patch(of, PatchKind::Apply { force }, object).await
            }
        }
    }

    async fn dry_run(
        &self,
        cluster: &Cluster,
        namespace: &str,
        object: Value,
    ) -> Result<Vec<String>, ApiError> {
        let wanted = self.look(cluster, namespace, object).await?;
        let after = self.write(cluster, namespace, &wanted).await?;
        Ok(match &wanted.before {
            None if self.how == How::Create => vec!["the server would make it".to_owned()],
            None => vec!["it is not there yet, and is made".to_owned()],
            Some(before) => match changes(before, &after) {
                none if none.is_empty() => vec!["the server would change nothing".to_owned()],
                changes => changes,
            },
        })
    }
}

impl Wanted {
    fn before(&self) -> Value {
        self.before.clone().map_or(Value::Null, plain)
    }
}

/// One object by itself, those of a file as a list.
fn in_shape(manifest: &BoundManifest, mut values: Vec<Value>) -> Value {
    match manifest {
        BoundManifest::Objects(_) => Value::Array(values),
        _ => values.pop().unwrap_or_default(),
    }
}
