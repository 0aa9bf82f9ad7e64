//! [`Download`]: copies files out of a container.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde_json::Value;

use super::place::BoundPodPlace;
use super::{Copied, copied, looked, names, size, tell};
use crate::connect::kubernetes::{Cluster, Container, FileKind, FilesError, RemoteFile};
use crate::connect::{OutputFile, SealedFile};
use crate::model::{Applied, Failure};
use crate::step::error::StepError;
use crate::step::kind::{Done, Preview};
use crate::step::kubectl::verb::VerbContext;

/// Files of a container, and where on this machine they go.
#[derive(Debug, Serialize)]
pub(in crate::step::kubectl) struct Download {
    pub(super) from: BoundPodPlace,
    pub(super) to: String,
    #[serde(skip)]
    pub(super) overwrite: bool,
}

/// What a path or a wildcard means now.
struct Chosen {
    files: Vec<RemoteFile>,
    warnings: Vec<String>,
}

impl Download {
    pub(super) fn shown(&self) -> String {
        format!("cp {} {}", self.from.shown(), self.to)
    }

    fn doing(&self) -> String {
        format!("copy {}", self.from.shown())
    }

    async fn listed(&self, container: &Container) -> Result<Vec<RemoteFile>, FilesError> {
        let path = &self.from.path;
        if names::is_wildcard(path) {
            return container.matching(path).await;
        }
        container.file(path).await
    }

    /// The files among what was found; the rest of what a wildcard matches is left out, and told.
    fn choose(&self, found: Vec<RemoteFile>, container: &Container) -> Result<Chosen, Failure> {
        let path = &self.from.path;
        let mut chosen = Chosen { files: Vec::new(), warnings: Vec::new() };
        for file in found {
            match file.kind {
                FileKind::File => chosen.files.push(file),
                FileKind::Closed => {
                    let message = format!(
                        "the container's user may not read `{}` in pod `{}`",
                        file.path,
                        container.pod()
                    );
                    return Err(Failure::new(message).help("Give it the right to, or leave the file out."));
                }
                FileKind::Folder | FileKind::Other if names::is_wildcard(path) => {
                    chosen.warnings.push(format!("`{}` is no file, and was left out", file.path));
                }
                FileKind::Folder => {
                    let message =
                        format!("`{path}` in pod `{}` is a folder, and files are copied", container.pod());
                    return Err(Failure::new(message).help(format!("Write `{path}/*` for the files in it.")));
                }
                FileKind::Other => {
                    let message = format!("`{path}` in pod `{}` is no file", container.pod());
                    return Err(Failure::new(message).help("Name a file."));
                }
            }
        }
        if chosen.files.is_empty() {
            return Err(self.nothing(container));
        }
        names::distinct(chosen.files.iter().map(|file| file.path.as_str()))?;
        Ok(chosen)
    }

    fn nothing(&self, container: &Container) -> Failure {
        let (namespace, pod, name) = (container.namespace(), container.pod(), container.name());
        let folder = match self.from.path.rsplit_once('/') {
            Some(("", _)) => "/",
            Some((folder, _)) if !names::is_wildcard(folder) => folder,
            _ => ".",
        };
        let look = format!("kubectl exec {pod} -c {name} -n {namespace} -- ls -la {folder}");
        names::nothing(&self.from.path, &format!("container `{name}` of pod `{pod}`"), &look)
    }

    /// Where each file goes; the folder is made where it is missing.
    fn targets(&self, base: &Path, files: &[RemoteFile]) -> Result<Vec<PathBuf>, Failure> {
        let to = base.join(&self.to);
        let is_folder = names::is_folder(&self.to) || to.is_dir();
        names::into_folder(&self.from.path, &self.to, is_folder)?;
        if !is_folder {
            return Ok(vec![to]);
        }
        std::fs::create_dir_all(&to)
            .map_err(|error| Failure::new(format!("cannot make the folder {}: {error}", to.display())))?;
        Ok(files.iter().map(|file| to.join(names::last(&file.path))).collect())
    }

    pub(super) async fn preview(&self, cluster: &Cluster, namespace: &str) -> Result<Preview, Failure> {
        let doing = self.doing();
        let (container, mut preview) = self.from.look(cluster, namespace, &doing).await?;
        let found = self.listed(&container).await;
        let Some(found) = looked(found, &doing, &mut preview)? else { return Ok(preview) };
        match self.choose(found, &container) {
            Ok(Chosen { files, warnings }) => {
                let told = files.iter().map(|file| format!("there now: {}, {}", file.path, size(file.bytes)));
                preview.facts.extend(told.chain(warnings));
            }
            // A step before this one may make the files.
            Err(failure) => preview.facts.push(format!("as it is now, it would fail: {}", failure.message)),
        }
        Ok(preview)
    }

    pub(super) async fn run(&self, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        // What only reads has left nothing, answered or not.
        self.copy(cx).await.map_err(|failure| failure.applied(Applied::No).into())
    }

    async fn copy(&self, cx: &VerbContext<'_>) -> Result<Done<Value>, Failure> {
        let doing = self.doing();
        let container = self.from.container(&cx.cluster, &cx.namespace, &doing).await?;
        let found = self.listed(&container).await.map_err(|error| error.failure(&doing))?;
        let Chosen { files, warnings } = self.choose(found, &container)?;
        let targets = self.targets(cx.run.files, &files)?;
        let total = files.iter().map(|file| file.bytes).sum();
        let (mut sealed, mut before) = (Vec::new(), 0);
        for (file, target) in files.iter().zip(&targets) {
            let progress = |bytes: u64| tell(cx, before + bytes, total);
            let output = OutputFile::create(target, self.overwrite)?;
            sealed.push(fetch(&container, file, output, &progress).await?);
            before += file.bytes;
        }
        // All of them are whole before the first one gets its name.
        let mut kept = Vec::new();
        for (file, sealed) in files.into_iter().zip(sealed) {
            let local = sealed.keep().await?;
            let to = local.path.display().to_string();
            kept.push(Copied { from: file.path, to, bytes: local.bytes, sha256: local.sha256 });
        }
        Ok(Done { warnings, ..Done::with(copied(&kept, &container)) })
    }
}

/// Fetches a file, and makes sure that it is the one in the container.
async fn fetch(
    container: &Container,
    file: &RemoteFile,
    mut output: OutputFile,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<SealedFile, Failure> {
    let come = AtomicU64::new(0);
    let told = |bytes: u64| {
        come.store(bytes, Ordering::Relaxed);
        progress(bytes);
    };
    let read = container.read_file(&file.path, &mut output, &told).await;
    let sha256 = read.map_err(|error| error.failure(&format!("copy {}", file.path)))?;
    let sealed = output.seal().await?;
    let changed = |why: String| {
        Failure::new(format!("`{}` did not come as it is in pod `{}`: {why}", file.path, container.pod()))
            .help("Run the step again once nothing writes to the file any more.")
            .retryable()
    };
    if sealed.bytes() != file.bytes {
        return Err(changed(format!("it had {} bytes, and {} came", file.bytes, sealed.bytes())));
    }
    if sealed.sha256() != sha256 {
        return Err(changed(format!("its SHA-256 is {sha256} there, and {} here", sealed.sha256())));
    }
    Ok(sealed)
}
