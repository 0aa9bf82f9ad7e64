//! The shipped runbooks load without a single remark, and can be planned where all is well.

use crate::support::live::Live;
use crate::support::{files, load_text, package, stem};

#[test]
fn shipped_runbooks_have_no_problems() {
    let folder = package().join("runbooks");
    let paths = files(&folder, "yaml");
    assert!(paths.len() >= 9, "{paths:?}");
    let mut remarks = String::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let loaded = load_text(&stem(&path), &text, &folder);
        remarks += &loaded.rendered();
        let Some(runbook) = loaded.runbook else { continue };
        assert_eq!(runbook.name, stem(&path));
        for (what, text) in
            [("title", &runbook.title), ("description", &runbook.description), ("owner", &runbook.owner)]
        {
            assert!(!text.is_empty(), "{} has no {what}", runbook.name);
        }
        assert!(runbook.params.iter().all(|(_, parameter)| !parameter.description.is_empty()));
    }
    assert!(remarks.is_empty(), "{remarks}");
}

/// A database with nothing to do is the best one, and no reason for a plan to say no.
#[test]
fn every_shipped_runbook_can_be_planned_where_there_is_nothing_to_do() {
    let live = Live::new();
    for path in files(&package().join("runbooks"), "yaml") {
        // Those that need a cluster are planned, and run, with one.
        if std::fs::read_to_string(&path).unwrap().contains("\n  cluster: kubernetes\n") {
            continue;
        }
        let planned = live.sandbox.run_args(&["plan", &stem(&path)]);
        assert_eq!(planned.exit, Some(0), "{}\n{}", stem(&path), planned.stdout);
    }
}
