//! `cwa explain`: what a code means, why it happens, and what to do about it.

mod platform;

use std::io::{self, Write};

use cwa_export::finding::{Code, Severity};
use serde::Serialize;

use self::platform::{API_EXCEPTION, EN_ERROR_DOMAIN, PlatformCode};
use crate::args::Answer;
use crate::failure::Failure;
use crate::failure::catalogue::FAILURES;
use crate::output::{Output, style};

/// Arguments of `cwa explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArguments {
    /// A code as it was printed: CWA-E1201, ENErrorDomain 13, ENError 11, badFormat, ApiException 39508, 39508; without
    /// one, all.
    #[arg(value_name = "CODE")]
    code: Vec<String>,
}

/// The answer of `cwa explain`: several codes where a number means one thing on iOS and another on Android.
#[derive(Serialize)]
struct Explained {
    codes: Vec<Entry>,
}

/// A code of any of the three catalogues.
#[derive(Clone, Debug, Serialize)]
struct Entry {
    /// Who prints it.
    source: Source,
    /// As it is printed.
    code: String,
    /// The name beside a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    /// How much it weighs unless a profile says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    title: &'static str,
    cause: &'static str,
    remedy: &'static str,
    /// What it can be called by, in lower case and without separators.
    #[serde(skip)]
    names: Vec<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
enum Source {
    #[serde(rename = "cwa")]
    Cwa,
    #[serde(rename = "ENErrorDomain")]
    EnErrorDomain,
    #[serde(rename = "ApiException")]
    ApiException,
}

pub(crate) fn explain(arguments: &ExplainArguments, output: &mut Output) -> Result<Answer, Failure> {
    let all = entries();
    if arguments.code.is_empty() {
        let explained = Explained { codes: all };
        output.answer("cwa.explain/1", &explained, |text| write_list(text, &explained.codes))?;
        return Ok(Answer::Yes);
    }
    let asked = arguments.code.join(" ");
    let explained = Explained { codes: find(&all, &asked) };
    if explained.codes.is_empty() {
        let help = match nearest(&all, &asked).as_slice() {
            [] => "`cwa explain` without a code lists all".to_owned(),
            near => format!("similar: {}; `cwa explain` without a code lists all", near.join(", ")),
        };
        return Err(Failure::usage("CWA-E0007", format!("no code is called {asked:?}")).help(help));
    }
    output.answer("cwa.explain/1", &explained, |text| {
        explained.codes.iter().enumerate().try_for_each(|(index, entry)| {
            if index > 0 {
                writeln!(text)?;
            }
            write_entry(text, entry)
        })
    })?;
    Ok(Answer::Yes)
}

/// Every code, those of this program first.
fn entries() -> Vec<Entry> {
    let own = FAILURES.iter().map(|failure| Entry {
        source: Source::Cwa,
        code: failure.code.to_owned(),
        name: None,
        severity: Some(Severity::Error),
        title: failure.title,
        cause: failure.cause,
        remedy: failure.remedy,
        names: names_of_own(failure.code),
    });
    let found = Code::ALL.iter().map(|code| {
        let explanation = code.explanation();
        Entry {
            source: Source::Cwa,
            code: code.to_string(),
            name: None,
            severity: Some(code.severity()),
            title: explanation.title,
            cause: explanation.cause,
            remedy: explanation.remedy,
            names: names_of_own(code.as_str()),
        }
    });
    let ios = EN_ERROR_DOMAIN.iter().map(|code| {
        let prefixes = ["enerrordomain", "enerrordomaincode", "enerrorcode", "enerror", "en", ""];
        platform_entry(Source::EnErrorDomain, "ENErrorDomain", code, &prefixes)
    });
    let android = API_EXCEPTION.iter().map(|code| {
        let prefixes = [
            "apiexception",
            "apiexceptionstatus",
            "exposurenotificationstatuscodes",
            "exposurenotificationstatus",
            "statuscode",
            "status",
            "",
        ];
        platform_entry(Source::ApiException, "ApiException", code, &prefixes)
    });
    own.chain(found).chain(ios).chain(android).collect()
}

/// `CWA-E1201` is also E1201 and 1201.
fn names_of_own(code: &str) -> Vec<String> {
    let whole = plain(code);
    let short = whole.trim_start_matches("cwa").to_owned();
    let number = short.trim_start_matches(['e', 'w']).to_owned();
    vec![whole, short, number]
}

fn platform_entry(source: Source, domain: &str, code: &PlatformCode, prefixes: &[&str]) -> Entry {
    let name = plain(code.name);
    let without_failed = name.trim_start_matches("failed").to_owned();
    let own = [code.number.to_string(), name, without_failed];
    let mut names: Vec<String> = prefixes
        .iter()
        .flat_map(|prefix| own.iter().filter(|own| !own.is_empty()).map(move |own| format!("{prefix}{own}")))
        .collect();
    names.dedup();
    Entry {
        source,
        code: format!("{domain} {}", code.number),
        name: Some(code.name),
        severity: None,
        title: code.title,
        cause: code.cause,
        remedy: code.remedy,
        names,
    }
}

/// Codes that are called so.
fn find(all: &[Entry], asked: &str) -> Vec<Entry> {
    let asked = plain(asked);
    all.iter().filter(|entry| entry.names.contains(&asked)).cloned().collect()
}

/// Up to three codes that are called nearly so: at most a third of the characters differ.
fn nearest(all: &[Entry], asked: &str) -> Vec<String> {
    let asked = plain(asked);
    let distance =
        |entry: &Entry| entry.names.iter().map(|name| strsim::damerau_levenshtein(name, &asked)).min();
    let mut near: Vec<(usize, String)> = all
        .iter()
        .filter_map(|entry| {
            let distance = distance(entry).filter(|distance| distance * 3 <= asked.chars().count())?;
            let name = entry.name.map_or_else(String::new, |name| format!(" ({name})"));
            Some((distance, format!("{}{name}", entry.code)))
        })
        .collect();
    near.sort();
    near.truncate(3);
    near.into_iter().map(|(_, code)| code).collect()
}

/// Letters and digits alone, in lower case: `ENErrorDomain Code=13` is called like `ENErrorDomain-Code 13`.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn write_entry(text: &mut dyn Write, entry: &Entry) -> io::Result<()> {
    let strong = style::STRONG;
    let name = entry.name.map_or_else(String::new, |name| format!(" {name}"));
    let severity = entry.severity.map_or_else(String::new, |severity| format!(" ({severity})"));
    writeln!(text, "{strong}{}{name}{strong:#}{severity}: {}", entry.code, entry.title)?;
    writeln!(text, "  cause   {}", entry.cause)?;
    writeln!(text, "  remedy  {}", entry.remedy)
}

