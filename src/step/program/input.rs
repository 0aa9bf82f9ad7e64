//! [`Input`]: what a program reads.

use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncWrite, copy};

use super::upstream::Upstream;
use crate::connect::open_input;
use crate::step::error::StepError;

/// What a program reads.
pub(in crate::step) enum Input<'a> {
    /// Nothing: it sees the end at once.
    Nothing,
    /// A text.
    Text(&'a [u8]),
    /// A file, and its size.
    File(File, u64),
    /// What another program writes.
    Upstream(Upstream),
}

impl<'a> Input<'a> {
    /// A text, or a file of the folder.
    pub(in crate::step) async fn open(
        text: Option<&'a str>,
        file: Option<&str>,
        folder: &Path,
    ) -> Result<Self, StepError> {
        match (text, file) {
            (Some(text), _) => Ok(Self::Text(text.as_bytes())),
            (None, None) => Ok(Self::Nothing),
            (None, Some(path)) => {
                let file = open_input(&folder.join(path)).await?;
                let metadata = file.metadata().await;
                let metadata =
                    metadata.map_err(|error| StepError::failed(format!("cannot read {path}: {error}")))?;
                Ok(Self::File(file, metadata.len()))
            }
        }
    }

    /// Whether there is anything to read.
    pub(in crate::step) fn is_something(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// Writes all of it.
    pub(in crate::step) async fn pump(&mut self, to: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::Text(text) => copy(text, to).await.map(drop),
            Self::File(file, _) => copy(file, to).await.map(drop),
            Self::Upstream(upstream) => copy(upstream, to).await.map(drop),
        }
    }
}
