//! Data files that a run reads and writes: written beside their name, synced, then renamed, so a half-written file
//! never carries the name of a whole one.

mod input;
mod output;
mod private;

use std::io;
use std::path::Path;

use crate::model::Failure;

pub use input::{InputFile, open_input};
pub use output::{KeptFile, OutputFile, SealedFile};
pub use private::PrivateFile;

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot {verb} {}: {error}", path.display()))
}
