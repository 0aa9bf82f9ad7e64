//! Files in a container: listed, read and written by short shell scripts of ours, for the API itself knows no files.
//!
//! Paths are arguments of the scripts, so none of them is ever read as shell. What only reads may be asked by whoever
//! may read; what writes is refused to everybody else.

mod download;
mod error;
mod listing;
mod script;
mod upload;

pub use error::FilesError;
pub use listing::{FileKind, RemoteFile};
pub use upload::Placing;
