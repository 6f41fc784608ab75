//! The table of ratios, as text (which is Markdown) and as JSON.

use core::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::machine::Machine;

/// All that one run, or the worst of several, has to say.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Document {
    /// Name and version of the form.
    pub schema: String,
    /// Where the figures were taken.
    pub machine: Machine,
    /// In how many processes.
    pub runs: usize,
    /// Whether only answers were compared, and figures mean nothing.
    pub smoke: bool,
    /// Contestants by what they competed in.
    pub races: Vec<Race>,
    /// What is quoted.
    pub rows: Vec<Row>,
}

/// Contestants that took turns.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Race {
    /// At what.
    pub name: String,
    /// What is measured, for example `ns/key`.
    pub unit: String,
    /// The contestants' figures.
    pub times: Vec<Time>,
}

/// What was measured of one contestant.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Time {
    /// The contestant.
    pub name: String,
    /// Its best segment.
    pub minimum: f64,
    /// A tenth of the segments were quicker.
    pub p10: f64,
}

impl Time {
    /// The figures of a contestant from those of its segments, of which there is at least one.
    #[must_use]
    pub fn of(name: impl Into<String>, mut samples: Vec<f64>) -> Self {
        samples.sort_unstable_by(f64::total_cmp);
        Self { name: name.into(), minimum: samples[0], p10: samples[samples.len() / 10] }
    }
}

/// One line of the table.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// What is quoted.
    pub name: String,
    /// Its unit, with a space before it if it is a word.
    pub unit: String,
    /// From the minima.
    pub measured: Option<f64>,
    /// From the tenth percentiles.
    pub p10: Option<f64>,
    /// The figure that has to be reached.
    pub at_least: Option<f64>,
    /// The figure that is aimed at.
    pub aim: Option<f64>,
    /// In which direction.
    pub better: Better,
    /// Why nothing was measured.
    pub missing: Option<String>,
}

/// Which figures are good.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "there are two directions")]
pub enum Better {
    /// The more the better.
    Higher,
    /// The less the better.
    Lower,
}

impl Document {
    /// What one run has to say.
    #[must_use]
    pub fn new(schema: &str, races: Vec<Race>, rows: Vec<Row>, smoke: bool) -> Self {
        Self { schema: schema.to_owned(), machine: Machine::here(), runs: 1, smoke, races, rows }
    }

    /// All of it as JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("numbers and texts can be written");
        text.push('\n');
        text
    }

    /// All of it as Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        let machine = &self.machine;
        let _ = writeln!(
            text,
            "Processor {}, {} cores, {}; {}; load {}; {}.\n",
            machine.processor,
            machine.cores,
            machine.instructions.join(" "),
            machine.compiler,
            machine.load,
            match self.runs {
                1 => "one run".to_owned(),
                runs => format!("the worst of {runs} runs"),
            }
        );
        if self.smoke {
            text.push_str("SMOKE TEST: outputs were compared, but nothing was measured for long enough to be quoted.\n\n");
        }
        for race in &self.races {
            let _ = writeln!(text, "| {}, {} | minimum | p10 |\n|---|---:|---:|", race.name, race.unit);
            for time in &race.times {
                let _ = writeln!(text, "| {} | {:.1} | {:.1} |", time.name, time.minimum, time.p10);
            }
            text.push('\n');
        }
        text.push_str(
            "| ratio | measured | of p10 | at least | aim | met |\n|---|---:|---:|---:|---:|---|\n",
        );
        for row in &self.rows {
            let number = |number: Option<f64>| number.map_or_else(String::new, |number| row.number(number));
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                row.name,
                row.missing.clone().unwrap_or_else(|| number(row.measured)),
                number(row.p10),
                row.bound(row.at_least),
                row.bound(row.aim),
                row.met()
            );
        }
        text
    }
}

impl Race {
    /// What was measured, in this unit.
    #[must_use]
    pub fn new(name: impl Into<String>, unit: &str, times: Vec<Time>) -> Self {
        Self { name: name.into(), unit: unit.to_owned(), times }
    }

    /// A figure of the contestant with this name.
    #[must_use]
    pub fn time(&self, name: &str, of: fn(&Time) -> f64) -> f64 {
        of(self.times.iter().find(|time| time.name == name).expect("a contestant of this race"))
    }
}

impl Row {
    /// A row whose two figures come from the same computation over minima and over tenth percentiles.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        unit: &str,
        better: Better,
        of: impl Fn(fn(&Time) -> f64) -> f64,
    ) -> Self {
        Self {
            name: name.into(),
            unit: unit.to_owned(),
            measured: Some(of(|time| time.minimum)),
            p10: Some(of(|time| time.p10)),
            at_least: None,
            aim: None,
            better,
            missing: None,
        }
    }

    /// A row without a figure, and why.
    #[must_use]
    pub fn missing(name: impl Into<String>, unit: &str, better: Better, why: &str) -> Self {
        let mut row = Self::new(name, unit, better, |_| 0.0);
        (row.measured, row.p10, row.missing) = (None, None, Some(why.to_owned()));
        row
    }

    /// With the figure that has to be reached, and the one that is aimed at.
    #[must_use]
    pub fn bounds(self, at_least: f64, aim: f64) -> Self {
        Self { at_least: Some(at_least), aim: Some(aim), ..self }
    }

    /// Of the same figure from another run, the worse.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        let worse = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) if self.better == Better::Higher => Some(a.min(b)),
            (Some(a), Some(b)) => Some(a.max(b)),
            _ => None,
        };
        let (measured, p10) = (worse(self.measured, other.measured), worse(self.p10, other.p10));
        Self { measured, p10, ..self }
    }

    fn met(&self) -> &'static str {
        let reaches = |bound: f64| {
            self.measured.is_some_and(|measured| match self.better {
                Better::Higher => measured >= bound,
                Better::Lower => measured <= bound,
            })
        };
        match (self.at_least, self.aim) {
            _ if self.measured.is_none() => "",
            (_, Some(aim)) if reaches(aim) => "aim",
            (Some(at_least), _) if reaches(at_least) => "yes",
            (None, None) => "",
            _ => "NO",
        }
    }

    fn bound(&self, bound: Option<f64>) -> String {
        let sign = if self.better == Better::Lower { "≤ " } else { "" };
        bound.map_or_else(String::new, |bound| format!("{sign}{}", self.number(bound)))
    }

    fn number(&self, number: f64) -> String {
        let digits = if number < 10.0 { 2 } else { 1 };
        format!("{number:.digits$}{}", self.unit)
    }
}
