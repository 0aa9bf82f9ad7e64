//! The summary of a run, folded from events. It knows nothing about terminals beyond a width.

mod table;

pub use table::table;
