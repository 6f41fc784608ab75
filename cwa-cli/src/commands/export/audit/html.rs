//! The report as one HTML file: pictures inside, nothing fetched, no script, light or dark as the reader's system is.

use core::fmt::{Display, Write as _};
use std::collections::{BTreeMap, BTreeSet};

use cwa_export::corpus::{ProfileAxis, Statistics};
use cwa_export::finding::Severity;

use super::svg::{Bar, Caption, escaped, heat_map, stacked_bars};
use super::{Audited, thousands};
use crate::output::rfc3339;

pub(super) fn document(audited: &Audited) -> String {
    let mut page = String::new();
    let title = escaped(&audited.directory);
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>Audit of {title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    head(&mut page, audited);
    findings(&mut page, audited);
    let statistics = &audited.report.statistics;
    days_on_air(&mut page, statistics);
    profile(&mut page, statistics);
    publication(&mut page, statistics);
    people(&mut page, statistics);
    padding(&mut page, statistics);
    randomness(&mut page, statistics);
    signing_keys(&mut page, statistics);
    let _ = write!(
        page,
        "<footer>Made by cwa {}. Statistics count keys of packages whose signature was verified; {} of {} packages were \
         left out.</footer>\n</main>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION"),
        audited.report.refused_packages,
        audited.report.packages
    );
    page
}

fn head(page: &mut String, audited: &Audited) {
    let Audited { errors, warnings, notes, report, .. } = audited;
    let statistics = &report.statistics;
    let time = |time: Option<u64>| time.map_or_else(|| "–".to_owned(), rfc3339);
    let (class, verdict) = match (errors, warnings) {
        (0, 0) => ("good", "in order"),
        (0, _) => ("warning", "in order, with warnings"),
        _ => ("error", "rules are broken"),
    };
    let _ = write!(
        page,
        "<header><p class=\"over\">Audit of a distribution of exposure keys</p><h1>{}</h1>\
         <p>published {} to {}</p><p><span class=\"badge {class}\">{verdict}</span> errors: {errors}, warnings: {warnings}, \
         notes: {notes}</p></header>\n<dl class=\"cards\">",
        escaped(&audited.directory),
        time(statistics.start_timestamp),
        time(statistics.end_timestamp)
    );
    let users = &statistics.users;
    let keys = u64::try_from(report.keys).unwrap_or(u64::MAX);
    let cards: [(&str, String, String); 4] = [
        ("packages", report.packages.to_string(), format!("files: {}", audited.files)),
        ("different keys", thousands(keys), format!("days on air: {}", statistics.keys_by_day.len())),
        (
            "people, about",
            thousands(users.estimate),
            format!("{} to {}", thousands(users.at_least), thousands(users.at_most)),
        ),
        ("keys for each real one", statistics.padding.multiplier.to_string(), "padding included".to_owned()),
    ];
    for (name, number, about) in cards {
        let _ = write!(page, "<div><dt>{name}</dt><dd><b>{number}</b><span>{about}</span></dd></div>");
    }
    page.push_str("</dl>\n");
}

fn findings(page: &mut String, audited: &Audited) {
    page.push_str("<section><h2>Findings</h2>\n");
    let found = &audited.report.findings;
    if found.is_empty() {
        page.push_str("<p>None.</p></section>\n");
        return;
    }
    page.push_str(
        "<div class=\"wide\"><table><caption>The weightiest first</caption><thead><tr><th scope=\"col\">Weight</th>\
         <th scope=\"col\">Code</th><th scope=\"col\">File and finding</th></tr></thead><tbody>\n",
    );
    let mut sorted: Vec<_> = found.iter().collect();
    sorted.sort_by_key(|found| core::cmp::Reverse(found.finding.severity));
    for found in &sorted {
        let class = match found.finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let file = if found.file.is_empty() { "the distribution as a whole" } else { &found.file };
        let code = found.finding.code;
        let _ = writeln!(
            page,
            "<tr><td><span class=\"badge {class}\">{}</span></td><td><a href=\"#{code}\">{code}</a></td>\
             <td><code>{}</code><br>{}</td></tr>",
            found.finding.severity,
            escaped(file),
            escaped(&found.finding.message)
        );
    }
    page.push_str("</tbody></table></div>\n<h3>What the codes mean</h3>\n");
    let codes: BTreeSet<_> = found.iter().map(|found| found.finding.code).collect();
    for code in codes {
        let explanation = code.explanation();
        let _ = writeln!(
            page,
            "<details id=\"{code}\"><summary>{code}: {}</summary><p>{}</p><p><b>What to do:</b> {}</p></details>",
            escaped(explanation.title),
            escaped(explanation.cause),
            escaped(explanation.remedy)
        );
    }
    page.push_str("</section>\n");
}

