//! The one minijinja environment: our operators, our filters, and those of minijinja's that follow our rules.
//!
//! Built once. It starts empty, so that nothing of minijinja's is part of the language by accident.

use std::sync::LazyLock;

use minijinja::{Environment, Error, UndefinedBehavior};

use super::error::{Fault, Problem};
use super::value::to_text;
use super::{filters, operators};

/// How many instructions one scalar may run.
const FUEL: u64 = 100_000;

/// The environment that everything runs in.
pub(super) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(build);

fn build() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(false);
    environment.set_formatter(|output, _, value| {
        if value.is_undefined() {
            return Err(Fault::new(Problem::Undefined, "the value is not defined").into());
        }
        output.write_str(&to_text(value)?).map_err(Error::from)
    });
    operators::register(&mut environment);
    filters::register(&mut environment);
    environment
}
