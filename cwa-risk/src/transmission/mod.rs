//! Transmission risk levels: how infectious a person was on the day of a key, and how that travels.
//!
//! A phone assigns a level to each key by what its owner says about symptoms ([`SymptomStatus`]); the German server
//! encodes it for frameworks that carry no level ([`encode`], [`decode`]).

mod encoding;
mod levels;

pub use encoding::{PublishedLevel, decode, encode};
pub use levels::{SymptomStatus, level_by_days_since_onset};
