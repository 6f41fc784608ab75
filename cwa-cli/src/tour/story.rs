//! What the tour tells: each step as it happens, a timeline at the end, and the same as data.

use core::future::Future;
use std::io;

use cwa_crypto::{Day, UnixTime};
use serde::Serialize;

use crate::clock::ProtocolClock;
use crate::failure::Failure;
use crate::output::{Output, style};

/// The steps so far, and where they are told.
#[derive(Debug)]
pub(super) struct Story<'a> {
    output: &'a mut Output,
    clock: ProtocolClock,
    /// The day of the upload, from which days are counted.
    day: Day,
    steps: Vec<Step>,
}

/// One thing that was done, and how it went.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) ok: bool,
    pub(super) detail: String,
    /// Protocol time, in Unix seconds.
    pub(super) at: UnixTime,
}

/// A step that did not go as the protocol has it. The tour ends there.
#[derive(Debug)]
pub(super) struct Mishap(pub(super) String);

impl<E: core::error::Error> From<E> for Mishap {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        Self(text)
    }
}

/// Ends a step with a [`Mishap`] unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::tour::story::Mishap(format!($($message)+)));
        }
    };
}
pub(super) use ensure;

impl<'a> Story<'a> {
    pub(super) const fn new(output: &'a mut Output, clock: ProtocolClock, day: Day) -> Self {
        Self { output, clock, day, steps: Vec::new() }
    }

    /// A heading between steps.
    pub(super) fn chapter(&mut self, title: &str) -> Result<(), Failure> {
        let strong = style::STRONG;
        self.output.progress(|text| writeln!(text, "\n{strong}{title}{strong:#}"))
    }

    /// Does one step and tells how it went. The step's own value is what the next ones need, beside the detail.
    pub(super) async fn step<T>(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Result<(T, String), Mishap>>,
    ) -> Result<T, TourEnd> {
        let outcome = work.await;
        let at = self.clock.now();
        let (value, ok, detail) = match outcome {
            Ok((value, detail)) => (Some(value), true, detail),
            Err(Mishap(detail)) => (None, false, detail),
        };
        let step = Step { name, ok, detail, at };
        self.tell(&step)?;
        self.steps.push(step);
        value.ok_or(TourEnd::Mishap)
    }

    fn tell(&mut self, step: &Step) -> Result<(), Failure> {
        let (faint, good, bad) = (style::FAINT, style::GOOD, style::BAD);
        let when = when(self.day, step.at);
        self.output.progress(|text| {
            let sign = if step.ok { format!("{good}✓{good:#}") } else { format!("{bad}✗{bad:#}") };
            writeln!(text, "  {sign} {faint}{when:>9}{faint:#}  {}", step.name)?;
            for line in step.detail.lines() {
                writeln!(text, "               {faint}{line}{faint:#}")?;
            }
            Ok(())
        })
    }

    /// The steps, for those who want them as data.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Everything on one page, a line per step, in the order of time.
    pub(super) fn timeline(&mut self) -> Result<(), Failure> {
        let Self { output, steps, day, .. } = self;
        output.progress(|text| write_timeline(steps, *day, text))
    }
}

/// `D−2 14:00`: how the tour names moments, counted from `day`.
pub(super) fn when(day: Day, at: UnixTime) -> String {
    let minutes = at.seconds_since(at.day().start()) / 60;
    let name = match at.day().get().cmp(&day.get()) {
        core::cmp::Ordering::Less => format!("D−{}", day.get() - at.day().get()),
        core::cmp::Ordering::Equal => "D".to_owned(),
        core::cmp::Ordering::Greater => format!("D+{}", at.day().get() - day.get()),
    };
    format!("{name} {:02}:{:02}", minutes / 60, minutes % 60)
}

fn write_timeline(steps: &[Step], day: Day, text: &mut dyn io::Write) -> io::Result<()> {
    let (strong, faint) = (style::STRONG, style::FAINT);
    writeln!(text, "\n{strong}Timeline{strong:#}  {faint}(D is {}, protocol time, UTC){faint:#}", day)?;
    for steps in steps.chunk_by(|a, b| a.at == b.at) {
        for (index, step) in steps.iter().enumerate() {
            let when = if index == 0 { when(day, step.at) } else { String::new() };
            let joint = match (index, steps.len()) {
                (0, 1) => "─",
                (0, _) => "┬",
                (index, count) if index + 1 == count => "└",
                _ => "├",
            };
            writeln!(text, "  {when:>9} {joint} {}{}", step.name, if step.ok { "" } else { "  ✗" })?;
        }
    }
    Ok(())
}

/// Why a tour ended before its end.
#[derive(Debug)]
pub(super) enum TourEnd {
    /// A step went wrong; the story has it.
    Mishap,
    /// The story itself could not be told.
    Failure(Failure),
}

impl Mishap {
    /// The end of the tour between two steps.
    pub(super) fn into_end(self) -> TourEnd {
        TourEnd::Failure(Failure::new(
            crate::failure::Kind::System,
            "CWA-E0803",
            format!("the tour cannot go on: {}", self.0),
        ))
    }
}

impl From<Failure> for TourEnd {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}
