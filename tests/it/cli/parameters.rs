//! Parameters and environments: what is missing or wrong is said at once.

use insta::assert_snapshot;

use super::sandbox;

#[test]
fn everything_missing_or_wrong_is_one_error() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run("plan sample --offline"), @r#"
    --- stderr
    error: `sample` needs a parameter
      --set schema_name=… is missing: Where the table is
    · Give it with `--set schema_name=…`, `--params-file`, the environment's
      `params:`, or the variable `RUNBOOK_PARAM_SCHEMA_NAME`.
    --- exit 2
    "#);
    assert_snapshot!(sandbox.run("plan sample --offline --set limit=many --set schema=shop"), @r#"
    --- stderr
    error: 3 parameters of `sample` cannot be used
      `schema` from --set: the runbook has no such parameter
      --set schema_name=… is missing: Where the table is
      `limit` from --set: `many` is not a number
    · Give it with `--set schema_name=…`, `--params-file`, the environment's
      `params:`, or the variable `RUNBOOK_PARAM_SCHEMA_NAME`.
    --- exit 2
    "#);
}

#[test]
fn values_come_from_the_nearest_place() {
    let sandbox = sandbox().with("RUNBOOK_PARAM_SCHEMA_NAME", "from_variable");
    sandbox.write("values.yaml", "schema_name: from_file\n");
    sandbox.write("values.json", "{ \"schema_name\": \"from_json\" }\n");
    sandbox.write(
        "runbook.yaml",
        "environments:\n  test:\n    params: { schema_name: from_profile, other: 1 }\n    connections: { db: { postgres: { dsn: dbname=shop } } }\n",
    );
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
    assert_snapshot!(sandbox.run("plan sample --env prod --set schema_name=shop"), @r#"
    --- stderr
    error: there is no environment `prod`: no runbook.yaml says what environments are
      looked for SANDBOX/here/runbooks/runbook.yaml
      looked for SANDBOX/here/runbook.yaml
      looked for SANDBOX/home/.config/runbook/config.yaml
    · Write a runbook.yaml beside the runbook, or name a file with --config.
    --- exit 2
    "#);
    sandbox.write("runbook.yaml", "environments: { production: { connections: {} } }\n");
    assert_snapshot!(sandbox.run("plan sample --env prodution --set schema_name=shop"), @r#"
    --- stderr
    error: there is no environment `prodution` in runbook.yaml
    · Did you mean `production`?
    --- exit 2
    "#);
    assert_snapshot!(sandbox.run("plan sample --env production --set schema_name=shop"), @r#"
    --- stderr
    error: the environment `production` does not have what `sample` talks to
      `db` (postgres) is missing
    · Add it under the environment's `connections:`.
    --- exit 2
    "#);
    sandbox.write("runbook.yaml", "environments: { production: { conections: {} } }\n");
    assert_snapshot!(sandbox.run("plan sample --env production --set schema_name=shop"), @r#"
    --- stderr
    runbook::yaml::unknown_key

      ✗ error: unknown key `conections`
       ╭─[runbook.yaml:1:31]
     1 │ environments: { production: { conections: {} } }
       ·                               ─────┬────
       ·                                    ╰── not known here
       ╰────
      help: Did you mean `connections`?

    1 error

    error: runbook.yaml cannot be used
    --- exit 2
    "#);
}

#[test]
fn several_databases_need_an_environment() {
    let sandbox = sandbox();
    sandbox.write(
        "runbooks/two.yaml",
        "version: 1\nname: two\nconnections: { a: postgres, b: postgres }\nsteps:\n  - { id: x, sql: { query: SELECT 1, connection: a } }\n",
    );
    assert_snapshot!(sandbox.run("plan two"), @r#"
    --- stderr
    error: `two` talks to 2 databases, so it needs an environment
      its connections: a, b
    · Describe them in a runbook.yaml, and name the environment with --env.
    --- exit 2
    "#);
    assert_eq!(sandbox.run("plan two --offline").exit, Some(0));
}
