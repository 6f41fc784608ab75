//! `cwa simulate download`: when the phones of a country ask, second by second, over one day.

use core::convert::Infallible;
use std::io::{self, Write};
use std::path::PathBuf;

use cwa_crypto::{Day, UnixTime};
use cwa_export::transfer::{Outcome, TransferPlanner, TransferPolicy};
use rand::rngs::StdRng;
use rand::{Rng, RngExt as _, SeedableRng as _, TryRng};
use serde::Serialize;

use super::svg;
use crate::args::{Answer, Global};
use crate::failure::Failure;
use crate::output::{Output, replace_file, style};

/// Arguments of `cwa simulate download`.
#[derive(Debug, clap::Args)]
pub(crate) struct DownloadArguments {
    /// Phones that download.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=30_000_000))]
    clients: u32,
    /// How often each of them downloads on a day: 24 is every hour, 6 what later frameworks allow.
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=24))]
    runs_per_day: u32,
    /// How many seconds the phones' clocks are slow, at most; without spreading, that alone keeps them apart.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(..3600))]
    clock_error: u64,
    /// How many runs of a hundred fail and are repeated after a delay.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..100))]
    failure_percent: u32,
    /// Draw both curves, the busiest second of each minute of the day, into this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// The answer of `cwa simulate download`.
#[derive(Serialize)]
struct Simulated {
    clients: u32,
    runs_per_day: u32,
    clock_error: u64,
    failure_percent: u32,
    /// Every phone at a random second of each interval.
    spread: Curve,
    /// Every phone when its clock shows that an interval has begun.
    unspread: Curve,
}

/// The requests of one day.
#[derive(Serialize)]
struct Curve {
    requests: u64,
    mean_per_second: f64,
    /// In the busiest second.
    peak_per_second: u32,
    peak_over_mean: f64,
    /// The busiest second of each of the twelve five minutes of an hour, over the day.
    busiest_by_five_minutes: [u32; 12],
    /// Requests in each minute of the day.
    minutes: Vec<u64>,
    /// The busiest second of each minute of the day.
    busiest_by_minute: Vec<u32>,
}

impl DownloadArguments {
    pub(super) fn run(&self, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
        let mut rng = global.rng();
        let mut delays = StdRng::from_rng(&mut rng);
        let document = Simulated {
            clients: self.clients,
            runs_per_day: self.runs_per_day,
            clock_error: self.clock_error,
            failure_percent: self.failure_percent,
            spread: Curve::of(&self.seconds(&mut delays, &mut rng)),
            unspread: Curve::of(&self.seconds(&mut AlwaysTheFirst, &mut rng)),
        };
        if let Some(path) = &self.svg {
            let panels = document.named().map(|(name, curve)| svg::Panel {
                name: format!("{name}: {:.1} times the mean in the busiest second", curve.peak_over_mean),
                values: &curve.busiest_by_minute,
            });
            replace_file(path, svg::day(&panels).as_bytes())?;
        }
        output.answer("cwa.simulate.download/1", &document, |text| write_curves(text, &document))?;
        Ok(Answer::Yes)
    }

    /// The day as the planner of each phone has it, when that draws its random moments from `delays`.
    fn seconds(&self, delays: &mut impl Rng, rng: &mut StdRng) -> Seconds {
        let mut seconds = Seconds::none();
        let mut policy = TransferPolicy::default();
        policy.calls_per_day = Some(self.runs_per_day);
        // They were at it before: what failed shortly before midnight is repeated on this day.
        let begin = DAY.start().minus(2 * policy.run_interval_seconds());
        for _ in 0..self.clients {
            let slow = rng.random_range(0..=self.clock_error);
            let mut planner = TransferPlanner::new(policy.clone());
            let mut shown = planner.first_run(begin, delays);
            while shown < DAY.next().start() {
                seconds.count(shown.plus(slow));
                let outcome = if self.fails(rng) { Outcome::Failed } else { Outcome::Complete };
                shown = planner.finish(outcome, shown, delays).next_run;
            }
        }
        seconds
    }

    fn fails(&self, rng: &mut StdRng) -> bool {
        self.failure_percent > 0 && rng.random_range(0..100) < self.failure_percent
    }
}

/// Draws nothing but zeros: a planner that asks it takes the first second of every interval and of every delay.
struct AlwaysTheFirst;

impl TryRng for AlwaysTheFirst {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0);
        Ok(())
    }
}

/// Requests in each second of the day.
struct Seconds(Vec<u32>);

impl Seconds {
    fn none() -> Self {
        Self(vec![0; SECONDS_A_DAY])
    }

    /// Counts a request, if it is on the day.
    fn count(&mut self, at: UnixTime) {
        let second = at.as_secs().checked_sub(DAY.start().as_secs());
        let second = second.and_then(|second| usize::try_from(second).ok());
        if let Some(count) = second.and_then(|second| self.0.get_mut(second)) {
            *count = count.saturating_add(1);
        }
    }
}

