//! The number of the decision path: an exact fraction.
//!
//! Published risk parameters are decimals of at most three places, durations are whole seconds and divisors whole
//! numbers, so every score is a fraction. Computed as one it does not depend on the order of the terms, which a
//! binary floating-point sum does: there it can be the order that decides between two risk classes.
//! Nothing is rounded here unless a caller asks for it by name ([`Exact::round`]).

mod decimal;
mod non_negative;
#[cfg(feature = "serde")]
mod serde_impls;

use core::cmp::Ordering;
use core::fmt;

pub use decimal::ParseExactError;
pub use non_negative::{NegativeError, NonNegative, ParseNonNegativeError};

/// An exact fraction with a sign, in lowest terms; numerator and denominator are at most `i128::MAX`.
///
/// Arithmetic is checked: a result that does not fit is [`ExactOverflow`], never a wrong number.
/// Comparison never overflows.
///
/// ```
/// use cwa_risk::Exact;
///
/// // (25 / 50) * (10 min * 1 + 9 min * 0.5) with the weights of 2020-09-15
/// let half: Exact = "0.5".parse()?;
/// let minutes = Exact::from(9).checked_mul(half)?.checked_add(Exact::from(10))?;
/// let score = Exact::from(25).checked_div(Exact::from(50))?.checked_mul(minutes)?;
/// assert_eq!(score.to_string(), "7.25");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Exact {
    numerator: i128,
    /// Positive, and prime to the numerator.
    denominator: i128,
}

/// What to do with an exact half when a number is rounded.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Rounding {
    /// To the neighbour whose last digit is even, as Kotlin's `round` does.
    HalfEven,
    /// Away from zero, as Swift's `rounded()` does.
    HalfAwayFromZero,
    /// Towards positive infinity, as Java's `Math.round` does.
    HalfUp,
}

impl Exact {
    /// 0.
    pub const ZERO: Self = Self { numerator: 0, denominator: 1 };
    /// 1.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };

    /// `numerator / denominator`; `None` if the denominator is 0.
    ///
    /// ```
    /// use cwa_risk::Exact;
    /// assert_eq!(Exact::ratio(90, -60).unwrap().to_string(), "-1.5");
    /// assert_eq!(Exact::ratio(1, 0), None);
    /// ```
    #[must_use]
    pub fn ratio(numerator: i64, denominator: i64) -> Option<Self> {
        Self::reduced(numerator.into(), denominator.into()).ok()
    }

    /// The numerator of the fraction in lowest terms; it carries the sign.
    #[must_use]
    pub const fn numerator(self) -> i128 {
        self.numerator
    }

    /// The denominator of the fraction in lowest terms; positive.
    #[must_use]
    pub const fn denominator(self) -> i128 {
        self.denominator
    }

