//! The worst of several runs, each in a process of its own: memory lies elsewhere each time.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::report::Document;

pub(crate) fn worst_of(runs: usize, smoke: bool, only: &str) -> Document {
    let mut documents = (1..=runs).map(|number| {
        eprintln!("run {number} of {runs}");
        run(smoke, only)
    });
    let mut all = documents.next().unwrap();
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

fn run(smoke: bool, only: &str) -> Document {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("ratios-{}.json", std::process::id()));
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--bench").arg("--only").arg(only).arg("--json").arg(&path).stdout(Stdio::null());
    if smoke {
        command.arg("--smoke");
    }
    let status = command.status().unwrap();
    assert!(status.success(), "a run ended with {status}");
    let document = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    std::fs::remove_file(&path).unwrap();
    document
}
