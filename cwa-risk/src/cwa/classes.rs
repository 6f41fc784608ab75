//! Risk classes: labelled ranges of the score.

use alloc::string::String;
use alloc::vec::Vec;

use super::Platform;
use crate::exact::NonNegative;
use crate::explain::Step;

/// The risk classes of a configuration, in its order; at least one.
///
/// A class holds the scores from its `min` to below its `max`; the class with the highest range holds its `max` too
/// (German `risk-score-classification.yaml`). Classes with gaps or overlaps are kept as they are, so that a
/// configuration can be read and judged: [`RiskScoreClasses::gaps`], [`RiskScoreClasses::overlaps`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "Vec<RiskScoreClass>", into = "Vec<RiskScoreClass>")
)]
pub struct RiskScoreClasses(
    /// Not empty.
    Vec<RiskScoreClass>,
);

impl RiskScoreClasses {
    /// The class of a score by the rules of `platform`, and the distance to the next one.
    ///
    /// `Exact`: the class with the highest `min` among those that hold the score; the highest class has no upper end; a
    /// score that no class holds is in none. `Android` and `Ios` know the labels `LOW` and `HIGH` only: both say HIGH from
    /// its `min` to its `max`, both included; otherwise Android says LOW below HIGH's `max`, and iOS from LOW's `min` to
    /// below its `max`.
    ///
    /// # Errors
    ///
    /// What the apps failed with: a score outside their ranges, or a class that they ask for by its label is missing.
    ///
    /// ```
    /// use cwa_risk::cwa::{Platform, RiskScoreClass, RiskScoreClasses};
    ///
    /// let classes = RiskScoreClasses::new(vec![
    ///     RiskScoreClass::new("LOW", 0_u8, 15_u8)?,
    ///     RiskScoreClass::new("HIGH", 20_u8, 9999_u16)?,
    /// ])?;
    /// let label = |score: &str| {
    ///     let score = score.parse().unwrap();
    ///     classes.classify(score, Platform::Exact).unwrap().label().map(str::to_owned)
    /// };
    /// assert_eq!(label("14.99").as_deref(), Some("LOW"));
    /// assert_eq!(label("15"), None, "the gap");
    /// assert_eq!(label("20").as_deref(), Some("HIGH"));
    /// assert_eq!(classes.gaps().len(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn classify(
        &self,
        score: NonNegative,
        platform: Platform,
    ) -> Result<Classification<'_>, ClassifyError> {
        let class = match platform {
            Platform::Exact => self.holding(score),
            Platform::Android | Platform::Ios => Some(self.holding_for_apps(score, platform)?),
        };
        let next = self.0.iter().map(|class| class.min).filter(|min| *min > score).min();
        Ok(Classification { class, score, next })
    }

    /// The classes of a configuration, in its order.
    ///
    /// # Errors
    ///
    /// There is no class.
    pub fn new(classes: Vec<RiskScoreClass>) -> Result<Self, NoRiskScoreClasses> {
        if classes.is_empty() { Err(NoRiskScoreClasses) } else { Ok(Self(classes)) }
    }

    /// The classes, in the configuration's order.
    #[must_use]
    pub fn as_slice(&self) -> &[RiskScoreClass] {
        &self.0
    }

    /// The scores from 0 to the highest `max` that no class holds, in ascending order.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let mut covered = NonNegative::ZERO;
        for class in self.ascending() {
            if class.min > covered {
                gaps.push(Gap { from: covered, to: class.min });
            }
            covered = covered.max(class.max);
        }
        gaps
    }

    /// The ranges of scores that two neighbouring classes both hold, in ascending order of the upper class.
    #[must_use]
    pub fn overlaps(&self) -> Vec<Overlap<'_>> {
        let mut overlaps = Vec::new();
        let mut widest: Option<&RiskScoreClass> = None;
        for class in self.ascending() {
            if let Some(lower) = widest.filter(|lower| lower.max > class.min) {
                overlaps.push(Overlap { lower, upper: class, from: class.min, to: lower.max.min(class.max) });
            }
            widest = Some(widest.filter(|lower| lower.max > class.max).unwrap_or(class));
        }
        overlaps
    }

    fn ascending(&self) -> Vec<&RiskScoreClass> {
        let mut classes: Vec<_> = self.0.iter().collect();
        classes.sort_by_key(|class| (class.min, class.max));
        classes
    }

    fn holding(&self, score: NonNegative) -> Option<&RiskScoreClass> {
        let classes = self.ascending();
        let highest = classes.last().copied();
        classes
            .into_iter()
            .rev()
            .find(|class| class.min <= score && (score < class.max || Some(*class) == highest))
    }

    fn holding_for_apps(
        &self,
        score: NonNegative,
        platform: Platform,
    ) -> Result<&RiskScoreClass, ClassifyError> {
        let labelled = |label| {
            let found = self.0.iter().find(|class| class.label == label);
            found.ok_or(ClassifyError::ClassMissing { label })
        };
        let (low, high) = (labelled("LOW")?, labelled("HIGH")?);
        if high.min <= score && score <= high.max {
            return Ok(high);
        }
        if score > high.max {
            return Err(ClassifyError::AboveHighest { score, max: high.max });
        }
        if platform == Platform::Android || low.min <= score && score < low.max {
            return Ok(low);
        }
        Err(ClassifyError::InNoClass { score })
    }
}