fn write_list(text: &mut dyn Write, entries: &[Entry]) -> io::Result<()> {
    entries.iter().try_for_each(|entry| {
        let name = entry.name.map_or_else(String::new, |name| format!("{name}: "));
        writeln!(text, "{:20} {name}{}", entry.code, entry.title)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(asked: &str) -> Vec<String> {
        find(&entries(), asked).into_iter().map(|entry| entry.code).collect()
    }

    #[test]
    fn a_code_is_found_by_every_form_in_which_it_is_printed() {
        for asked in ["CWA-E1201", "cwa-e1201", "E1201", "1201"] {
            assert_eq!(codes(asked), ["CWA-E1201"], "{asked}");
        }
        for asked in [
            "ENErrorDomain 15",
            "ENErrorDomain-15",
            "ENErrorDomain Code=15",
            "EN15",
            "badFormat",
            "ENError.badFormat",
        ] {
            assert_eq!(codes(asked), ["ENErrorDomain 15"], "{asked}");
        }
        for asked in
            ["ApiException 39507", "ApiException: 39507:", "39507", "FAILED_UNAUTHORIZED", "unauthorized"]
        {
            assert_eq!(codes(asked), ["ApiException 39507"], "{asked}");
        }
    }

    #[test]
    fn a_number_of_both_systems_gives_both() {
        assert_eq!(codes("13"), ["ENErrorDomain 13", "ApiException 13"]);
        assert_eq!(codes("rateLimited"), ["ENErrorDomain 13", "ApiException 39508"]);
    }

    #[test]
    fn every_code_is_found_by_what_it_is_printed_as_and_explains_itself() {
        let all = entries();
        assert_eq!(EN_ERROR_DOMAIN.len(), 17);
        assert_eq!(API_EXCEPTION.len(), 10);
        for entry in &all {
            assert!(codes(&entry.code).contains(&entry.code), "{entry:?}");
            assert!(!entry.title.is_empty() && !entry.cause.is_empty() && !entry.remedy.is_empty());
        }
    }

    #[test]
    fn a_misspelt_code_has_neighbours_and_nonsense_has_none() {
        assert!(codes("badFromat").is_empty());
        assert_eq!(nearest(&entries(), "badFromat"), ["ENErrorDomain 15 (badFormat)"]);
        assert!(nearest(&entries(), "weather report of tomorrow").is_empty());
    }
}
