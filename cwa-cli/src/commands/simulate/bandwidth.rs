//! `cwa simulate bandwidth`: cases × bytes × overhead × clients, as the solution architecture estimates.

use serde::Serialize;

use crate::args::Answer;
use crate::failure::Failure;
use crate::output::{Output, style};

/// Arguments of `cwa simulate bandwidth`. The defaults are the solution architecture's ("Bandwidth estimations").
#[derive(Clone, Copy, Debug, clap::Args, Serialize)]
pub(crate) struct BandwidthArguments {
    /// New cases of a day.
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    cases: u64,
    /// Bytes of the keys of one case: 14 keys of 28 bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 392)]
    bytes_per_case: u64,
    /// What headers, handshakes and repetitions add, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 100)]
    overhead_percent: u64,
    /// Phones that download.
    #[arg(long, value_name = "N", default_value_t = 30_000_000)]
    clients: u64,
    /// Downloads of each phone on a day.
    #[arg(long, value_name = "N", default_value_t = 24)]
    requests_per_day: u64,
}

/// The answer of `cwa simulate bandwidth`; every number is of one day.
#[derive(Debug, Serialize)]
struct Estimate {
    #[serde(flatten)]
    parameters: BandwidthArguments,
    bytes_per_client: u64,
    megabytes_per_client: f64,
    mebibytes_per_client: f64,
    total_bytes: u64,
    total_terabytes: f64,
    total_tebibytes: f64,
    requests: u64,
    /// Spread evenly.
    requests_per_second: f64,
    /// Spread evenly.
    bits_per_second: f64,
}

impl BandwidthArguments {
    pub(super) fn run(&self, output: &mut Output) -> Result<Answer, Failure> {
        let estimate = self.estimate().ok_or_else(|| {
            Failure::usage("CWA-E0911", format!("the estimate has more than {} bytes or requests", u64::MAX))
        })?;
        output.answer("cwa.simulate.bandwidth/1", &estimate, |text| {
            let strong = style::STRONG;
            writeln!(
                text,
                "{} cases × {} bytes × {} % × {} clients",
                self.cases,
                self.bytes_per_case,
                u128::from(self.overhead_percent) + 100,
                self.clients
            )?;
            writeln!(
                text,
                "each client   {strong}{:.3} MB{strong:#} = {:.3} MiB a day",
                estimate.megabytes_per_client, estimate.mebibytes_per_client
            )?;
            writeln!(
                text,
                "all clients   {strong}{:.2} TB{strong:#} = {:.2} TiB a day, {:.2} Gbit/s spread evenly",
                estimate.total_terabytes,
                estimate.total_tebibytes,
                estimate.bits_per_second / 1e9
            )?;
            writeln!(
                text,
                "requests      {strong}{:.0} a second{strong:#} spread evenly, {} a day",
                estimate.requests_per_second, estimate.requests
            )?;
            if self.is_the_architectures() {
                writeln!(
                    text,
                    "The solution architecture says 1.5 MB and 42.8 TB, which are binary units, and about 8,500 a second."
                )?;
            }
            Ok(())
        })?;
        Ok(Answer::Yes)
    }

    /// `None` if a number does not fit.
    fn estimate(&self) -> Option<Estimate> {
        let keys = u128::from(self.cases).checked_mul(u128::from(self.bytes_per_case))?;
        let with_overhead = keys.checked_mul(u128::from(self.overhead_percent).checked_add(100)?)? / 100;
        let bytes_per_client = u64::try_from(with_overhead).ok()?;
        let total_bytes = bytes_per_client.checked_mul(self.clients)?;
        let requests = self.clients.checked_mul(self.requests_per_day)?;
        Some(Estimate {
            parameters: *self,
            bytes_per_client,
            megabytes_per_client: real(bytes_per_client) / 1e6,
            mebibytes_per_client: real(bytes_per_client) / real(1 << 20),
            total_bytes,
            total_terabytes: real(total_bytes) / 1e12,
            total_tebibytes: real(total_bytes) / real(1 << 40),
            requests,
            requests_per_second: real(requests) / SECONDS_A_DAY,
            bits_per_second: real(total_bytes) * 8.0 / SECONDS_A_DAY,
        })
    }

    const fn is_the_architectures(&self) -> bool {
        matches!(
            self,
            Self {
                cases: 2_000,
                bytes_per_case: 392,
                overhead_percent: 100,
                clients: 30_000_000,
                requests_per_day: 24
            }
        )
    }
}

/// To be shown: what is beyond 2⁵³ is rounded.
#[expect(clippy::cast_precision_loss, reason = "an estimate is shown with few digits")]
const fn real(number: u64) -> f64 {
    number as f64
}

const SECONDS_A_DAY: f64 = 86_400.0;

#[cfg(test)]
mod tests {
    use super::*;

    const ARCHITECTURE: BandwidthArguments = BandwidthArguments {
        cases: 2_000,
        bytes_per_case: 392,
        overhead_percent: 100,
        clients: 30_000_000,
        requests_per_day: 24,
    };

    #[test]
    fn the_architectures_numbers_are_binary_units() {
        let estimate = ARCHITECTURE.estimate().unwrap();
        assert_eq!((estimate.bytes_per_client, estimate.total_bytes), (1_568_000, 47_040_000_000_000));
        assert_eq!(estimate.requests, 720_000_000);
        assert_eq!(format!("{:.3}", estimate.mebibytes_per_client), "1.495");
        assert_eq!(format!("{:.2}", estimate.total_tebibytes), "42.78");
        assert_eq!(format!("{:.0}", estimate.requests_per_second), "8333");
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        for wrong in [
            BandwidthArguments { clients: u64::MAX, ..ARCHITECTURE },
            BandwidthArguments { cases: u64::MAX, ..ARCHITECTURE },
            BandwidthArguments { cases: u64::MAX, bytes_per_case: u64::MAX, ..ARCHITECTURE },
            BandwidthArguments { requests_per_day: u64::MAX, ..ARCHITECTURE },
        ] {
            assert!(wrong.estimate().is_none());
        }
    }
}
