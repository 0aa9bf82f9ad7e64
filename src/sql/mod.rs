//! SQL as text and meaning: quoting, splitting, holes, and what a statement does to the world.
//!
//! The only user of the grammar crate. Pure: text in, values and errors out. Must not open a connection, read a file or
//! know what a step is.

mod alter_table;
mod classify;
mod describe;
mod embedded;
mod error;
mod fragment;
mod functions;
mod hole;
mod keywords;
mod limits;
mod lock_mode;
mod locks;
mod passwords;
mod placement;
mod quote;
mod samples;
mod script;
mod split;
mod statement;
mod syntax;
mod tokens;
mod trail;
mod transaction;
mod tree;
mod word_list;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod injection;
#[cfg(test)]
mod testing;

pub use error::{SqlError, SqlProblem};
pub use hole::{HoleKind, Piece};
pub use lock_mode::LockMode;
pub use locks::LockForecast;
pub use quote::{parse_relation, quote_ident, quote_literal, quote_relation};
pub use script::Script;
pub use split::split;
pub use statement::{CopyDirection, ProgressView, SessionSetting, Statement, Transaction, UndoNature};
pub use trail::{Trail, trail};
