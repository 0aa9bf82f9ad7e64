//! Templates and expressions: the only code that sees minijinja.
//!
//! A scalar is parsed once ([`Template`], [`Expression`], [`SqlTemplate`]), which finds every problem that can be found
//! without values and every variable it reads ([`Read`]). Rendering takes a [`Scope`]. Nothing here reads a clock, the
//! environment or a document: what a template may see is in its scope, and nothing else.
//!
//! minijinja's machine is laxer than our language (text is truthy, anything compares with anything), so its syntax tree
//! is rewritten before it is compiled: see `desugar`.

mod check;
mod desugar;
mod environment;
mod error;
mod expression;
mod filters;
mod fragment;
mod machine;
mod operators;
mod place;
mod scope;
mod sql;
mod syntax;
mod text;
mod value;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub use check::{ROOTS, Read};
pub use error::{Problem, TemplateError};
pub use expression::Expression;
pub use filters::{FILTERS, FilterDoc};
pub use scope::{Found, Lookup, Scope};
pub use sql::SqlTemplate;
pub use text::Template;