impl TryFrom<Vec<RiskScoreClass>> for RiskScoreClasses {
    type Error = NoRiskScoreClasses;

    fn try_from(classes: Vec<RiskScoreClass>) -> Result<Self, Self::Error> {
        Self::new(classes)
    }
}

impl From<RiskScoreClasses> for Vec<RiskScoreClass> {
    fn from(classes: RiskScoreClasses) -> Self {
        classes.0
    }
}

/// A list of classes without a class.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there must be at least one risk class")]
#[non_exhaustive]
pub struct NoRiskScoreClasses;

/// A labelled range of scores.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct RiskScoreClass {
    label: String,
    min: NonNegative,
    max: NonNegative,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "String::is_empty"))]
    url: String,
}

impl RiskScoreClass {
    /// A class from `min` to `max`, without a web page.
    ///
    /// # Errors
    ///
    /// An empty label, or `min` above `max`.
    pub fn new(
        label: impl Into<String>,
        min: impl Into<NonNegative>,
        max: impl Into<NonNegative>,
    ) -> Result<Self, RiskScoreClassError> {
        let (label, min, max) = (label.into(), min.into(), max.into());
        if label.is_empty() {
            return Err(RiskScoreClassError::LabelEmpty);
        }
        if min > max {
            return Err(RiskScoreClassError::Disordered { min, max });
        }
        Ok(Self { label, min, max, url: String::new() })
    }

    /// The same class with the web page that explains it.
    #[must_use]
    pub fn with_url(self, url: impl Into<String>) -> Self {
        Self { url: url.into(), ..self }
    }

    /// `LOW` or `HIGH` in the German configuration.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The lowest score of the class.
    #[must_use]
    pub const fn min(&self) -> NonNegative {
        self.min
    }

    /// The upper end; only the highest class holds it.
    #[must_use]
    pub const fn max(&self) -> NonNegative {
        self.max
    }

    /// The web page that explains the class; may be empty.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Why something is not a risk class.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RiskScoreClassError {
    /// Nothing to call it by.
    #[error("a risk class must have a label")]
    LabelEmpty,
    /// The range has no score in it.
    #[error("the class begins at {min} and ends at {max}")]
    Disordered {
        /// Its lowest score.
        min: NonNegative,
        /// Its upper end.
        max: NonNegative,
    },
}

/// The class that a score is in, if it is in one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Classification<'a> {
    class: Option<&'a RiskScoreClass>,
    score: NonNegative,
    next: Option<NonNegative>,
}