    /// Whether the number is below 0.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.numerator < 0
    }

    /// How many decimal places it takes to write the number exactly; `None` if no number of places does.
    ///
    /// ```
    /// use cwa_risk::Exact;
    /// assert_eq!("0.125".parse::<Exact>()?.decimal_places(), Some(3));
    /// assert_eq!(Exact::ratio(1, 3).unwrap().decimal_places(), None);
    /// # Ok::<(), cwa_risk::exact::ParseExactError>(())
    /// ```
    #[must_use]
    pub const fn decimal_places(self) -> Option<u32> {
        let (mut rest, mut twos, mut fives) = (self.denominator, 0, 0);
        while rest % 2 == 0 {
            rest /= 2;
            twos += 1;
        }
        while rest % 5 == 0 {
            rest /= 5;
            fives += 1;
        }
        match (rest, twos > fives) {
            (1, true) => Some(twos),
            (1, false) => Some(fives),
            _ => None,
        }
    }

    /// The sum.
    ///
    /// # Errors
    ///
    /// [`ExactOverflow`] if the sum over the least common denominator does not fit, before it is reduced.
    pub fn checked_add(self, other: Self) -> Result<Self, ExactOverflow> {
        // Over the least common denominator, so that sums of minutes and of decimals stay small.
        let common = gcd(self.denominator, other.denominator);
        let (left, right) = (other.denominator / common, self.denominator / common);
        let numerator =
            mul(self.numerator, left)?.checked_add(mul(other.numerator, right)?).ok_or(ExactOverflow)?;
        Self::reduced(numerator, mul(self.denominator, left)?)
    }

    /// The difference.
    ///
    /// # Errors
    ///
    /// [`ExactOverflow`] as for [`Exact::checked_add`].
    pub fn checked_sub(self, other: Self) -> Result<Self, ExactOverflow> {
        self.checked_add(Self { numerator: -other.numerator, denominator: other.denominator })
    }

    /// The product.
    ///
    /// # Errors
    ///
    /// [`ExactOverflow`] if the product does not fit.
    pub fn checked_mul(self, other: Self) -> Result<Self, ExactOverflow> {
        // Cancelling crosswise first: then only a product that does not fit overflows.
        let (a, b) = (gcd(self.numerator, other.denominator), gcd(other.numerator, self.denominator));
        Self::reduced(
            mul(self.numerator / a, other.numerator / b)?,
            mul(self.denominator / b, other.denominator / a)?,
        )
    }

    /// The quotient.
    ///
    /// # Errors
    ///
    /// [`ExactOverflow`] if the quotient does not fit; a quotient by 0 fits nowhere.
    pub fn checked_div(self, other: Self) -> Result<Self, ExactOverflow> {
        let sign = other.numerator.signum();
        if sign == 0 {
            return Err(ExactOverflow);
        }
        self.checked_mul(Self { numerator: other.denominator * sign, denominator: other.numerator * sign })
    }

    /// The sum of all terms, the same in every order of them.
    ///
    /// # Errors
    ///
    /// [`ExactOverflow`] as for [`Exact::checked_add`].
    pub fn checked_sum(terms: impl IntoIterator<Item = Self>) -> Result<Self, ExactOverflow> {
        terms.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// The largest whole number that is not above this one.
    ///
    /// ```
    /// use cwa_risk::Exact;
    /// assert_eq!("2.9".parse::<Exact>()?.floor(), 2);
    /// assert_eq!("-0.1".parse::<Exact>()?.floor(), -1);
    /// # Ok::<(), cwa_risk::exact::ParseExactError>(())
    /// ```
    #[must_use]
    pub const fn floor(self) -> i128 {
        self.numerator.div_euclid(self.denominator)
    }

    /// The nearest number of at most `places` decimal places; `rounding` decides an exact half.
    ///
    /// # Errors
    ///
    /// [`ExactOverflow`] if the number scaled by 10 to the power of `places` does not fit.
    ///
    /// ```
    /// use cwa_risk::exact::{Exact, Rounding};
    ///
    /// let score: Exact = "10.125".parse()?;
    /// assert_eq!(score.round(2, Rounding::HalfEven)?, "10.12".parse()?);
    /// assert_eq!(score.round(2, Rounding::HalfAwayFromZero)?, "10.13".parse()?);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn round(self, places: u32, rounding: Rounding) -> Result<Self, ExactOverflow> {
        let scale = 10_i128.checked_pow(places).ok_or(ExactOverflow)?;
        let scaled = self.checked_mul(Self { numerator: scale, denominator: 1 })?;
        let whole = scaled.floor();
        let above_half = {
            let rest = scaled.numerator.rem_euclid(scaled.denominator);
            // rest against half of the denominator, without doubling it
            rest.cmp(&(scaled.denominator - rest))
        };
        let up = match above_half {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => match rounding {
                Rounding::HalfEven => whole % 2 != 0,
                Rounding::HalfAwayFromZero => whole >= 0,
                Rounding::HalfUp => true,
            },
        };
        Self::reduced(if up { whole.checked_add(1).ok_or(ExactOverflow)? } else { whole }, scale)
    }

    /// The nearest floating-point number or one beside it: for charts and JSON, never to decide anything.
    #[must_use]
    pub fn approximate(self) -> f64 {
        // A decimal text is converted with correct rounding, so that 52.8 leaves as 52.8.
        if self.decimal_places().is_some()
            && let Ok(number) = alloc::format!("{self}").parse()
        {
            return number;
        }
        #[expect(clippy::cast_precision_loss, reason = "an approximation, as the name says")]
        let number = self.numerator as f64 / self.denominator as f64;
        number
    }

    /// The number whose shortest decimal text is that of `number`: what was written before a parser of floating-point
    /// numbers read it, if it had at most 15 significant digits.
    ///
    /// # Errors
    ///
    /// [`ParseExactError`] for infinities, for what is not a number, and for numbers that do not fit.
    pub fn from_shortest_decimal(number: f64) -> Result<Self, ParseExactError> {
        alloc::format!("{number}").parse()
    }

    /// The fraction in lowest terms. `denominator` is positive and `numerator` is not `i128::MIN`.
    pub(crate) fn lowest_terms(numerator: i128, denominator: i128) -> Self {
        let divisor = gcd(numerator, denominator);
        Self { numerator: numerator / divisor, denominator: denominator / divisor }
    }

    fn reduced(numerator: i128, denominator: i128) -> Result<Self, ExactOverflow> {
        // Without i128::MIN every number here can be negated.
        if denominator == 0 || numerator == i128::MIN || denominator == i128::MIN {
            return Err(ExactOverflow);
        }
        let sign = denominator.signum();
        Ok(Self::lowest_terms(numerator * sign, denominator * sign))
    }
}

