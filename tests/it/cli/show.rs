//! `show` and `graph`.

use insta::assert_snapshot;

use super::{SAMPLE, sandbox};

#[test]
fn a_runbook_is_shown_to_read() {
    assert_snapshot!(sandbox().run("show sample"), @"");
}

#[test]
fn the_source_is_the_file_itself_mistakes_included() {
    let sandbox = sandbox();
    assert_eq!(sandbox.run("show sample --as source").stdout, SAMPLE);
    sandbox.write("runbooks/broken.yaml", "title: [\n");
    assert_eq!(sandbox.run("show broken --as source").stdout, "title: [\n");
}

#[test]
fn the_procedure_can_be_printed_for_the_day_without_the_program() {
    assert_snapshot!(sandbox().run("show sample --as markdown --set schema_name=shop"), @"");
}

#[test]
fn graphs_are_drawn_in_every_format() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run("graph sample"), @"");
    assert_snapshot!(sandbox.run("graph sample --format mermaid"), @"");
    assert_snapshot!(sandbox.run("graph sample --format dot"), @"");
    let svg = sandbox.run("graph sample --format svg");
    assert!(svg.stdout.starts_with("<?xml") && svg.stdout.trim_end().ends_with("</svg>"), "{svg}");
    assert_eq!(svg.exit, Some(0));
}
