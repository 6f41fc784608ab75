//! Ranges beside each other: which can be used, which overlap, and what lies between them.

use core::cmp::Ordering;

use super::super::Range;
use crate::configuration::lint::{Findings, Place};
use crate::finding::Code;

/// The range, if a number can be in it.
pub(super) fn usable(place: &Place, range: Option<Range>, findings: &mut Findings) -> Option<Range> {
    let Some(range) = range else {
        findings.tell(Code::RangeMissing, || format!("{place} is absent, which counts as [0,0]"));
        return None;
    };
    let (min, max) = (place.member("min"), place.member("max"));
    if !findings.finite(&min, range.min) | !findings.finite(&max, range.max) {
        return None;
    }
    let holds_a_number = match range.min.partial_cmp(&range.max) {
        Some(Ordering::Less) => true,
        Some(Ordering::Equal) => !range.min_exclusive && !range.max_exclusive,
        _ => false,
    };
    if !holds_a_number {
        findings.tell(Code::RangeEmpty, || format!("{place}: {range} holds no number"));
    }
    holds_a_number.then_some(range)
}

/// Sorts usable ranges by their lower ends, and tells overlaps and gaps between neighbours.
pub(super) fn sort_and_compare<T>(place: &Place, ranges: &mut [(Range, T)], findings: &mut Findings) {
    let by_lower_end = |(one, _): &(Range, T), (other, _): &(Range, T)| {
        one.min.total_cmp(&other.min).then(one.min_exclusive.cmp(&other.min_exclusive))
    };
    ranges.sort_by(by_lower_end);
    let mut farthest: Option<Range> = None;
    for (range, _) in ranges.iter() {
        if let Some(before) = farthest {
            let touches = match range.min.partial_cmp(&before.max) {
                Some(Ordering::Less) => Touch::Overlap,
                Some(Ordering::Equal) if !range.min_exclusive && !before.max_exclusive => Touch::Overlap,
                Some(Ordering::Equal) if range.min_exclusive && before.max_exclusive => Touch::Gap,
                Some(Ordering::Equal) => Touch::Neighbours,
                _ => Touch::Gap,
            };
            match touches {
                Touch::Overlap => {
                    findings.tell(Code::RangesOverlap, || format!("{place}: {before} and {range} overlap"));
                }
                Touch::Gap => {
                    findings.tell(Code::RangesGap, || {
                        format!("{place}: nothing covers what is between {before} and {range}")
                    });
                }
                Touch::Neighbours => {}
            }
        }
        farthest = Some(match farthest {
            Some(before) if !ends_after(range, &before) => before,
            _ => *range,
        });
    }
}

enum Touch {
    Overlap,
    Gap,
    Neighbours,
}

/// Whether the upper end of one lies beyond that of the other.
pub(super) fn ends_after(one: &Range, other: &Range) -> bool {
    match one.max.partial_cmp(&other.max) {
        Some(Ordering::Equal) => !one.max_exclusive && other.max_exclusive,
        order => order == Some(Ordering::Greater),
    }
}
