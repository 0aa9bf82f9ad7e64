//! [`Keeper`]: where a program's standard output goes.

use std::path::Path;

use tokio::io::DuplexStream;

use super::output::Captured;
use crate::connect::{KeptFile, OutputFile};
use crate::model::{Failure, format_size};
use crate::step::context::RunContext;

/// Keeps standard output: all of it in a file, or its beginning in memory.
pub(in crate::step) struct Keeper {
    file: Option<OutputFile>,
}

impl Keeper {
    /// Begins a file of the folder where there is a path.
    pub(in crate::step) fn create(
        path: Option<&str>,
        overwrite: bool,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let file = path.map(|path| OutputFile::create(&folder.join(path), overwrite)).transpose()?;
        Ok(Self { file })
    }

    /// Takes everything up to the end.
    pub(super) async fn fill(
        &mut self,
        mut stream: DuplexStream,
        cx: &RunContext<'_>,
    ) -> Result<Captured, Failure> {
        let Some(file) = &mut self.file else {
            return Captured::read(&mut stream).await.map_err(|error| Failure::new(error.to_string()));
        };
        let told = |bytes: u64| {
            let size = format_size(i64::try_from(bytes).unwrap_or(i64::MAX));
            cx.events.progress("writing", None, Some(size));
        };
        file.fill(&mut stream, &told).await.map(|()| Captured::default())
    }

    /// Gives the file its name.
    pub(super) async fn keep(self) -> Result<Option<KeptFile>, Failure> {
        match self.file {
            None => Ok(None),
            Some(file) => file.keep().await.map(Some),
        }
    }
}
