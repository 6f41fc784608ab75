//! Counters in the Prometheus text format: totals by endpoint, status and kind; never anything about a client.

use core::fmt::Write as _;
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::error::ApiError;

/// What the server counts.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    answers: Mutex<BTreeMap<(&'static str, u16), u64>>,
    errors: Mutex<BTreeMap<ApiError, u64>>,
    /// Answers that left later than their deadline.
    pub(super) deadline_overflows: Counter,
    /// Dummy requests, of all endpoints.
    pub(super) fake_requests: Counter,
    /// Submissions whose keys were stored.
    pub(super) submissions_stored: Counter,
    /// Keys of these submissions.
    pub(super) keys_stored: Counter,
    /// Keys of these submissions that were dropped because of their age.
    pub(super) keys_dropped: Counter,
    /// Packages written by the publisher.
    pub(super) packages_published: Counter,
    /// Runs of the publisher that failed.
    pub(super) publish_failures: Counter,
    /// When the publisher last finished a run: Unix seconds of protocol time; 0 if never since the start.
    pub(super) last_publish: AtomicU64,
    /// Keys that wait for their package.
    pub(super) keys_pending: AtomicU64,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Metrics {
    /// Counts one answer.
    pub(super) fn answered(&self, endpoint: &'static str, status: u16) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry((endpoint, status)).or_default() += 1;
    }

    /// Counts one error by its kind.
    pub(super) fn failed(&self, error: ApiError) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        *errors.entry(error).or_default() += 1;
    }

    /// Prometheus text exposition format, version 0.0.4.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "# HELP cwa_answers_total Answers by endpoint and status.");
        let _ = writeln!(text, "# TYPE cwa_answers_total counter");
        for ((endpoint, status), count) in &*self.answers.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ =
                writeln!(text, "cwa_answers_total{{endpoint=\"{endpoint}\",status=\"{status}\"}} {count}");
        }
        let _ = writeln!(text, "# HELP cwa_errors_total Requests that were not granted, by kind.");
        let _ = writeln!(text, "# TYPE cwa_errors_total counter");
        for (error, count) in &*self.errors.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = writeln!(text, "cwa_errors_total{{kind=\"{}\"}} {count}", error.kind());
        }
        for (name, help, counter) in [
            ("cwa_deadline_overflows_total", "Answers later than their deadline.", &self.deadline_overflows),
            ("cwa_fake_requests_total", "Dummy requests.", &self.fake_requests),
            ("cwa_submissions_stored_total", "Submissions whose keys were stored.", &self.submissions_stored),
            ("cwa_keys_stored_total", "Diagnosis keys stored.", &self.keys_stored),
            ("cwa_keys_dropped_total", "Submitted keys dropped because of their age.", &self.keys_dropped),
            ("cwa_packages_published_total", "Packages written.", &self.packages_published),
            ("cwa_publish_failures_total", "Publishing runs that failed.", &self.publish_failures),
        ] {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {}", counter.get());
        }
        for (name, help, gauge) in [
            (
                "cwa_last_publish_timestamp_seconds",
                "Protocol time of the last publishing run.",
                &self.last_publish,
            ),
            ("cwa_keys_pending", "Diagnosis keys that wait for their package.", &self.keys_pending),
        ] {
            let value = gauge.load(Ordering::Relaxed);
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_has_a_help_a_type_and_a_value() {
        let metrics = Metrics::default();
        metrics.answered("tan", 201);
        metrics.answered("tan", 201);
        metrics.failed(ApiError::Refused);
        metrics.keys_stored.add(14);
        let text = metrics.render();
        assert!(text.contains("cwa_answers_total{endpoint=\"tan\",status=\"201\"} 2\n"));
        assert!(text.contains("cwa_errors_total{kind=\"refused\"} 1\n"));
        assert!(text.contains("# TYPE cwa_keys_stored_total counter\ncwa_keys_stored_total 14\n"));
        assert!(text.contains("# TYPE cwa_keys_pending gauge\ncwa_keys_pending 0\n"));
        let types = text.lines().filter(|line| line.starts_with("# TYPE")).count();
        assert_eq!(types, text.lines().filter(|line| line.starts_with("# HELP")).count());
    }
}
