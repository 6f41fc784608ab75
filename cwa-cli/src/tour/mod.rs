//! `cwa tour`: the whole way, once, on real parts.
//!
//! A real server on loopback sockets, a real database, real cryptography and real files; only the clock is the tour's
//! own, so that four days pass in seconds. Phones never call into the server: whatever they want goes over HTTP, from
//! an address of their own.

mod chapters;
mod cut;
mod download;
mod officer;
mod people;
mod phone;
mod radio;
mod search;
mod story;
mod world;

use std::path::{Path, PathBuf};

use cwa_crypto::Day;
use cwa_export::index::DistributionPath;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde::Serialize;

use crate::failure::{Failure, Kind};
use crate::output::Output;
use people::{Walk, at};
use story::{Mishap, Step, Story, TourEnd};
use world::{CONFIGURATION, COUNTRY, World, day_of_upload};

#[derive(Debug)]
pub(crate) struct Tour {
    pub(crate) report: Report,
    /// The server, still answering, if everything went well.
    pub(crate) server: Option<crate::server::RunningServer>,
}

/// The tour as data.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// `passed`, or `failed` at the last step.
    pub(crate) verdict: &'static str,
    steps: Vec<Step>,
    directory: String,
    /// Commands to look at what the tour made.
    look: Vec<String>,
}

impl Report {
    /// Whether every step went as the protocol has it.
    pub(crate) fn passed(&self) -> bool {
        self.verdict == "passed"
    }

    /// How many steps were made.
    pub(crate) fn step_count(&self) -> usize {
        self.steps.len()
    }

    /// Commands to look at what the tour made, one a line.
    pub(crate) fn look(&self) -> &[String] {
        &self.look
    }
}

/// Walks the whole way, in `directory`, and tells of it. `seed` makes every random number the same again.
pub(crate) async fn walk(directory: &Path, seed: Option<u64>, output: &mut Output) -> Result<Tour, Failure> {
    let rng = seed.map_or_else(rand::make_rng, StdRng::seed_from_u64);
    let day = day_of_upload().map_err(|Mishap(text)| Failure::usage("CWA-E0801", text))?;
    let begin = at(day.minus(2), 9, 0);
    let world = World::begin(directory, begin, rng).await;
    let world = world.map_err(|Mishap(text)| {
        Failure::new(Kind::System, "CWA-E0802", format!("the tour's server did not start: {text}"))
    })?;
    let mut story = Story::new(output, world.clock.clone(), day);
    let mut tour = Walk::new(world, day);
    let passed = match tour.walk(&mut story).await {
        Ok(()) => true,
        Err(TourEnd::Mishap) => false,
        Err(TourEnd::Failure(failure)) => return Err(failure),
    };
    let steps = story.steps().to_vec();
    story.timeline()?;
    let report = Report {
        verdict: if passed { "passed" } else { "failed" },
        steps,
        directory: directory.display().to_string(),
        look: look(directory, day),
    };
    Ok(Tour { report, server: passed.then_some(tour.world.server) })
}

/// Commands that show what the tour made.
fn look(directory: &Path, day: Day) -> Vec<String> {
    let show = |path: PathBuf| path.display().to_string();
    let (server, phones) = (directory.join("server"), directory.join("phones"));
    let key = show(phones.join("pinned-key.pem"));
    let day_package =
        |day| server.join("www").join(DistributionPath::DayPackage { country: COUNTRY, day }.file_path());
    let package = show(day_package(day));
    let configuration = show(server.join("www").join(CONFIGURATION.file_path()));
    vec![
        format!("cwa export inspect --keys {package}"),
        format!("cwa export verify --public-key {key} {package}"),
        format!(
            "cwa match --sightings {} --public-key {key} --export {package}",
            show(phones.join("ben/sightings.jsonl"))
        ),
        format!("cwa config inspect {configuration}"),
    ]
}
