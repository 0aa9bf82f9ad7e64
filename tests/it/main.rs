//! The one integration-test binary.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod connect;
mod copy;
mod support;
