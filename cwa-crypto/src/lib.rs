#![doc = include_str!("../README.md")]
#![no_std]
#![deny(unsafe_code)]
extern crate alloc;

pub mod diagnosis;
pub mod tek;
pub mod time;

pub use diagnosis::{DaysSinceOnsetOfSymptoms, DiagnosisKey, ReportType, TransmissionRiskLevel};
pub use tek::TemporaryExposureKey;
pub use time::{Day, ENIntervalNumber, RollingPeriod, UnixTime};