impl<'a> Classification<'a> {
    /// The class; `None` in a gap between classes.
    #[must_use]
    pub const fn class(&self) -> Option<&'a RiskScoreClass> {
        self.class
    }

    /// The label of the class; `None` in a gap between classes.
    #[must_use]
    pub fn label(&self) -> Option<&'a str> {
        self.class.map(RiskScoreClass::label)
    }

    /// How it was found, and how far the next higher class is.
    #[must_use]
    pub fn step(&self) -> Step {
        let score = self.score.get();
        Step::Class {
            score,
            label: self.label().map(Into::into),
            to_next_class: self.next.and_then(|next| next.get().checked_sub(score).ok()),
        }
    }
}

/// Why an app of the time failed on a score.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClassifyError {
    /// The apps ask for their two classes by name.
    #[error("there is no class {label}, which the app asks for")]
    ClassMissing {
        /// The label.
        label: &'static str,
    },
    /// More than the configuration foresees.
    #[error("the score {score} is above {max}, the end of the class HIGH")]
    AboveHighest {
        /// The score.
        score: NonNegative,
        /// The upper end of the class HIGH.
        max: NonNegative,
    },
    /// Between or below the classes.
    #[error("the score {score} is neither in the class LOW nor in the class HIGH")]
    InNoClass {
        /// The score.
        score: NonNegative,
    },
}

/// A range of scores that no class holds: from `from` to below `to`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(clippy::exhaustive_structs, reason = "complete: a range")]
pub struct Gap {
    /// The first score without a class.
    pub from: NonNegative,
    /// The lowest score of the class above.
    pub to: NonNegative,
}

/// A range of scores that two classes hold: from `from` to below `to`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Overlap<'a> {
    /// The class that begins lower.
    pub lower: &'a RiskScoreClass,
    /// The class that begins higher; it gets the scores.
    pub upper: &'a RiskScoreClass,
    /// The first score in both.
    pub from: NonNegative,
    /// Where one of them ends.
    pub to: NonNegative,
}

#[cfg(feature = "serde")]
mod serde_impls {
    use alloc::string::String;

    use serde::de::{Deserialize, Deserializer, Error};

    use super::{NonNegative, RiskScoreClass};

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields {
        label: String,
        min: NonNegative,
        max: NonNegative,
        #[serde(default)]
        url: String,
    }

    impl<'de> Deserialize<'de> for RiskScoreClass {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let Fields { label, min, max, url } = Fields::deserialize(deserializer)?;
            Ok(Self::new(label, min, max).map_err(D::Error::custom)?.with_url(url))
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn number(text: &str) -> NonNegative {
        text.parse().unwrap()
    }

    fn classes(ranges: &[(&str, u16, u16)]) -> RiskScoreClasses {
        let class = |&(label, min, max): &(&str, u16, u16)| RiskScoreClass::new(label, min, max).unwrap();
        RiskScoreClasses::new(ranges.iter().map(class).collect()).unwrap()
    }

    fn label(
        classes: &RiskScoreClasses,
        score: &str,
        platform: Platform,
    ) -> Result<Option<String>, ClassifyError> {
        classes.classify(number(score), platform).map(|found| found.label().map(Into::into))
    }

    const ALL: [Platform; 3] = [Platform::Exact, Platform::Android, Platform::Ios];

    #[test]
    fn high_begins_at_its_minimum_on_every_platform() {
        let classes = classes(&[("LOW", 0, 15), ("HIGH", 15, 9999)]);
        for platform in ALL {
            assert_eq!(label(&classes, "0", platform), Ok(Some("LOW".into())));
            assert_eq!(label(&classes, "14.999", platform), Ok(Some("LOW".into())));
            assert_eq!(label(&classes, "15", platform), Ok(Some("HIGH".into())));
            assert_eq!(label(&classes, "9999", platform), Ok(Some("HIGH".into())));
        }
    }

