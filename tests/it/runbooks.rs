//! The shipped runbooks load without a single remark.

use crate::support::{files, load_text, package, stem};

#[test]
fn shipped_runbooks_have_no_problems() {
    let folder = package().join("runbooks");
    let paths = files(&folder, "yaml");
    assert!(paths.len() >= 6, "{paths:?}");
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