impl Default for Exact {
    fn default() -> Self {
        Self::ZERO
    }
}

macro_rules! from_integer {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Exact {
            fn from(number: $integer) -> Self {
                Self { numerator: number.into(), denominator: 1 }
            }
        }
    )*};
}
from_integer!(u8, u16, u32, u64, i32, i64);

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        match self.floor().cmp(&other.floor()) {
            Ordering::Equal => compare_proper_fractions(
                (self.numerator.rem_euclid(self.denominator), self.denominator),
                (other.numerator.rem_euclid(other.denominator), other.denominator),
            ),
            decided => decided,
        }
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Exact {
    /// The exact decimal if there is one of at most 38 places, else `numerator/denominator`.
    ///
    /// With a precision (`{:.2}`) the nearest decimal of that many places, halves away from zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, places) = match f.precision() {
            Some(precision) => {
                let places = u32::try_from(precision).map_err(|_| fmt::Error)?;
                (self.round(places, Rounding::HalfAwayFromZero).map_err(|_| fmt::Error)?, Some(places))
            }
            None => (*self, self.decimal_places()),
        };
        let scaled = places.and_then(|places| {
            let scale = 10_u128.checked_pow(places)?;
            let numerator = number.numerator.unsigned_abs();
            let factor = scale.checked_div(number.denominator.unsigned_abs())?;
            Some((scale, numerator.checked_mul(factor)?, usize::try_from(places).ok()?))
        });
        let text = match scaled {
            Some((scale, digits, places)) if places > 0 => {
                alloc::format!("{}.{:0places$}", digits / scale, digits % scale)
            }
            Some((_, digits, _)) => alloc::format!("{digits}"),
            None => alloc::format!("{}/{}", number.numerator.unsigned_abs(), number.denominator),
        };
        f.pad_integral(number.numerator >= 0, "", &text)
    }
}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exact({self})")
    }
}

/// The result does not fit into a fraction of two 127-bit numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the exact result needs more than 127 bits in its numerator or denominator")]
#[non_exhaustive]
pub struct ExactOverflow;

/// Compares two fractions in 0..1 by their continued fractions: Euclid's steps only divide, so nothing overflows.
fn compare_proper_fractions(mut left: (i128, i128), mut right: (i128, i128)) -> Ordering {
    loop {
        // Of two reciprocals the larger one is the smaller number: each step swaps the sides.
        match (left.0, right.0) {
            (0, 0) => return Ordering::Equal,
            (0, _) => return Ordering::Less,
            (_, 0) => return Ordering::Greater,
            (_, _) => {}
        }
        match (right.1 / right.0).cmp(&(left.1 / left.0)) {
            Ordering::Equal => {
                let (left_rest, right_rest) = (left.1 % left.0, right.1 % right.0);
                (left, right) = ((right_rest, right.0), (left_rest, left.0));
            }
            decided => return decided,
        }
    }
}

fn mul(a: i128, b: i128) -> Result<i128, ExactOverflow> {
    a.checked_mul(b).ok_or(ExactOverflow)
}

