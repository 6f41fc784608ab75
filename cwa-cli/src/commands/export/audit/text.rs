//! The report for a terminal.

use std::io::{self, Write};

use super::{Audited, thousands};
use crate::commands::trust::write_findings;
use crate::output::{rfc3339, style};

pub(super) fn write(text: &mut dyn Write, audited: &Audited, quiet: bool) -> io::Result<()> {
    let Audited { errors, warnings, notes, .. } = audited;
    if !quiet {
        write_files(text, audited)?;
        write_packages(text, audited)?;
        if audited.report.statistics.counted_packages > 0 {
            write_keys(text, audited)?;
        }
    }
    let style = if *errors > 0 { style::BAD } else { style::GOOD };
    writeln!(text, "{style}errors {errors}{style:#}, warnings {warnings}, notes {notes}")
}

fn write_packages(text: &mut dyn Write, audited: &Audited) -> io::Result<()> {
    let strong = style::STRONG;
    let Audited { directory, files, report, .. } = audited;
    let statistics = &report.statistics;
    writeln!(text, "{strong}{directory}{strong:#}")?;
    writeln!(text, "  packages   {}; {files} files", report.packages)?;
    if report.refused_packages > 0 {
        let refused = report.refused_packages;
        writeln!(text, "             {refused} of them are not valid, and left out of what follows")?;
    }
    for key in &statistics.signing_keys {
        writeln!(text, "  signed by  {}, packages: {}", key.key, key.packages)?;
    }
    match (statistics.start_timestamp, statistics.end_timestamp) {
        (Some(start), Some(end)) => writeln!(text, "  published  {} to {}", rfc3339(start), rfc3339(end)),
        _ => Ok(()),
    }
}

fn write_keys(text: &mut dyn Write, audited: &Audited) -> io::Result<()> {
    let faint = style::FAINT;
    let statistics = &audited.report.statistics;
    let keys = u64::try_from(audited.report.keys).unwrap_or(u64::MAX);
    writeln!(text, "  keys       {} different", thousands(keys))?;
    let padding = &statistics.padding;
    let tried = padding.tried.iter().find(|tried| tried.multiplier == padding.multiplier);
    match tried.filter(|tried| tried.multiplier > 1) {
        Some(tried) => writeln!(
            text,
            "  padding    {} keys for each real one: divides {:.0} % of {} groups, by chance with p < {:.0e}",
            tried.multiplier,
            100.0 * tried.share,
            padding.groups,
            tried.p.max(1e-99)
        )?,
        None => writeln!(text, "  padding    none is to be seen")?,
    }
    let users = &statistics.users;
    writeln!(
        text,
        "  people     about {}; at least {}, at most {} {faint}(summed over packages){faint:#}",
        thousands(users.estimate),
        thousands(users.at_least),
        thousands(users.at_most)
    )?;
    write_randomness(text, audited)?;
    write_days(text, audited)?;
    write_profile(text, audited)
}

/// Findings file by file.
fn write_files(text: &mut dyn Write, audited: &Audited) -> io::Result<()> {
    let strong = style::STRONG;
    let mut last = None;
    for found in &audited.report.findings {
        if last != Some(&found.file) {
            let name = if found.file.is_empty() { &audited.directory } else { &found.file };
            writeln!(text, "{strong}{name}{strong:#}")?;
            last = Some(&found.file);
        }
        write_findings(text, [&found.finding])?;
    }
    Ok(())
}

fn write_randomness(text: &mut dyn Write, audited: &Audited) -> io::Result<()> {
    let randomness = &audited.report.statistics.randomness;
    let Some(least) = randomness.tests.iter().min_by(|one, other| one.p.total_cmp(&other.p)) else {
        return writeln!(text, "  randomness not tested: fewer than 80 keys");
    };
    let word = if least.p < randomness.threshold { "not plausible" } else { "plausible" };
    writeln!(
        text,
        "  randomness {word}: {} tests, the least p is {:.1e} ({}), threshold {:.1e}",
        randomness.tests.len(),
        least.p,
        least.name,
        randomness.threshold
    )
}

/// The newest days of publication, with a bar for keys.
fn write_days(text: &mut dyn Write, audited: &Audited) -> io::Result<()> {
    const MOST: usize = 28;
    let days: Vec<_> = audited.report.statistics.publication_days.iter().filter(|day| day.keys > 0).collect();
    let days = days.get(days.len().saturating_sub(MOST)..).unwrap_or_default();
    if days.is_empty() {
        return Ok(());
    }
    heading(text, "keys by day of publication")?;
    let most = days.iter().map(|day| day.keys).max().unwrap_or(0);
    for day in days {
        let about = format!("multiplier {}, about {} people", day.multiplier, thousands(day.users.estimate));
        bar(text, &day.day, day.keys, most, &about)?;
    }
    Ok(())
}

/// Keys by transmission risk level.
fn write_profile(text: &mut dyn Write, audited: &Audited) -> io::Result<()> {
    let mut levels = std::collections::BTreeMap::<u8, u64>::new();
    for (level, keys) in audited.report.statistics.keys_by_day.iter().flat_map(|day| &day.levels) {
        let sum = levels.entry(*level).or_default();
        *sum = sum.saturating_add(*keys);
    }
    if levels.is_empty() {
        return Ok(());
    }
    heading(text, "keys by transmission risk level")?;
    let most = levels.values().copied().max().unwrap_or(0);
    levels.iter().try_for_each(|(level, keys)| bar(text, &level.to_string(), *keys, most, ""))
}

fn heading(text: &mut dyn Write, title: &str) -> io::Result<()> {
    let strong = style::STRONG;
    writeln!(text, "\n{strong}{title}{strong:#}")
}

/// A bar of at most 40 characters, and what is to be said beside it.
fn bar(text: &mut dyn Write, name: &str, keys: u64, most: u64, about: &str) -> io::Result<()> {
    const WIDTH: u64 = 40;
    let faint = style::FAINT;
    let length = usize::try_from(keys.saturating_mul(WIDTH).div_ceil(most.max(1))).unwrap_or(0);
    let bar = "█".repeat(length);
    // Nothing stands behind the last sign of a line.
    let width = if about.is_empty() { 0 } else { 41 };
    writeln!(text, "  {name:>10} {:>9} {faint}{bar:width$}{faint:#}{about}", thousands(keys))
}
