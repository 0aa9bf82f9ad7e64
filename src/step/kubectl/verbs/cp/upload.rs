//! [`Upload`]: copies files into a container.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::place::BoundPodPlace;
use super::{Copied, copied, local, looked, names, size, tell};
use crate::connect::InputFile;
use crate::connect::kubernetes::{Cluster, Container, FileKind, FilesError, Placing, RemoteFile};
use crate::model::{Applied, Failure};
use crate::step::error::StepError;
use crate::step::kind::{Done, Preview};
use crate::step::kubectl::verb::VerbContext;

/// Files of this machine, and where in a container they go.
#[derive(Debug, Serialize)]
pub(in crate::step::kubectl) struct Upload {
    pub(super) from: String,
    pub(super) to: BoundPodPlace,
    #[serde(skip)]
    pub(super) overwrite: bool,
}

/// A file on its way.
struct Sending {
    source: PathBuf,
    length: u64,
    target: String,
}

impl Upload {
    pub(super) fn shown(&self) -> String {
        format!("cp {} {}", self.from, self.to.shown())
    }

    fn doing(&self) -> String {
        format!("copy to {}", self.to.shown())
    }

    /// The files to be sent, each of which can be read.
    async fn sources(&self, base: &Path) -> Result<Vec<(PathBuf, u64)>, Failure> {
        let found = local::matching(base, &self.from)?;
        if found.is_empty() {
            let place = base.display().to_string();
            return Err(names::nothing(&self.from, &place, &format!("ls -la {place}")));
        }
        let mut sources = Vec::new();
        for path in found {
            let length = InputFile::open(&path).await?.length();
            sources.push((path, length));
        }
        names::distinct(sources.iter().filter_map(|(path, _)| path.to_str()))?;
        Ok(sources)
    }

    /// Where a file goes if `to` is a folder.
    fn inside(&self, source: &Path) -> String {
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        format!("{}/{name}", self.to.path.trim_end_matches('/'))
    }

    /// The folder that must be there.
    fn folder(&self) -> &str {
        let path = self.to.path.as_str();
        if names::is_folder(path) {
            return path;
        }
        match path.rsplit_once('/') {
            Some(("", _)) => "/",
            Some((folder, _)) => folder,
            None => ".",
        }
    }

    /// Looks at every path that matters in the container.
    async fn taken(
        &self,
        container: &Container,
        sources: &[(PathBuf, u64)],
    ) -> Result<Vec<RemoteFile>, FilesError> {
        let inside = sources.iter().map(|(source, _)| self.inside(source));
        let paths: Vec<String> =
            [self.folder().to_owned(), self.to.path.clone()].into_iter().chain(inside).collect();
        container.taken(&paths).await
    }

    /// Where each file goes, as far as nothing stands in its way.
    fn plan(
        &self,
        sources: Vec<(PathBuf, u64)>,
        taken: &[RemoteFile],
        pod: &str,
    ) -> Result<Vec<Sending>, Failure> {
        let kind = |path: &str| taken.iter().find(|file| file.path == path).map(|file| file.kind);
        if kind(self.folder()) != Some(FileKind::Folder) {
            let message = format!("there is no folder `{}` in pod `{pod}`", self.folder());
            return Err(Failure::new(message).help("Correct the path, or make the folder in a step before."));
        }
        let is_folder = kind(&self.to.path) == Some(FileKind::Folder);
        names::into_folder(&self.from, &self.to.path, is_folder)?;
        let mut sending = Vec::new();
        for (source, length) in sources {
            let target = if is_folder { self.inside(&source) } else { self.to.path.clone() };
            match kind(&target) {
                Some(FileKind::Folder | FileKind::Other) => return Err(no_file(&target, pod)),
                Some(_) if !self.overwrite => return Err(exists(&target, pod)),
                _ => sending.push(Sending { source, length, target }),
            }
        }
        Ok(sending)
    }

    pub(super) async fn preview(&self, cluster: &Cluster, namespace: &str) -> Result<Preview, Failure> {
        let doing = self.doing();
        let (container, mut preview) = self.to.look(cluster, namespace, &doing).await?;
        let taken = self.taken(&container, &[]).await;
        let Some(taken) = looked(taken, &doing, &mut preview)? else { return Ok(preview) };
        let told = taken.iter().filter(|file| file.path == self.to.path).map(|file| match file.kind {
            FileKind::Folder => format!("{} is a folder there", file.path),
            _ => format!("{} is there now, {}", file.path, size(file.bytes)),
        });
        preview.facts.extend(told);
        // A step before this one may make the folder.
        if let Err(failure) = self.plan(Vec::new(), &taken, container.pod()) {
            preview.facts.push(format!("as it is now, it would fail: {}", failure.message));
        }
        Ok(preview)
    }

