//! The files of this crate.

/// The files of this crate: name and content.
///
/// # Examples
///
/// ```
/// let tests: usize = cwa_test_vectors::builtin()
///     .map(|(_, json)| cwa_test_vectors::parse(json).map(|file| file.test_groups.iter().map(|group| group.tests.len()).sum::<usize>()))
///     .sum::<Result<usize, _>>()?;
/// assert!(tests > 300);
/// # Ok::<(), cwa_test_vectors::ParseError>(())
/// ```
pub fn builtin() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().copied()
}

/// The JSON schemas of this crate's files, and of the parameters and exposures of each risk engine (`risk-ENGINE.json`): name and
/// content.
pub fn schemas() -> impl Iterator<Item = (&'static str, &'static str)> {
    SCHEMAS.iter().copied()
}

macro_rules! files {
    ($folder:literal: $($name:literal),+ $(,)?) => { &[$(($name, include_str!(concat!("../", $folder, "/", $name)))),+] };
}

const FILES: &[(&str, &str)] = files!["v1":
    "audit.json",
    "bluetooth.json",
    "distribution.json",
    "export.json",
    "export_public_keys.json",
    "gateway.json",
    "key_schedule.json",
    "lint.json",
    "together.json",
    "content_sig.json",
    "matching.json",
    "risk_scores.json",
    "risk_windows.json",
    "submission.json",
    "verification.json",
    "writer.json",
];

const SCHEMAS: &[(&str, &str)] = files!["schemas":
    "audit_v1.json",
    "bluetooth_v1.json",
    "distribution_v1.json",
    "envelope_v1.json",
    "export_v1.json",
    "export_public_keys_v1.json",
    "fields_v1.json",
    "gateway_v1.json",
    "key_schedule_v1.json",
    "lint_v1.json",
    "together_v1.json",
    "content_sig_v1.json",
    "matching_v1.json",
    "risk-cwa-v1.json",
    "risk-gaen-v1.json",
    "risk_scores_v1.json",
    "risk_windows_v1.json",
    "submission_v1.json",
    "verification_v1.json",
    "writer_v1.json",
];
