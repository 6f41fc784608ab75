//! What the order of keys tells.

use std::collections::BTreeMap;

use super::Sink;
use crate::content::ExportContent;
use crate::finding::Code;

/// Whether keys are sorted, and if not, whether neighbouring days stand side by side more often than chance has it.
///
/// Keys of one upload are of days in a row. Shuffled, two neighbours in the file are of neighbouring days in
/// `2 Σ n_d n_{d+1} / n` places; twice as many and ten more are no chance. (A standard deviation is at most the root of
/// that number, so that shuffled files exceed it less than once in a million.)
pub(super) fn look_at(content: &ExportContent<'_>, sink: &mut Sink) {
    /// More days than any publisher keeps; beyond, starts are nonsense and tell nothing.
    const MAX_STARTS: usize = 4096;
    let sorted = content.raw_keys().is_sorted_by(|one, other| one.key_data <= other.key_data);
    if sorted {
        return;
    }
    sink.file(Code::KeysNotSorted, "the keys are not in the order of their bytes");
    let starts = || content.raw_keys().filter_map(|key| key.rolling_start_interval_number);
    let mut counts: BTreeMap<i32, u128> = BTreeMap::new();
    for start in starts() {
        let count = counts.entry(start).or_default();
        *count = count.saturating_add(1);
        if counts.len() > MAX_STARTS {
            return;
        }
    }
    let n: u128 = counts.values().sum();
    let by_chance: u128 = counts
        .iter()
        .filter_map(|(start, count)| {
            let next = counts.get(&start.checked_add(144)?)?;
            Some(count.saturating_mul(*next).saturating_mul(2))
        })
        .sum();
    let observed = starts().zip(starts().skip(1)).filter(|(one, other)| one.abs_diff(*other) == 144).count();
    let found = u128::try_from(observed).unwrap_or(u128::MAX);
    if found.saturating_mul(n) > by_chance.saturating_mul(2).saturating_add(n.saturating_mul(10)) {
        let expected = by_chance.checked_div(n).unwrap_or(0);
        let message = format!(
            "keys of neighbouring days stand side by side {observed} times, where {expected} are chance"
        );
        sink.file(Code::OrderTells, message);
    }
}
