#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

pub mod cwa;
pub mod exact;
pub mod explain;
pub mod transmission;
pub mod v1;

pub use exact::{Exact, NonNegative};
pub use explain::Step;