impl Curve {
    #[expect(clippy::cast_precision_loss, reason = "a mean is shown with few digits")]
    fn of(seconds: &Seconds) -> Self {
        let requests: u64 = seconds.0.iter().copied().map(u64::from).sum();
        let mean_per_second = requests as f64 / SECONDS_A_DAY as f64;
        let peak_per_second = seconds.0.iter().copied().max().unwrap_or(0);
        let minutes = || seconds.0.chunks(60);
        let mut busiest_by_five_minutes = [0; 12];
        for hour in seconds.0.chunks(3600) {
            for (busiest, five_minutes) in busiest_by_five_minutes.iter_mut().zip(hour.chunks(300)) {
                *busiest = five_minutes.iter().copied().max().unwrap_or(0).max(*busiest);
            }
        }
        Self {
            requests,
            mean_per_second,
            peak_per_second,
            peak_over_mean: f64::from(peak_per_second) / mean_per_second,
            busiest_by_five_minutes,
            minutes: minutes().map(|minute| minute.iter().copied().map(u64::from).sum()).collect(),
            busiest_by_minute: minutes().map(|minute| minute.iter().copied().max().unwrap_or(0)).collect(),
        }
    }
}

impl Simulated {
    fn named(&self) -> [(&'static str, &Curve); 2] {
        [
            ("at a random second of each interval", &self.spread),
            ("as soon as an interval begins", &self.unspread),
        ]
    }
}

fn write_curves(text: &mut dyn Write, simulated: &Simulated) -> io::Result<()> {
    let strong = style::STRONG;
    writeln!(
        text,
        "{} phones, {} runs of each a day, {} % of runs fail",
        simulated.clients, simulated.runs_per_day, simulated.failure_percent
    )?;
    let curves = simulated.named();
    let most = curves.iter().map(|(_, curve)| curve.peak_per_second).max().unwrap_or(0).max(1);
    for (name, curve) in curves {
        writeln!(
            text,
            "\n{strong}{name}{strong:#}: {} requests, {:.1} a second, {} in the busiest: {:.1} times the mean",
            curve.requests, curve.mean_per_second, curve.peak_per_second, curve.peak_over_mean
        )?;
        for (minute, busiest) in (0..).step_by(5).zip(curve.busiest_by_five_minutes) {
            let length = u64::from(busiest) * BAR / u64::from(most);
            let bar = "█".repeat(usize::try_from(length).unwrap_or(0));
            let space = if bar.is_empty() { "" } else { " " };
            writeln!(text, "  :{minute:02} {busiest:>8}{space}{bar}")?;
        }
    }
    writeln!(text, "\nThe bars are the busiest second of each five minutes of the hour.")
}

/// Any day will do.
const DAY: Day = Day::new(18_465);
const SECONDS_A_DAY: usize = 86_400;
/// Length of the longest bar.
const BAR: u64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(failure_percent: u32) -> DownloadArguments {
        DownloadArguments { clients: 20_000, runs_per_day: 24, clock_error: 30, failure_percent, svg: None }
    }

    fn spread(arguments: &DownloadArguments) -> Curve {
        Curve::of(&arguments.seconds(&mut StdRng::seed_from_u64(2), &mut StdRng::seed_from_u64(1)))
    }

    fn unspread(arguments: &DownloadArguments) -> Curve {
        Curve::of(&arguments.seconds(&mut AlwaysTheFirst, &mut StdRng::seed_from_u64(1)))
    }

    #[test]
    fn every_phone_asks_once_an_hour_and_spreading_takes_the_peak_away() {
        let (spread, unspread) = (spread(&arguments(0)), unspread(&arguments(0)));
        assert_eq!(unspread.requests, 20_000 * 24);
        // Clocks that are slow move up to half a minute of requests over each midnight.
        assert!(spread.requests.abs_diff(20_000 * 24) < 1_000, "{}", spread.requests);
        // Of a Poisson distribution with mean 5.6, 25 is exceeded once in 10⁹ seconds.
        assert!(spread.peak_per_second <= 25, "{}", spread.peak_per_second);
        // In 31 of 3,600 seconds.
        assert!(unspread.peak_over_mean > 100.0, "{}", unspread.peak_over_mean);
        assert_eq!(unspread.busiest_by_five_minutes[1..], [0; 11]);
        // Mean 333, standard deviation 18.
        assert!(spread.minutes.iter().all(|count| (220..450).contains(count)), "{:?}", spread.minutes);
        assert_eq!((spread.minutes.len(), spread.busiest_by_minute.len()), (1_440, 1_440));
    }

    #[test]
    fn failures_are_repeated_and_stay_spread() {
        let spread = spread(&arguments(20));
        // One run leads to 1 / (1 − 0.2) requests on average.
        let expected = 20_000 * 24 * 5 / 4;
        assert!(spread.requests.abs_diff(expected) < expected / 50, "{}", spread.requests);
        assert!(spread.peak_over_mean < 5.0);
        assert!(unspread(&arguments(20)).peak_over_mean > 80.0);
    }

    #[test]
    fn phones_that_download_six_times_a_day_ask_six_times() {
        let arguments = DownloadArguments { runs_per_day: 6, ..arguments(0) };
        assert_eq!(unspread(&arguments).requests, 20_000 * 6);
        assert!(spread(&arguments).requests.abs_diff(20_000 * 6) < 1_000);
    }
}
