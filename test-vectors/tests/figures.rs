//! The gathered figures, converted, are a part of this crate's files.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it must be"
)]

use std::fs;

use cwa_test_vectors::{Test, builtin, parse};

/// Where the figures lie beside the repository of a developer who has them.
const FIGURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/figures");

#[test]
fn each_case_of_the_figures_is_a_case_of_this_crate() {
    let Ok(directory) = fs::read_dir(FIGURES) else {
        println!("skipped: there is no {FIGURES}");
        return;
    };
    let ours: Vec<(String, Test)> = builtin()
        .flat_map(|(_, json)| parse(json).unwrap().test_groups)
        .flat_map(|group| group.tests.into_iter().map(move |test| (group.family.clone(), test)))
        .collect();
    let mut count = 0;
    for entry in directory {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json")
            || path.ends_with("transmission_risk_parameters.json")
        {
            continue;
        }
        let file = parse(&fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
        for group in file.test_groups {
            for theirs in group.tests {
                count += 1;
                let same = |(family, our): &(String, Test)| {
                    let mut our = our.clone();
                    our.tc_id = theirs.tc_id;
                    *family == group.family && our == theirs
                };
                assert!(ours.iter().any(same), "{}: {} {}", path.display(), group.family, theirs.comment);
            }
        }
    }
    assert!(count > 300, "only {count} cases");
}
