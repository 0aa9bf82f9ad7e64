//! `cp`: copies files out of a container, and into one.

mod download;
mod local;
mod names;
mod place;
mod upload;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::connect::kubernetes::{Cluster, Container, FilesError, Right};
use crate::model::{Class, Effect, Failure, format_size};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::{Done, Preview};
use crate::step::kubectl::verb::{Verb, VerbContext};

use download::Download;
use place::Place;
use upload::Upload;

/// Copies files between this machine and a container of a pod: whole ones, whose size and SHA-256 are the same on both
/// sides, or none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::step::kubectl) struct Cp {
    /// What is copied: a file, or by a wildcard all files that it matches.
    from: Place,
    /// Where it goes: the file's new name, or a folder, which ends with `/`.
    to: Place,
    /// Whether existing files may be replaced.
    #[serde(default)]
    overwrite: bool,
}

/// What will be copied, and which way.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(in crate::step::kubectl) enum CpInput {
    /// Out of a container.
    Download(Download),
    /// Into a container.
    Upload(Upload),
}

/// A file that was copied.
#[derive(Debug, Serialize)]
struct Copied {
    from: String,
    to: String,
    bytes: u64,
    sha256: String,
}

impl CpInput {
    fn shown(&self) -> String {
        match self {
            Self::Download(download) => download.shown(),
            Self::Upload(upload) => upload.shown(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Download(_) => Class::known(Effect::Read),
            Self::Upload(_) => Class::known(Effect::Change),
        }
    }
}

/// The result of a step that copied these files.
fn copied(files: &[Copied], container: &Container) -> Value {
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    json!({
        "files": files, "count": files.len(), "bytes": bytes, "pod": container.pod(), "container": container.name(),
    })
}

/// What a look into a container found, where it could be looked at.
fn looked<T>(found: Result<T, FilesError>, doing: &str, preview: &mut Preview) -> Result<Option<T>, Failure> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error @ FilesError::Lacks { .. }) => {
            preview.blockers.push(error.failure(doing).message);
            Ok(None)
        }
        Err(error) => Err(error.failure(doing)),
    }
}

/// Tells how many of all bytes have been copied.
fn tell(cx: &VerbContext<'_>, bytes: u64, total: u64) {
    #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
    let percent = (total > 0).then(|| bytes as f64 * 100.0 / total as f64);
    cx.run.events.progress("copying", percent, Some(format!("{} of {}", size(bytes), size(total))));
}

fn size(bytes: u64) -> String {
    format_size(i64::try_from(bytes).unwrap_or(i64::MAX))
}

impl Verb for Cp {
    const NAME: &'static str = "cp";
    const FIELDS: &'static [&'static str] = &["files", "count", "bytes", "pod", "container"];
    type Input = CpInput;

    fn check(&self) -> Option<(String, String)> {
        let (message, help) = match (&self.from, &self.to) {
            (Place::Pod(pod), Place::Local(_)) | (Place::Local(_), Place::Pod(pod)) => {
                return pod.check().or_else(|| names::check(self.from.path(), self.to.path()));
            }
            (Place::Local(_), Place::Local(_)) => {
                ("neither side is in a pod", "Write one of them as `{ pod: NAME, path: /PATH }`.")
            }
            (Place::Pod(_), Place::Pod(_)) => {
                ("both sides are in pods", "Copy to this machine, and from there in another step.")
            }
        };
        Some((message.to_owned(), help.to_owned()))
    }

    fn class(&self) -> Class {
        let reads = matches!(self.from, Place::Pod(_));
        Class::known(if reads { Effect::Read } else { Effect::Change })
    }

    fn summary(&self) -> String {
        format!("cp {} {}", self.from.source(), self.to.source())
    }

    fn bind(&self, binder: &Binder<'_>) -> Result<CpInput, BindError> {
        let overwrite = self.overwrite;
        match (&self.from, &self.to) {
            (Place::Pod(from), Place::Local(to)) => {
                Ok(CpInput::Download(Download { from: from.bind(binder)?, to: binder.text(to)?, overwrite }))
            }
            (Place::Local(from), Place::Pod(to)) => {
                Ok(CpInput::Upload(Upload { from: binder.text(from)?, to: to.bind(binder)?, overwrite }))
            }
            (from, _) => Err(BindError {
                message: "one side of a copy is in a pod, and the other is not".to_owned(),
                source: from.path().source().to_owned(),
                help: None,
            }),
        }
    }

    fn class_bound(input: &CpInput) -> Class {
        input.class()
    }

    fn lines(input: &CpInput) -> Vec<String> {
        vec![input.shown()]
    }

    fn rights(input: &CpInput) -> Vec<Right> {
        match input {
            CpInput::Download(download) => download.from.rights(),
            CpInput::Upload(upload) => upload.to.rights(),
        }
    }

    async fn preview(input: &CpInput, cluster: &Cluster, namespace: &str) -> Result<Preview, Failure> {
        match input {
            CpInput::Download(download) => download.preview(cluster, namespace).await,
            CpInput::Upload(upload) => upload.preview(cluster, namespace).await,
        }
    }

    async fn run(input: &CpInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        match input {
            CpInput::Download(download) => download.run(cx).await,
            CpInput::Upload(upload) => upload.run(cx).await,
        }
    }
}