/// Days that are shown at most: the newest.
const MOST_DAYS: usize = 366;

fn days_on_air(page: &mut String, statistics: &Statistics) {
    let days = &statistics.keys_by_day;
    if days.is_empty() {
        return;
    }
    let shown = days.get(days.len().saturating_sub(MOST_DAYS)..).unwrap_or_default();
    let levels: BTreeSet<u8> = shown.iter().flat_map(|day| day.levels.keys().copied()).collect();
    let without = |day: &cwa_export::corpus::KeysOfDay| {
        day.keys.saturating_sub(day.levels.values().fold(0, |sum, keys| sum.saturating_add(*keys)))
    };
    let bars: Vec<Bar> = shown
        .iter()
        .map(|day| {
            let mut parts = vec![("none".to_owned(), "without level".to_owned(), without(day))];
            parts.extend(
                day.levels
                    .iter()
                    .map(|(level, keys)| (format!("level-{level}"), format!("level {level}"), *keys)),
            );
            Bar { name: day.day.clone(), parts }
        })
        .collect();
    section(
        page,
        "Keys by day on air",
        "How many keys were on air from each day on, by transmission risk level.",
    );
    page.push_str("<p class=\"legend\" aria-hidden=\"true\">");
    for level in &levels {
        let _ = write!(page, "<span><i class=\"swatch level-{level}\"></i>level {level}</span>");
    }
    if shown.iter().any(|day| without(day) > 0) {
        page.push_str("<span><i class=\"swatch none\"></i>without level</span>");
    }
    page.push_str("</p>\n");
    let caption = Caption { id: "days", title: "Keys by day on air", x: "first day on air", y: "keys" };
    picture(page, &stacked_bars(&caption, &bars));
    if shown.len() < days.len() {
        let _ =
            writeln!(page, "<p>{} earlier days are not shown.</p>", days.len().saturating_sub(shown.len()));
    }
    let mut columns = vec!["day".to_owned(), "keys".to_owned()];
    columns.extend(levels.iter().map(|level| format!("level {level}")));
    let rows = shown.iter().map(|day| {
        let mut row = vec![day.day.clone(), thousands(day.keys)];
        row.extend(levels.iter().map(|level| thousands(day.levels.get(level).copied().unwrap_or(0))));
        row
    });
    numbers(page, &columns, rows);
    page.push_str("</section>\n");
}

/// Ages that are shown apart; what is older stands together.
const OLDEST: i64 = 16;

fn age_name(age: i64) -> String {
    match age {
        ..0 => "< 0".to_owned(),
        OLDEST.. => format!("{OLDEST}+"),
        age => age.to_string(),
    }
}

