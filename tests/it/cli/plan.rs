//! `plan --offline`.

use insta::assert_snapshot;
use serde_json::Value;

use super::sandbox;
use crate::support::sandbox::Sandbox;

#[test]
fn a_plan_is_a_page_to_read() {
    assert_snapshot!(sandbox().run("plan sample --offline --set schema_name=shop"), @"");
}

#[test]
fn shipped_runbooks_plan_offline() {
    assert_snapshot!(Sandbox::new().run("plan table-sizes --offline"), @"");
}

#[test]
fn a_plan_is_data_for_programs() {
    let output = sandbox().run("plan sample --offline --set schema_name=shop --output json");
    let plan: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(plan["runbook"], "sample");
    assert_eq!(plan["steps"].as_array().map(Vec::len), Some(4));
    assert_eq!(plan["steps"][2]["class"]["effect"], "change");
}

#[test]
fn a_server_that_is_not_there_blocks_the_plan() {
    let sandbox = sandbox().with("PGHOST", "/nowhere").with("PGUSER", "dba");
    assert_snapshot!(sandbox.run("plan sample --set schema_name=shop"), @"");
}
