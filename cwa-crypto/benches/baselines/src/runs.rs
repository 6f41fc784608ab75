//! The worst of several runs, each in a process of its own: memory lies elsewhere each time.

use std::process::{Command, Stdio};

use crate::report::Document;

/// Runs this program so often with these arguments and `--json FILE`, and gives the worst of each row and the best of each
/// time.
///
/// # Panics
///
/// If a run cannot be started, fails, or leaves no table.
pub fn worst_of<'a>(runs: usize, arguments: impl Iterator<Item = &'a str> + Clone) -> Document {
    let mut documents = (1..=runs).map(|number| {
        eprintln!("run {number} of {runs}");
        run(arguments.clone())
    });
    let mut all = documents.next().expect("at least one run");
    for document in documents {
        all.runs += 1;
        all.rows = all.rows.into_iter().zip(document.rows).map(|(a, b)| a.worst(b)).collect();
        for (race, other) in all.races.iter_mut().zip(document.races) {
            for (time, other) in race.times.iter_mut().zip(other.times) {
                time.minimum = time.minimum.min(other.minimum);
                time.p10 = time.p10.min(other.p10);
            }
        }
    }
    all
}

fn run<'a>(arguments: impl Iterator<Item = &'a str>) -> Document {
    let path = std::env::temp_dir().join(format!("ratios-{}.json", std::process::id()));
    let this = std::env::current_exe().expect("the program knows where it is");
    let mut command = Command::new(this);
    command.args(arguments).arg("--json").arg(&path).stdout(Stdio::null());
    let status = command.status().expect("the program can be started");
    assert!(status.success(), "a run ended with {status}");
    let text = std::fs::read_to_string(&path).expect("a run leaves its table");
    std::fs::remove_file(&path).expect("what was written can be removed");
    serde_json::from_str(&text).expect("a table is read as it was written")
}
