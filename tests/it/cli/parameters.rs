//! Parameters and environments: what is missing or wrong is said at once.

use insta::assert_snapshot;

use super::sandbox;

#[test]
fn everything_missing_or_wrong_is_one_error() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run("plan sample --offline"), @"");
    assert_snapshot!(sandbox.run("plan sample --offline --set limit=many --set schema=shop"), @"");
}

#[test]
fn values_come_from_the_nearest_place() {
    let sandbox = sandbox().with("RUNBOOK_PARAM_SCHEMA_NAME", "from_variable");
    sandbox.write("values.yaml", "schema_name: from_file\n");
    sandbox.write("values.json", "{ \"schema_name\": \"from_json\" }\n");
    sandbox.write("runbook.yaml", "environments: { test: { params: { schema_name: from_profile, other: 1 } } }\n");
    let check = |arguments: &str, expected: &str| {
        let output = sandbox.run(&format!("plan sample --offline {arguments}"));
        assert!(output.stdout.contains(&format!("{expected}.orders")), "{arguments}: {output}");
    };
    check("", "from_variable");
    check("--env test", "from_profile");
    check("--env test --params-file values.yaml", "from_file");
    check("--params-file values.json", "from_json");
    check("--params-file values.json --set schema_name=given", "given");
}

#[test]
fn secrets_are_shown_nowhere() {
    let output = sandbox().run("plan sample --offline --set schema_name=shop --set token=hunter2hunter2");
    assert!(!output.to_string().contains("hunter2"), "{output}");
    assert!(output.stdout.contains("token=«secret»"), "{output}");
}

#[test]
fn environments_are_found_or_the_nearest_is_named() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run("plan sample --env prod --set schema_name=shop"), @"");
    sandbox.write("runbook.yaml", "environments: { production: { connections: {} } }\n");
    assert_snapshot!(sandbox.run("plan sample --env prodution --set schema_name=shop"), @"");
    assert_snapshot!(sandbox.run("plan sample --env production --set schema_name=shop"), @"");
    sandbox.write("runbook.yaml", "environments: { production: { conections: {} } }\n");
    assert_snapshot!(sandbox.run("plan sample --env production --set schema_name=shop"), @"");
}

#[test]
fn several_databases_need_an_environment() {
    let sandbox = sandbox();
    sandbox.write(
        "runbooks/two.yaml",
        "version: 1\nname: two\nconnections: { a: postgres, b: postgres }\nsteps:\n  - { id: x, sql: { query: SELECT 1, connection: a } }\n",
    );
    assert_snapshot!(sandbox.run("plan two"), @"");
    assert_eq!(sandbox.run("plan two --offline").exit, Some(0));
}