/// The greatest common divisor, at least 1. No argument is `i128::MIN`.
fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { 1 } else { a }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    fn exact(text: &str) -> Exact {
        text.parse().unwrap()
    }

    #[test]
    fn decimals_are_read_and_written_exactly() {
        for (text, numerator, denominator) in [
            ("0", 0, 1),
            ("-0.0", 0, 1),
            ("15", 15, 1),
            ("+0.33", 33, 100),
            (".5", 1, 2),
            ("2.", 2, 1),
            ("1e-9", 1, 1_000_000_000),
            ("2.5E2", 250, 1),
            ("-36/7", -36, 7),
            ("1.50000000000000000000000000000000000000000000", 3, 2),
        ] {
            let number = exact(text);
            assert_eq!((number.numerator(), number.denominator()), (numerator, denominator), "{text}");
            assert_eq!(exact(&number.to_string()), number, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for (text, error) in [
            ("", ParseExactError::NoDigit),
            (".", ParseExactError::NoDigit),
            ("-", ParseExactError::NoDigit),
            ("1e", ParseExactError::NoDigit),
            ("1/", ParseExactError::NoDigit),
            ("e5", ParseExactError::NoDigit),
            ("1/0", ParseExactError::DenominatorZero),
            ("NaN", ParseExactError::UnexpectedCharacter { found: 'N' }),
            ("inf", ParseExactError::UnexpectedCharacter { found: 'i' }),
            ("1,5", ParseExactError::UnexpectedCharacter { found: ',' }),
            ("1.2.3", ParseExactError::UnexpectedCharacter { found: '.' }),
            ("--1", ParseExactError::UnexpectedCharacter { found: '-' }),
            (" 1", ParseExactError::UnexpectedCharacter { found: ' ' }),
            ("٣", ParseExactError::UnexpectedCharacter { found: '٣' }),
            ("1e39", ParseExactError::Overflow(ExactOverflow)),
            ("1e-39", ParseExactError::Overflow(ExactOverflow)),
            ("1e99999999999", ParseExactError::Overflow(ExactOverflow)),
            ("999999999999999999999999999999999999999999", ParseExactError::Overflow(ExactOverflow)),
        ] {
            assert_eq!(text.parse::<Exact>(), Err(error), "{text}");
        }
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Exact::from_shortest_decimal(number).is_err(), "{number}");
        }
    }

    #[test]
    fn a_tenth_read_by_a_float_parser_is_still_a_tenth() {
        let sum = Exact::checked_sum([0.1, 0.2].map(|n| Exact::from_shortest_decimal(n).unwrap())).unwrap();
        assert_eq!(sum, Exact::from_shortest_decimal(0.3).unwrap());
    }

    #[test]
    fn halves_are_rounded_as_the_named_platform_does() {
        let table = [
            ("2.5", "2", "3", "3"),
            ("3.5", "4", "4", "4"),
            ("-2.5", "-2", "-3", "-2"),
            ("-3.5", "-4", "-4", "-3"),
            ("2.4999", "2", "2", "2"),
            ("-2.5001", "-3", "-3", "-3"),
        ];
        for (number, even, away, up) in table {
            let number = exact(number);
            assert_eq!(number.round(0, Rounding::HalfEven), Ok(exact(even)), "{number} half even");
            assert_eq!(number.round(0, Rounding::HalfAwayFromZero), Ok(exact(away)), "{number} half away");
            assert_eq!(number.round(0, Rounding::HalfUp), Ok(exact(up)), "{number} half up");
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_an_error_and_are_still_compared() {
        let huge = Exact { numerator: i128::MAX, denominator: 2 };
        let near = Exact { numerator: i128::MAX, denominator: 3 };
        let tiny = Exact { numerator: 1, denominator: i128::MAX };
        assert_eq!(huge.checked_add(huge), Err(ExactOverflow));
        assert_eq!(huge.checked_sub(huge), Ok(Exact::ZERO));
        assert_eq!(huge.checked_add(near), Err(ExactOverflow));
        assert_eq!(huge.checked_mul(huge), Err(ExactOverflow));
        assert_eq!(huge.checked_div(tiny), Err(ExactOverflow));
        assert_eq!(huge.checked_div(Exact::ZERO), Err(ExactOverflow));
        assert_eq!(tiny.round(38, Rounding::HalfUp), Ok(exact("1e-38")));
        assert_eq!(tiny.round(39, Rounding::HalfUp), Err(ExactOverflow));
        assert!(huge > near);
        assert!(tiny > Exact::ZERO);
        assert!(Exact { numerator: i128::MAX - 1, denominator: i128::MAX } < Exact::ONE);
    }

    #[test]
    fn display_pads_and_rounds_only_when_asked() {
        let number = exact("52.805");
        assert_eq!(
            alloc::format!("{number} {number:.2} {number:>8} {number:08.1}"),
            "52.805 52.81   52.805 000052.8"
        );
        assert_eq!(alloc::format!("{:.3}", Exact::ratio(-1, 3).unwrap()), "-0.333");
        assert_eq!(alloc::format!("{:.2}", Exact::from(7)), "7.00");
        assert_eq!(Exact::ratio(1, 3).unwrap().to_string(), "1/3");
    }
}
