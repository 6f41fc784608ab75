//! The identifiers of many diagnosis keys at once.
//!
//! Whoever looks for encounters in a day's export derives the 144 identifiers of every key in it: 144 million
//! encryptions for a million keys. Keys are taken in groups, so that the units of the processor which hash and encrypt
//! work on many of them at a time. Two [backends](Backend) give the same bytes: one of the named crates alone, which
//! runs everywhere, and one for processors with AVX-512 and VAES, which is chosen while the program runs.

pub(crate) mod hkdf;
mod portable;
#[cfg(test)]
mod tests;

use core::fmt;

use crate::diagnosis::DiagnosisKey;
use crate::rpi::{DayBlocks, Identifiers};
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
use crate::simd::Avx512;

/// Derives the identifiers of many keys with the [best backend](Backend::best): `out[i]` becomes what
/// `keys[i].identifiers()` gives.
///
/// Nothing is allocated. A batch of hundreds of keys is quicker for each than one of a few.
///
/// ```
/// use cwa_crypto::derive::derive;
/// use cwa_crypto::rpi::Identifiers;
/// use cwa_crypto::{DiagnosisKey, ENIntervalNumber, RollingPeriod};
///
/// let key_data = 0x75c734c6dd1a782de7a965da5eb93125_u128.to_be_bytes();
/// let key = DiagnosisKey::new(key_data, ENIntervalNumber::new(2_642_976), RollingPeriod::FULL_DAY);
/// let mut days = vec![Identifiers::default(); 2];
/// derive(&[key, key], &mut days)?;
/// let (interval, rpi) = days[1].next().ok_or("no identifier")?;
/// assert_eq!(interval.get(), 2_642_976);
/// assert_eq!(rpi.to_string(), "8be6cd371c5c891604bfbe49df845096");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Errors
///
/// `keys` and `out` differ in length; then `out` is as it was.
pub fn derive(keys: &[DiagnosisKey], out: &mut [Identifiers]) -> Result<(), BatchLengthError> {
    derive_with(Backend::best(), keys, out)
}

/// Derives as [`derive()`] does, with this backend.
///
/// A backend that this machine has not is replaced by [`Backend::Portable`], which gives the same bytes.
///
/// # Errors
///
/// `keys` and `out` differ in length; then `out` is as it was.
pub fn derive_with(
    backend: Backend,
    keys: &[DiagnosisKey],
    out: &mut [Identifiers],
) -> Result<(), BatchLengthError> {
    if keys.len() != out.len() {
        return Err(BatchLengthError { keys: keys.len(), out: out.len() });
    }
    run(backend, keys, &mut IntoIdentifiers { keys, out, spare: DayBlocks::ZERO });
    Ok(())
}

/// Which code derives. Every backend gives the same bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Backend {
    /// The named crates, on every processor; they use its instructions for AES and SHA-256 where it has them.
    Portable,
    /// 16 keys in each vector for SHA-256, four blocks in each for AES: x86-64 with AVX-512 and VAES, feature `simd`.
    Avx512,
}

impl Backend {
    /// The fastest backend that is available here.
    #[must_use]
    pub fn best() -> Self {
        if Self::Avx512.is_available() { Self::Avx512 } else { Self::Portable }
    }

    /// Whether the processor and the operating system have what it needs, and the crate was built with it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(all(feature = "simd", target_arch = "x86_64"))]
            Self::Avx512 => Avx512::detect().is_some(),
            #[cfg(not(all(feature = "simd", target_arch = "x86_64")))]
            Self::Avx512 => false,
        }
    }

    /// Every backend that is available here, the portable one first.
    pub fn all_available() -> impl Iterator<Item = Self> {
        [Self::Portable, Self::Avx512].into_iter().filter(|backend| backend.is_available())
    }

    /// The name in lower case, without spaces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx512 => "avx512",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A batch whose place for results is not as long as its list of keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{keys} keys need as many places for identifiers, not {out}")]
#[non_exhaustive]
pub struct BatchLengthError {
    /// How many keys there are.
    pub keys: usize,
    /// How many places for their identifiers there are.
    pub out: usize,
}

/// Derives the days of all keys, in order: 144 identifiers of every key, whatever its period. Intervals count from the
/// key's start and wrap around after `u32::MAX`.
pub(crate) fn run(backend: Backend, keys: &[DiagnosisKey], days: &mut impl Days) {
    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    if backend == Backend::Avx512
        && let Some(avx512) = Avx512::detect()
    {
        return avx512.run(keys, days);
    }
    #[cfg(not(all(feature = "simd", target_arch = "x86_64")))]
    let (Backend::Portable | Backend::Avx512) = backend;
    portable::run(keys, days);
}

/// Where a backend puts the days it derives: it fills [`blocks`](Self::blocks) of a place and then calls
/// [`complete`](Self::complete), place after place.
///
/// A backend that uses vectors has the other units of the processor to spare while it encrypts. It offers them for
/// something that is to be done [`meanwhile`](Self::meanwhile), in thirds of a day. Only part of the days, or none, is
/// derived with such an offer; `complete` has to see to what was not done.
pub(crate) trait Days {
    type Meanwhile<'a>: Meanwhile
    where
        Self: 'a;

    fn blocks(&mut self, place: usize) -> &mut DayBlocks;

    /// What can be done while this third, 0 to 2, of the day of this place is derived. What is complete by then can be
    /// read.
    fn meanwhile(&self, place: usize, third: usize) -> Self::Meanwhile<'_>;

    /// What became of it.
    fn did_meanwhile(&mut self, place: usize, third: usize, result: u64);

    fn complete(&mut self, place: usize);
}

/// Something in eight steps, 0 to 7, each of which goes on with the result of the one before; the first with zero.
pub(crate) trait Meanwhile: Copy {
    fn step(&self, result: u64, eighth: usize) -> u64;
}

/// Nothing.
impl Meanwhile for () {
    #[inline(always)]
    fn step(&self, result: u64, _eighth: usize) -> u64 {
        result
    }
}

/// Every day where it is to be in the end.
struct IntoIdentifiers<'a> {
    keys: &'a [DiagnosisKey],
    out: &'a mut [Identifiers],
    /// For places that do not exist; no backend asks for one.
    spare: DayBlocks,
}

impl Days for IntoIdentifiers<'_> {
    type Meanwhile<'a>
        = ()
    where
        Self: 'a;

    #[inline(always)]
    fn blocks(&mut self, place: usize) -> &mut DayBlocks {
        self.out.get_mut(place).map_or(&mut self.spare, Identifiers::blocks_mut)
    }

    #[inline(always)]
    fn meanwhile(&self, _place: usize, _third: usize) {}

    #[inline(always)]
    fn did_meanwhile(&mut self, _place: usize, _third: usize, _result: u64) {}

    #[inline(always)]
    fn complete(&mut self, place: usize) {
        if let (Some(key), Some(out)) = (self.keys.get(place), self.out.get_mut(place)) {
            out.rewind(key.rolling_start_interval_number, key.rolling_period);
        }
    }
}
