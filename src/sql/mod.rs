//! SQL as text and meaning.
