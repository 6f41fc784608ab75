//! `cwa config diff`: which parameters differ, whatever the form of the files.

use core::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use super::load::Loaded;
use crate::args::Answer;
use crate::failure::Failure;
use crate::output::{Output, count, style};

/// Arguments of `cwa config diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArguments {
    /// The earlier configuration: a signed archive, a bare configuration, or YAML; - is standard input.
    #[arg(value_name = "A")]
    before: PathBuf,
    /// The later one; if one of the two is only a part, that part is compared.
    #[arg(value_name = "B")]
    after: PathBuf,
}

/// The answer of `cwa config diff`.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Difference {
    added: Vec<Parameter>,
    removed: Vec<Parameter>,
    changed: Vec<Changed>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Parameter {
    /// The path, by the names of the German server's files.
    parameter: String,
    value: Value,
}

#[derive(Debug, PartialEq, Serialize)]
struct Changed {
    parameter: String,
    before: Value,
    after: Value,
}

pub(super) fn diff(arguments: &DiffArguments, output: &mut Output) -> Result<Answer, Failure> {
    let (before, after) = (Loaded::read(&arguments.before)?, Loaded::read(&arguments.after)?);
    let scope = scope(&before, &after)?;
    let difference = Difference::between(parameters(&before, &scope)?, parameters(&after, &scope)?);
    output.answer("cwa.config.diff/1", &difference, |text| write_difference(text, &difference))?;
    Ok(if difference == Difference::default() { Answer::Yes } else { Answer::No })
}

/// What both files speak of: the path of a part, or nothing for everything.
fn scope(before: &Loaded, after: &Loaded) -> Result<String, Failure> {
    let differ = || {
        let name = |loaded: &Loaded| {
            let part = loaded.part().map_or_else(String::new, |part| format!(", part {part}"));
            format!("{} ({}{part})", loaded.file, loaded.kind())
        };
        let message = format!("{} and {} have nothing in common", name(before), name(after));
        Failure::usage("CWA-E0404", message).help("compare two configurations of one version, or of a part")
    };
    if before.kind() != after.kind() {
        return Err(differ());
    }
    let (one, other) = (place(before), place(after));
    match (before.part(), after.part()) {
        (one, other) if one == other => {}
        // A part that is not looked into is opaque in a whole configuration.
        (None, Some(_)) if before.lookable(after) => {}
        (Some(_), None) if after.lookable(before) => {}
        // One part can lie within the other.
        (Some(_), Some(_)) if !one.is_empty() && is_within(&one, &other) => {}
        (Some(_), Some(_)) if !other.is_empty() && is_within(&other, &one) => {}
        _ => return Err(differ()),
    }
    Ok(if one.len() > other.len() { one } else { other })
}

impl Loaded {
    /// Whether this whole configuration has the part in a form that can be compared.
    fn lookable(&self, part: &Self) -> bool {
        self.part().is_none() && !place(part).is_empty()
    }
}

/// Where a part stands in its configuration; empty for a whole one, and for a part that is not looked into.
fn place(loaded: &Loaded) -> String {
    use super::load::Content;
    match (&loaded.content, loaded.part()) {
        // The encoding is the server's alone: it stands in no whole configuration.
        (Content::Other(..) | Content::Encoding(_), _) | (_, None) => String::new(),
        (Content::Values(_), Some(part)) => format!("risk-calculation-parameters.{part}"),
        (_, Some(part)) => part.to_owned(),
    }
}

/// Every parameter within the scope by its path.
fn parameters(loaded: &Loaded, scope: &str) -> Result<BTreeMap<String, Value>, Failure> {
    use super::load::Content;
    let start = match &loaded.content {
        // This part's own file repeats its name.
        Content::Values(_) => "risk-calculation-parameters".to_owned(),
        _ => place(loaded),
    };
    let mut parameters = BTreeMap::new();
    flatten(&start, &loaded.value()?, &mut parameters);
    parameters.retain(|path, _| is_within(path, scope));
    Ok(parameters)
}

/// Whether a path is the other or leads on from it.
fn is_within(path: &str, scope: &str) -> bool {
    match path.strip_prefix(scope) {
        Some(rest) => scope.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']),
        None => false,
    }
}

