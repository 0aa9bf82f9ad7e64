//! Loading text as the command line would, from folders instead of a shelf.

use std::path::{Path, PathBuf};

use runbook::diagnostic::{Diagnostics, Sources};
use runbook::model::Failure;
use runbook::runbook::{Library, Runbook, SourceText, load};
use runbook::ui::{self, Style};

/// The folder of the package.
pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runbooks and files in one folder.
#[derive(Debug)]
pub(crate) struct Folder(pub(crate) PathBuf);

impl Library for Folder {
    fn find(&self, name: &str) -> Option<SourceText> {
        let origin = format!("{name}.yaml");
        let text = std::fs::read_to_string(self.0.join(&origin)).ok()?;
        Some(SourceText { origin, text })
    }

    fn names(&self) -> Vec<String> {
        files(&self.0, "yaml").iter().map(|path| stem(path)).collect()
    }

    fn read_beside(&self, _origin: &str, file: &str) -> Result<String, Failure> {
        if file.starts_with('/') {
            return Err(Failure::new(format!("`{file}` is outside the runbook's folder"))
                .help("Put the file beside the runbook, or in a folder below it."));
        }
        std::fs::read_to_string(self.0.join(file)).map_err(|_| {
            Failure::new(format!("there is no file `{file}`"))
                .help("The path is relative to the runbook's file.")
        })
    }
}

/// What came of loading a text.
pub(crate) struct Loaded {
    pub(crate) runbook: Option<Runbook>,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) sources: Sources,
}

impl Loaded {
    /// The problems as a terminal of 80 columns without colours shows them.
    pub(crate) fn rendered(&self) -> String {
        ui::render(&self.diagnostics, &self.sources, &Style::plain())
    }
}

/// Loads a text as the file `name.yaml`, with everything it names in `folder`.
pub(crate) fn load_text(name: &str, text: &str, folder: &Path) -> Loaded {
    let mut sources = Sources::new();
    let source = SourceText { origin: format!("{name}.yaml"), text: text.to_owned() };
    let (runbook, diagnostics) = load(source, &Folder(folder.to_owned()), &mut sources);
    Loaded { runbook, diagnostics, sources }
}

/// The files of a folder that end so, sorted. A fixture ends in `test.yaml`, and not in `yaml` alone.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let ending = format!(".{ending}");
    let ends_so = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.strip_suffix(&ending).is_some_and(|stem| !stem.contains('.'))
    };
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).filter(ends_so).collect();
    found.sort();
    found
}

/// A file's name without its ending.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}
