#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod fake;
pub mod guid;
pub mod hash;
#[cfg(feature = "memory")]
pub mod memory;
pub mod message;
pub mod playbook;
pub mod qr;
pub mod registration;
pub mod seal;
pub mod service;
pub mod store;
pub mod tan;
pub mod tele_tan;
pub mod test_result;
mod uuid4;

pub use guid::{
    DateOfBirth, DateOfBirthError, DateOfBirthKey, Guid, GuidError, HashedGuid, TestId, TestIdError,
};
pub use hash::{HashKey, HashKeyId, PayloadDigest, ReservationId};
#[cfg(feature = "memory")]
pub use memory::MemoryStore;
pub use registration::RegistrationToken;
pub use service::{Policy, Role, VerificationService};
pub use tan::Tan;
pub use tele_tan::{TeleTan, TeleTanError, TeleTanType};
pub use test_result::{LabId, TestResult};
pub use uuid4::Uuid4Error;
