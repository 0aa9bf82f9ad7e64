//! The one integration-test binary.

mod connect;
mod support;
