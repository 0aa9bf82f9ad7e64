//! `show` and `graph`.

use insta::assert_snapshot;

use super::{SAMPLE, sandbox};

#[test]
fn a_runbook_is_shown_to_read() {
    assert_snapshot!(sandbox().run("show sample"), @r#"
    A sample
    sample · example · owner dba · runbooks/sample.yaml

    Looks at a table and changes it when asked to.

    Parameters
      schema_name  identifier, must be given
                   Where the table is.
      limit        int, at least 1, at most 100, default 10
      token        string, secret, may be left out

    Connections
      db: postgres

    Steps
     1 look  sql · read
       Count the rows
     2 sure  confirm · read · a person answers
       Really delete {{ steps.look.value }} rows?
     3 clear  sql · change
       Delete what is old
       when steps.look.value > params.limit
     4 fits  assert · read
       steps.look.value < 1000

    What a run would do: runbook plan sample
    --- exit 0
    "#);
}

#[test]
fn the_source_is_the_file_itself_mistakes_included() {
    let sandbox = sandbox();
    assert_eq!(sandbox.run("show sample --as source").stdout, SAMPLE);
    sandbox.write("runbooks/broken.yaml", "title: [\n");
    assert_eq!(sandbox.run("show broken --as source").stdout, "title: [\n");
}

#[test]
fn what_is_done_in_a_cluster_stands_in_the_procedure_too() {
    let sandbox = sandbox();
    let runbook = "version: 1\nname: more\ntitle: More pods\nowner: dba\nconnections: { cluster: kubernetes }\nsteps:\n  \
                   - { id: more, title: Add one, kubectl: { scale: { target: deploy/backend, replicas: 2 } } }\n";
    sandbox.write("runbooks/more.yaml", runbook);
    let page = sandbox.run("show more --as markdown").stdout;
    assert!(page.contains("With kubectl:\n\n```\nscale deploy/backend to 2\n```"), "{page}");
}

#[test]
fn the_procedure_can_be_printed_for_the_day_without_the_program() {
    assert_snapshot!(sandbox().run("show sample --as markdown --set schema_name=shop"), @r#"
    # A sample

    Looks at a table and changes it when asked to.

    From `sample` in runbooks/sample.yaml.

    - connection `db`, postgres

    With these parameters:

    - `schema_name`: `"shop"`
    - `limit`: `10`
    - `token`: `"«secret»"`

    Run each block in `psql -X -v ON_ERROR_STOP=1`, in this order. A comment `-- $1 = …` below a statement says what to put for `$1`; what stands in `{{ … }}` is known only when the steps before it have run.

    ## 1. Count the rows

    `look`, sql.

    ```sql
    SELECT count(*) FROM shop.orders;
    ```

    ## 2. sure

    `sure`, confirm.

    Needs the result of `look`.

    Stop and decide:

    ```
    Really delete {{ steps.look.value }} rows?
    ```

    ## 3. Delete what is old

    `clear`, sql. Changes something.

    Only when `steps.look.value > params.limit`.

    Needs the result of `look`.

    ```sql
    DELETE FROM {{ params.schema_name | ident }}.orders WHERE ordered_at < now() - interval '1 year';
    ```

    Undo: cannot be undone: Deleted rows do not come back.

    ## 4. fits

    `fits`, assert.

    Needs the result of `look`.

    Go on only if this holds:

    ```
    steps.look.value < 1000
    ```
    --- exit 0
    "#);
}

#[test]
fn graphs_are_drawn_in_every_format() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run("graph sample"), @r#"
    look (sql, read)
    sure (confirm, read)
      after look (stands above)
    clear (sql, change)
      after sure (stands above)
    fits (assert, read)
      after look (needs)
    --- exit 0
    "#);
    assert_snapshot!(sandbox.run("graph sample --format mermaid"), @r#"
    flowchart TD
      n0["look<br/>sql"]:::read
      n1{{"sure<br/>confirm"}}:::read
      n2["clear<br/>sql"]:::change
      n3["fits<br/>assert"]:::read
      n0 --> n1
      n1 --> n2
      n0 -- needs --> n3
      classDef read fill:#e8f1fa,stroke:#333,color:#111
      classDef change fill:#e6f4e1,stroke:#333,color:#111
      classDef disrupt fill:#fdeed2,stroke:#333,color:#111
      classDef destroy fill:#f9d9d6,stroke:#333,color:#111
    --- exit 0
    "#);
    assert_snapshot!(sandbox.run("graph sample --format dot"), @r##"
    digraph runbook {
      node [shape=box];
      n0 [label="look\nsql, read", style=filled, fillcolor="#e8f1fa"];
      n1 [label="sure\nconfirm, read, a gate", style=filled, fillcolor="#e8f1fa"];
      n2 [label="clear\nsql, change", style=filled, fillcolor="#e6f4e1"];
      n3 [label="fits\nassert, read", style=filled, fillcolor="#e8f1fa"];
      n0 -> n1;
      n1 -> n2;
      n0 -> n3 [label="needs"];
    }
    --- exit 0
    "##);
    let svg = sandbox.run("graph sample --format svg");
    assert!(svg.stdout.starts_with("<?xml") && svg.stdout.trim_end().ends_with("</svg>"), "{svg}");
    assert_eq!(svg.exit, Some(0));
}
