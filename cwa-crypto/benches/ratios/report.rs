//! The table of ratios, as text (which is Markdown) and as JSON.

use core::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::measure::Time;

/// All that one run, or the worst of several, has to say.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Document {
    pub(crate) schema: String,
    pub(crate) machine: Machine,
    pub(crate) runs: usize,
    pub(crate) smoke: bool,
    /// Contestants by what they competed in.
    pub(crate) races: Vec<Race>,
    pub(crate) rows: Vec<Row>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Race {
    pub(crate) name: String,
    /// What is measured, for example `ns/key`.
    pub(crate) unit: String,
    pub(crate) times: Vec<Time>,
}

/// One line of the table.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) unit: String,
    /// From the minima.
    pub(crate) measured: Option<f64>,
    /// From the tenth percentiles.
    pub(crate) p10: Option<f64>,
    pub(crate) at_least: Option<f64>,
    pub(crate) aim: Option<f64>,
    pub(crate) better: Better,
    /// Why nothing was measured.
    pub(crate) missing: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    Higher,
    Lower,
}

impl Document {
    pub(crate) fn new(races: Vec<Race>, rows: Vec<Row>, smoke: bool) -> Self {
        Self {
            schema: "cwa-crypto.ratios/1".to_owned(),
            machine: Machine::here(),
            runs: 1,
            smoke,
            races,
            rows,
        }
    }

    pub(crate) fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap();
        text.push('\n');
        text
    }

    pub(crate) fn table(&self) -> String {
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
    /// A figure of the contestant with this name.
    pub(crate) fn time(&self, name: &str, of: fn(&Time) -> f64) -> f64 {
        of(self.times.iter().find(|time| time.name == name).expect("a contestant of this race"))
    }
}

impl Row {
    /// A row whose two figures come from the same computation over minima and over tenth percentiles.
    pub(crate) fn new(
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
    pub(crate) fn missing(name: impl Into<String>, unit: &str, better: Better, why: &str) -> Self {
        let mut row = Self::new(name, unit, better, |_| 0.0);
        (row.measured, row.p10, row.missing) = (None, None, Some(why.to_owned()));
        row
    }

    /// With the figure that has to be reached, and the one that is aimed at.
    pub(crate) fn bounds(self, at_least: f64, aim: f64) -> Self {
        Self { at_least: Some(at_least), aim: Some(aim), ..self }
    }

    /// Of the same figure from another run, the worse.
    pub(crate) fn worst(self, other: Self) -> Self {
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
