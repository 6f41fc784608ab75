//! Transmission risk levels: how infectious a person was on the day of a key, and how that travels.
//!
//! A phone assigns a level to each key by what its owner says about symptoms ([`SymptomStatus`]); the German server
//! encodes it for frameworks that carry no level ([`encode`], [`decode`]), and derives it for keys of other countries that
//! carry none ([`level_from_days_since_onset`]).

mod derivation;
mod encoding;
mod levels;

pub use derivation::{days_since_onset_from_level, level_from_days_since_onset};
pub use encoding::{PublishedLevel, decode, encode};
pub use levels::{SymptomStatus, level_by_days_since_onset};
