//! The integration tests: one binary, one module for each behaviour.

mod cli;
mod layers;
mod support;