/// Sums of keys by age and another value, as rows of a heat map.
fn grid<K: Ord + Copy>(
    cells: impl Iterator<Item = (i64, K, u64)>,
    name: impl Fn(K) -> String,
) -> (Vec<String>, Vec<(String, Vec<u64>)>) {
    const MOST_ROWS: usize = 32;
    let mut sums: BTreeMap<K, BTreeMap<i64, u64>> = BTreeMap::new();
    for (age, value, keys) in cells {
        let sum = sums.entry(value).or_default().entry(age.clamp(-1, OLDEST)).or_default();
        *sum = sum.saturating_add(keys);
    }
    // Of many values, those with most keys.
    let total = |ages: &BTreeMap<i64, u64>| ages.values().fold(0_u64, |sum, keys| sum.saturating_add(*keys));
    let mut totals: Vec<u64> = sums.values().map(total).collect();
    totals.sort_unstable_by(|one, other| other.cmp(one));
    let least = totals.get(MOST_ROWS).copied().unwrap_or(0);
    sums.retain(|_, ages| total(ages) > least);
    let ages = || sums.values().flat_map(|ages| ages.keys().copied());
    let (first, last) = (ages().min().unwrap_or(0), ages().max().unwrap_or(0));
    let columns = (first..=last).map(age_name).collect();
    let cells =
        |of: &BTreeMap<i64, u64>| (first..=last).map(|age| of.get(&age).copied().unwrap_or(0)).collect();
    let rows = sums.iter().rev().map(|(value, of)| (name(*value), cells(of))).collect();
    (columns, rows)
}

fn profile(page: &mut String, statistics: &Statistics) {
    if statistics.profile.is_empty() {
        return;
    }
    let (what, short) = match statistics.profile_axis {
        ProfileAxis::TransmissionRiskLevel => ("transmission risk level", "level"),
        _ => ("days since onset of symptoms", "onset"),
    };
    let name =
        |value: Option<i32>| value.map_or_else(|| "absent".to_owned(), |value| format!("{short} {value}"));
    let cells = statistics.profile.iter().map(|cell| (cell.age_days, cell.value, cell.keys));
    let (columns, rows) = grid(cells, name);
    let about = format!(
        "Keys by their age when published and by {what}. Apps give levels by age, so that the steps of the stair tell how \
         a submission looks."
    );
    section(page, "Profile", &about);
    let x = "days from the key's first day to that of the package";
    picture(page, &heat_map(&Caption { id: "profile", title: "Profile", x, y: "keys" }, &columns, &rows));
    table_of_grid(page, what, &columns, &rows);
    page.push_str("</section>\n");
}

fn publication(page: &mut String, statistics: &Statistics) {
    if statistics.publication.is_empty() {
        return;
    }
    let cells = statistics.publication.iter().map(|cell| (cell.age_days, cell.hour, cell.keys));
    let (columns, mut rows) = grid(cells, |hour| format!("{hour:02}:00"));
    // Time goes down, as levels go up.
    rows.reverse();
    section(
        page,
        "Hour of publication",
        "Keys by the hour of UTC at which their package was closed and by the days since their end. Keys of age 0 in the \
         first two hours of a day would be under embargo.",
    );
    let x = "whole days from the key's end to the package's";
    let caption = Caption { id: "publication", title: "Hour of publication", x, y: "keys" };
    picture(page, &heat_map(&caption, &columns, &rows));
    table_of_grid(page, "hour", &columns, &rows);
    page.push_str("</section>\n");
}

fn people(page: &mut String, statistics: &Statistics) {
    let days = &statistics.publication_days;
    if days.is_empty() {
        return;
    }
    section(
        page,
        "People by day of publication",
        &format!("How they are counted: {}.", statistics.users.method),
    );
    let shown = days.get(days.len().saturating_sub(MOST_DAYS)..).unwrap_or_default();
    let bars: Vec<Bar> = shown
        .iter()
        .map(|day| {
            let parts = vec![("people".to_owned(), "people, about".to_owned(), day.users.estimate)];
            Bar { name: day.day.clone(), parts }
        })
        .collect();
    let caption =
        Caption { id: "people", title: "People by day of publication", x: "day of publication", y: "people" };
    picture(page, &stacked_bars(&caption, &bars));
    let columns =
        ["day", "packages", "keys", "keys for each real one", "people, at least", "about", "at most"];
    let rows = shown.iter().map(|day| {
        vec![
            day.day.clone(),
            day.packages.to_string(),
            thousands(day.keys),
            day.multiplier.to_string(),
            thousands(day.users.at_least),
            thousands(day.users.estimate),
            thousands(day.users.at_most),
        ]
    });
    numbers(page, &columns, rows);
    page.push_str("</section>\n");
}

