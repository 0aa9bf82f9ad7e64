//! The one integration-test binary: a module for each behaviour, and for each of the project's own rules.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod accounts;
mod assert;
mod beside;
mod channel;
mod cli;
mod cluster;
mod codes;
mod confirm;
mod connect;
mod copy;
mod cp;
mod crash;
mod demo;
mod exclusion;
mod exec;
mod failover;
mod faults;
mod fuzz;
mod include;
mod journal;
mod kubectl;
mod layers;
mod maintenance;
mod outage;
mod plan;
mod readme;
mod resume;
mod retry;
mod rights;
mod run;
mod runbooks;
mod schemas;
mod secrets;
mod selection;
mod sql;
mod support;
mod trial;
mod tunnel;
mod undo;
mod undo_kubectl;

#[test]
fn no_file_here_is_undeclared() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let declared = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(name == "main" || declared.contains(&format!("\nmod {name};")), "`mod {name};` is missing");
    }
}