    #[test]
    fn a_score_above_the_highest_class_is_high_exactly_and_an_error_in_the_apps() {
        let classes = classes(&[("LOW", 0, 15), ("HIGH", 15, 72)]);
        assert_eq!(label(&classes, "140", Platform::Exact), Ok(Some("HIGH".into())));
        for platform in [Platform::Android, Platform::Ios] {
            let error = ClassifyError::AboveHighest { score: number("140"), max: number("72") };
            assert_eq!(label(&classes, "140", platform), Err(error));
        }
    }

    #[test]
    fn a_score_in_a_gap_is_in_no_class_exactly_low_on_android_and_an_error_on_ios() {
        let classes = classes(&[("LOW", 0, 2749), ("HIGH", 2750, 4096)]);
        assert_eq!(classes.gaps(), [Gap { from: number("2749"), to: number("2750") }]);
        assert_eq!(label(&classes, "2749.5", Platform::Exact), Ok(None));
        assert_eq!(label(&classes, "2749.5", Platform::Android), Ok(Some("LOW".into())));
        let error = ClassifyError::InNoClass { score: number("2749.5") };
        assert_eq!(label(&classes, "2749.5", Platform::Ios), Err(error));
    }

    #[test]
    fn a_gap_below_the_lowest_class_is_a_gap() {
        let classes = classes(&[("HIGH", 15, 9999)]);
        assert_eq!(classes.gaps(), [Gap { from: number("0"), to: number("15") }]);
        assert_eq!(label(&classes, "14", Platform::Exact), Ok(None));
        let error = ClassifyError::ClassMissing { label: "LOW" };
        assert_eq!(label(&classes, "14", Platform::Android), Err(error));
    }

    #[test]
    fn where_classes_overlap_the_higher_one_gets_the_score() {
        let classes = classes(&[("HIGH", 10, 9999), ("LOW", 0, 15)]);
        let overlaps = classes.overlaps();
        assert_eq!(overlaps.len(), 1);
        assert_eq!((overlaps[0].lower.label(), overlaps[0].upper.label()), ("LOW", "HIGH"));
        assert_eq!((overlaps[0].from, overlaps[0].to), (number("10"), number("15")));
        for platform in ALL {
            assert_eq!(label(&classes, "12", platform), Ok(Some("HIGH".into())));
        }
    }

    #[test]
    fn a_class_inside_another_hides_it_only_where_it_is() {
        let classes = classes(&[("WIDE", 0, 100), ("INNER", 10, 20), ("TOP", 100, 200)]);
        assert_eq!(classes.gaps(), []);
        assert_eq!(classes.overlaps().len(), 1);
        for (score, expected) in
            [("9", "WIDE"), ("10", "INNER"), ("20", "WIDE"), ("100", "TOP"), ("500", "TOP")]
        {
            assert_eq!(label(&classes, score, Platform::Exact), Ok(Some(expected.into())), "{score}");
        }
    }

    #[test]
    fn classes_that_touch_have_neither_gap_nor_overlap() {
        let classes = classes(&[("LOW", 0, 15), ("HIGH", 15, 9999)]);
        assert_eq!((classes.gaps(), classes.overlaps()), (vec![], vec![]));
    }

    #[test]
    fn the_step_says_how_far_the_next_class_is() {
        let classes = classes(&[("LOW", 0, 15), ("HIGH", 15, 9999)]);
        let step =
            |score| alloc::format!("{}", classes.classify(number(score), Platform::Exact).unwrap().step());
        assert_eq!(step("12.9"), "score 12.9 is in class LOW; 2.10 below the next class");
        assert_eq!(step("15"), "score 15 is in class HIGH");
    }

    #[test]
    fn impossible_classes_are_refused() {
        assert_eq!(RiskScoreClasses::new(vec![]), Err(NoRiskScoreClasses));
        assert_eq!(RiskScoreClass::new("", 0_u8, 1_u8), Err(RiskScoreClassError::LabelEmpty));
        let (min, max) = (number("2"), number("1"));
        assert_eq!(RiskScoreClass::new("LOW", min, max), Err(RiskScoreClassError::Disordered { min, max }));
        assert!(RiskScoreClass::new("POINT", 15_u8, 15_u8).is_ok());
    }
}