fn padding(page: &mut String, statistics: &Statistics) {
    let padding = &statistics.padding;
    section(page, "Padding", &format!("How it is found out: {}.", padding.method));
    let _ = writeln!(page, "<p>Groups that were looked at: {}.</p>", thousands(padding.groups));
    let rows = padding.tried.iter().map(|tried| {
        let chosen = if tried.multiplier == padding.multiplier { " ✓" } else { "" };
        vec![
            format!("{}{chosen}", tried.multiplier),
            format!("{:.1} %", 100.0 * tried.share),
            probability(tried.p),
        ]
    });
    table(page, &["multiplier", "divides", "by chance, p at most"], rows);
    page.push_str("</section>\n");
}

fn randomness(page: &mut String, statistics: &Statistics) {
    let randomness = &statistics.randomness;
    section(
        page,
        "Randomness of key bytes",
        "The probability p that random keys differ at least so much from what is expected.",
    );
    if randomness.tests.is_empty() {
        page.push_str("<p>Not tested: fewer than 80 keys.</p></section>\n");
        return;
    }
    let _ = writeln!(
        page,
        "<p>{} tests over {} keys; one below {} is told, so that of a thousand distributions of random keys at most one is.</p>",
        randomness.tests.len(),
        randomness.keys,
        probability(randomness.threshold)
    );
    let rows = randomness.tests.iter().map(|test| {
        vec![
            test.about.to_owned(),
            format!("{:.1}", test.statistic),
            format!("{:.1}", test.expected),
            probability(test.p),
        ]
    });
    table(page, &["test", "found", "expected", "p"], rows);
    page.push_str("</section>\n");
}

fn signing_keys(page: &mut String, statistics: &Statistics) {
    if statistics.signing_keys.is_empty() {
        return;
    }
    section(page, "Signing keys", "Which keys of the trust store signed.");
    let rows = statistics.signing_keys.iter().map(|key| vec![key.key.clone(), key.packages.to_string()]);
    table(page, &["key", "packages"], rows);
    page.push_str("</section>\n");
}

fn probability(p: f64) -> String {
    if p >= 0.001 { format!("{p:.3}") } else { format!("{p:.1e}") }
}

fn section(page: &mut String, title: &str, about: &str) {
    let _ = writeln!(page, "<section><h2>{}</h2>\n<p>{}</p>", escaped(title), escaped(about));
}

fn picture(page: &mut String, svg: &str) {
    let _ = writeln!(page, "<figure>{svg}</figure>");
}

/// The numbers of a picture, for those who cannot see it or want to copy them.
fn numbers<C: Display>(page: &mut String, columns: &[C], rows: impl Iterator<Item = Vec<String>>) {
    page.push_str("<details><summary>The numbers</summary>\n");
    table(page, columns, rows);
    page.push_str("</details>\n");
}

fn table_of_grid(page: &mut String, what: &str, columns: &[String], rows: &[(String, Vec<u64>)]) {
    let names: Vec<String> = core::iter::once(what.to_owned()).chain(columns.iter().cloned()).collect();
    let rows = rows.iter().map(|(name, cells)| {
        core::iter::once(name.clone()).chain(cells.iter().map(|keys| thousands(*keys))).collect()
    });
    numbers(page, &names, rows);
}

fn table<C: Display>(page: &mut String, columns: &[C], rows: impl Iterator<Item = Vec<String>>) {
    page.push_str("<div class=\"wide\"><table class=\"numbers\"><thead><tr>");
    for column in columns {
        let _ = write!(page, "<th scope=\"col\">{}</th>", escaped(&column.to_string()));
    }
    page.push_str("</tr></thead><tbody>\n");
    for row in rows {
        page.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            let cell = escaped(cell);
            let _ = match at {
                0 => write!(page, "<th scope=\"row\">{cell}</th>"),
                _ => write!(page, "<td>{cell}</td>"),
            };
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}

const STYLE: &str = include_str!("report.css");