    pub(super) async fn run(&self, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        let doing = self.doing();
        let sources = self.sources(cx.run.files).await?;
        let container = self.to.container(&cx.cluster, &cx.namespace, &doing).await?;
        let taken = self.taken(&container, &sources).await;
        // Nothing has been written yet, answered or not.
        let taken = taken.map_err(|error| error.failure(&doing).applied(Applied::No))?;
        let sending = self.plan(sources, &taken, container.pod())?;
        cx.intend(&before(&sending, &taken))?;
        let sent = tokio::select! {
            sent = send_all(cx, &container, &sending) => sent,
            by = cx.run.stopped() => Err(Failure::new("stopped before the files were whole").stopped_by(by)),
        };
        let sent = match sent {
            Ok(sent) => sent,
            Err(failure) => return Err(discard(&container, &sending, failure).await),
        };
        self.name(&container, &sending).await?;
        Ok(Done::with(copied(&sent, &container)))
    }

    /// The effect: until here nothing was to be seen under the names.
    async fn name(&self, container: &Container, sending: &[Sending]) -> Result<(), StepError> {
        let paths: Vec<String> = sending.iter().map(|file| file.target.clone()).collect();
        match container.name_parts(&paths, self.overwrite).await {
            Ok(None) => Ok(()),
            Ok(Some(path)) => {
                let failure = exists(&path, container.pod());
                Err(discard(container, sending, failure).await)
            }
            Err(error @ (FilesError::Refused(_) | FilesError::Lacks { .. })) => {
                Err(discard(container, sending, error.failure(&self.doing())).await)
            }
            Err(error @ FilesError::Complained { .. }) => {
                Err(error.failure(&self.doing()).applied(Applied::Unknown).into())
            }
            Err(error) => {
                let help = "Look in the pod whether the files have their names, or still end with `.part`.";
                Err(StepError::Uncertain(error.failure(&self.doing()).applied(Applied::Unknown).help(help)))
            }
        }
    }
}

/// What was at the names before.
fn before(sending: &[Sending], taken: &[RemoteFile]) -> Value {
    let size = |path: &str| taken.iter().find(|file| file.path == path).map(|file| file.bytes);
    sending.iter().map(|file| json!({ "path": file.target, "bytes": size(&file.target) })).collect()
}

/// Sends the files beside their names, and makes sure that each is the one of this machine.
async fn send_all(
    cx: &VerbContext<'_>,
    container: &Container,
    sending: &[Sending],
) -> Result<Vec<Copied>, Failure> {
    let total = sending.iter().map(|file| file.length).sum();
    let (mut sent, mut before) = (Vec::new(), 0);
    for file in sending {
        let progress = |bytes: u64| tell(cx, before + bytes, total);
        sent.push(send(container, file, &progress).await?);
        before += file.length;
    }
    Ok(sent)
}

async fn send(
    container: &Container,
    file: &Sending,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Copied, Failure> {
    let mut input = InputFile::open(&file.source).await?;
    let placing = Placing { path: &file.target, length: file.length, mode: input.mode() };
    let written = container.write_part(placing, &mut input, progress).await;
    let there = written.map_err(|error| error.failure(&format!("copy to {}", file.target)))?;
    let (bytes, here) = input.finish();
    let from = file.source.display().to_string();
    if there != here {
        let message = format!(
            "`{}` did not arrive as it is here: its SHA-256 is {there} in pod `{}`, and {here} here",
            file.target,
            container.pod()
        );
        return Err(Failure::new(message)
            .help(format!("Run the step again once nothing writes to {from} any more."))
            .retryable());
    }
    Ok(Copied { from, to: file.target.clone(), bytes, sha256: here })
}

/// Removes what was written so far, if the container can still be reached. The names themselves were not touched.
async fn discard(container: &Container, sending: &[Sending], failure: Failure) -> StepError {
    let paths: Vec<String> = sending.iter().map(|file| file.target.clone()).collect();
    let mut failure = failure.applied(Applied::No);
    if container.remove_parts(&paths).await.is_err() {
        let left = paths.iter().map(|path| format!("`{path}.part` may be left in pod `{}`", container.pod()));
        failure.details.extend(left);
    }
    failure.into()
}

fn exists(path: &str, pod: &str) -> Failure {
    Failure::new(format!("`{path}` exists already in pod `{pod}`"))
        .help("Choose another name, or say `overwrite: true`.")
}

/// A folder would take the file in under its other name, and a device would be lost.
fn no_file(path: &str, pod: &str) -> Failure {
    Failure::new(format!("`{path}` in pod `{pod}` is no file, and is not replaced"))
        .help("Choose another name, or remove it in a step before.")
}
