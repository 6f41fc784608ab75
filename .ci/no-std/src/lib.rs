//! A program without `std` that uses `cwa-crypto` and `cwa-risk`.
//!
//! It brings its own panic handler. If a dependency drags `std` in, there are two of them, and the compiler refuses with
//! E0152: being `no_std` is proved by linking, not claimed by an attribute.
#![no_std]

extern crate alloc;

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;

use cwa_crypto::{
    Attenuation, ENIntervalNumber, RollingPeriod, TemporaryExposureKey, TransmissionRiskLevel, UnixTime,
};
use cwa_risk::v1::{EncounterRules, KeyExposures, Parameters, Sighting};

/// From a key to a risk score, so that the code of both crates is linked.
#[unsafe(no_mangle)]
pub extern "C" fn score_of_a_day_with(first_byte: u8) -> u16 {
    let start = ENIntervalNumber::new(2_642_976);
    let tek = TemporaryExposureKey::from_bytes([first_byte; TemporaryExposureKey::LENGTH]);
    let identifiers = tek.rolling_proximity_identifier_key().identifiers(start, RollingPeriod::FULL_DAY);
    let sightings: Vec<Sighting> = identifiers
        .map(|(interval, rpi)| Sighting {
            seen_at: interval.start(),
            attenuation: Attenuation::from_db(rpi.as_bytes()[0]),
            interval,
        })
        .collect();
    let now: UnixTime = start.start().plus(2 * 86_400);
    let level = TransmissionRiskLevel::UNUSED;
    let parameters = Parameters::default();
    let key =
        KeyExposures::evaluate(&sightings, start.start(), level, &parameters, EncounterRules::default(), now);
    key.exposures.iter().map(|scored| scored.risk.score()).max().unwrap_or(0)
}

/// Has no memory to give: this library is linked, never run.
struct NoMemory;

// SAFETY: a null pointer says that there is no memory, so nothing is ever given back either.
unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: NoMemory = NoMemory;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