/// Takes a value apart into single parameters.
fn flatten(place: &str, value: &Value, parameters: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                flatten(&place, value, parameters);
            }
        }
        Value::Array(entries) => {
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            for (entry, index) in entries.iter().zip(0_usize..) {
                let (name, members) = name(entry).unwrap_or_else(|| (index.to_string(), &[]));
                let count = seen.entry(name.clone()).or_default();
                *count = count.saturating_add(1);
                let again = if *count > 1 { format!(" #{count}") } else { String::new() };
                let place = format!("{place}[{name}{again}]");
                match entry {
                    // What is in the name already is not told again.
                    Value::Object(entry) => {
                        for (name, value) in
                            entry.iter().filter(|(name, _)| !members.contains(&name.as_str()))
                        {
                            flatten(&format!("{place}.{name}"), value, parameters);
                        }
                    }
                    entry => flatten(&place, entry, parameters),
                }
            }
        }
        scalar => {
            parameters.insert(place.to_owned(), scalar.clone());
        }
    }
}

/// By what an entry is the same in another order, and the members that say it; `None` where the place in the list counts.
fn name(entry: &Value) -> Option<(String, &'static [&'static str])> {
    const NAMES: [&[&str]; 4] =
        [&["label"], &["transmission-risk-level"], &["region", "date", "hour"], &["region", "date"]];
    if let Some(text) = entry.as_str() {
        return Some((text.to_owned(), &[]));
    }
    NAMES.into_iter().find_map(|members| {
        let text = |member: &&str| {
            let value = entry.get(member)?;
            Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        Some((members.iter().map(text).collect::<Option<Vec<_>>>()?.join(" "), members))
    })
}

impl Difference {
    fn between(mut before: BTreeMap<String, Value>, after: BTreeMap<String, Value>) -> Self {
        let mut difference = Self::default();
        for (parameter, after) in after {
            match before.remove(&parameter) {
                None => difference.added.push(Parameter { parameter, value: after }),
                Some(before) if !same(&before, &after) => {
                    difference.changed.push(Changed { parameter, before, after });
                }
                Some(_) => {}
            }
        }
        difference.removed =
            before.into_iter().map(|(parameter, value)| Parameter { parameter, value }).collect();
        difference
    }
}

/// Numbers are the same whether they are written with a fraction or without.
fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other) == Ordering::Equal,
        _ => one == other,
    }
}

fn write_difference(text: &mut dyn Write, difference: &Difference) -> io::Result<()> {
    let Difference { added, removed, changed } = difference;
    let (good, bad, warning) = (style::GOOD, style::BAD, style::WARNING);
    let added_parameters = count(added.len(), "parameter");
    writeln!(text, "{added_parameters} added, {} removed, {} changed", removed.len(), changed.len())?;
    for Parameter { parameter, value } in removed {
        writeln!(text, "  {bad}-{bad:#} {parameter}: {value}")?;
    }
    for Parameter { parameter, value } in added {
        writeln!(text, "  {good}+{good:#} {parameter}: {value}")?;
    }
    for Changed { parameter, before, after } in changed {
        writeln!(text, "  {warning}~{warning:#} {parameter}: {before} -> {after}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn difference(before: &Value, after: &Value) -> Difference {
        let flat = |value| {
            let mut parameters = BTreeMap::new();
            flatten("", value, &mut parameters);
            parameters
        };
        Difference::between(flat(before), flat(after))
    }

    #[test]
    fn entries_with_a_name_are_compared_whatever_their_order() {
        let before = json!({ "classes": [{ "label": "LOW", "max": 15 }, { "label": "HIGH", "max": 72 }], "c": ["DE", "FR"] });
        let after = json!({ "classes": [{ "label": "HIGH", "max": 9999 }, { "label": "LOW", "max": 15.0 }], "c": ["FR", "DE", "DE"] });
        let difference = difference(&before, &after);
        assert_eq!(difference.removed, []);
        assert_eq!(difference.added, [Parameter { parameter: "c[DE #2]".to_owned(), value: json!("DE") }]);
        let changed =
            Changed { parameter: "classes[HIGH].max".to_owned(), before: json!(72), after: json!(9999) };
        assert_eq!(difference.changed, [changed]);
    }

    #[test]
    fn entries_without_a_name_are_compared_by_their_place() {
        let difference = difference(&json!({ "t": [30, 50] }), &json!({ "t": [30, 55, 70] }));
        assert_eq!(difference.added, [Parameter { parameter: "t[2]".to_owned(), value: json!(70) }]);
        let changed = Changed { parameter: "t[1]".to_owned(), before: json!(50), after: json!(55) };
        assert_eq!(difference.changed, [changed]);
    }

    #[test]
    fn a_scope_ends_where_a_name_does() {
        assert!(is_within("a.b", "a") && is_within("a[0]", "a") && is_within("a", "a") && is_within("a", ""));
        assert!(!is_within("ab", "a") && !is_within("b.a", "a"));
    }
}
