#![doc = include_str!("../README.md")]
#![no_std]
#![deny(unsafe_code)]
extern crate alloc;

pub mod aem;
pub mod broadcast;
pub mod bytes;
pub mod derive;
pub mod diagnosis;
pub mod matching;
pub mod metadata;
pub mod rpi;
pub mod schedule;
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
mod simd;
pub mod tek;
pub mod time;

pub use aem::{AssociatedEncryptedMetadata, AssociatedEncryptedMetadataKey};
pub use broadcast::Advertisement;
pub use diagnosis::{DaysSinceOnsetOfSymptoms, DiagnosisKey, ReportType, TransmissionRiskLevel};
pub use metadata::{Attenuation, BluetoothMetadata, TransmitPower};
pub use rand_core;
pub use rpi::{RollingProximityIdentifier, RollingProximityIdentifierKey};
pub use schedule::KeySchedule;
pub use tek::TemporaryExposureKey;
pub use time::{Day, ENIntervalNumber, RollingPeriod, UnixTime};
