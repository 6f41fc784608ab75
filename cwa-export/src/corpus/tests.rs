use cwa_crypto::{Day, DiagnosisKey, ENIntervalNumber, RollingPeriod, TransmissionRiskLevel, UnixTime};
use p256::ecdsa::SigningKey;
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::batch::Hour;
use crate::country::Country;
use crate::index::{Manifest, countries_json, days_json, hours_json};
use crate::trust::TrustedKey;
use crate::{Export, ExportKey, SignatureInfo, SoftwareSigner};

const DE: Country = Country::GERMANY;

fn day() -> Day {
    Day::from_calendar(2020, 7, 22).unwrap()
}

fn hour(of_day: u8) -> Hour {
    Hour::of(day(), of_day).unwrap()
}

fn signer(seed: u8) -> SoftwareSigner {
    SoftwareSigner::new(SigningKey::from_slice(&[seed; 32]).unwrap(), SignatureInfo::new("262", "v1"))
}

fn trusted() -> TrustStore {
    let key = |seed| TrustedKey::given(format!("key {seed}"), *signer(seed).verifying_key());
    [key(7), key(8)].into_iter().collect()
}

/// A key of the day before, with bytes that look random.
fn key(number: u32) -> DiagnosisKey {
    let mut key = DiagnosisKey::new(
        signature_like(number),
        ENIntervalNumber::at(day().minus(1).start()),
        RollingPeriod::FULL_DAY,
    );
    key.transmission_risk_level = Some(TransmissionRiskLevel::try_from(5).unwrap());
    key
}

fn signature_like(number: u32) -> [u8; 16] {
    let digest = crate::signature::digest(&number.to_be_bytes());
    core::array::from_fn(|at| digest[at])
}

fn keys(numbers: impl IntoIterator<Item = u32>) -> Vec<DiagnosisKey> {
    numbers.into_iter().map(key).collect()
}

fn archive(start: UnixTime, end: UnixTime, keys: Vec<DiagnosisKey>, seed: u8) -> Vec<u8> {
    let keys: Vec<ExportKey> = keys.into_iter().map(ExportKey::from).collect();
    Export::new(start, end, "DE", keys).sign(&[&signer(seed)]).unwrap().to_archive().unwrap()
}

/// A distribution: files by path.
#[derive(Clone, Default)]
struct Tree(BTreeMap<String, Vec<u8>>);

impl Tree {
    /// One day: hour 4 has keys 0 to 2, hour 11 keys 3 to 5, hour 5 none; all of them are in the day.
    fn of_one_day() -> Self {
        let mut tree = Self::default();
        tree.hour(4, keys(0..3));
        tree.hour(5, vec![]);
        tree.hour(11, keys(3..6));
        tree.day(keys(0..6));
        tree.put(DistributionPath::Countries, countries_json([DE]).into());
        tree.put(DistributionPath::Dates { country: DE }, days_json([day()]).into());
        let hours = DistributionPath::Hours { country: DE, day: day() };
        tree.put(hours, hours_json([hour(4), hour(11)]).into());
        tree.manifest(day().next().start());
        tree
    }

    fn put(&mut self, path: DistributionPath, content: Vec<u8>) {
        self.0.insert(path.file_path(), content);
    }

    fn hour(&mut self, of_day: u8, keys: Vec<DiagnosisKey>) {
        let hour = hour(of_day);
        let path = DistributionPath::HourPackage { country: DE, hour };
        self.put(path, archive(hour.start(), hour.end(), keys, 7));
    }

    fn day(&mut self, keys: Vec<DiagnosisKey>) {
        let path = DistributionPath::DayPackage { country: DE, day: day() };
        self.put(path, archive(day().start(), day().next().start(), keys, 7));
    }

    fn manifest(&mut self, at: UnixTime) {
        let mut manifest = Manifest::new(at);
        self.0.remove(&DistributionPath::Manifest.file_path());
        for (path, content) in &self.0 {
            let path = path.strip_suffix("/index").unwrap().parse().unwrap();
            let key_count = match path {
                DistributionPath::DayPackage { .. } => 6,
                DistributionPath::HourPackage { hour, .. } if hour.of_day() == 5 => 0,
                DistributionPath::HourPackage { .. } => 3,
                _ => 0,
            };
            manifest.insert(path, content, key_count);
        }
        self.put(DistributionPath::Manifest, manifest.sign(&[&signer(7)]).unwrap().to_archive().unwrap());
    }

    fn remove(&mut self, path: DistributionPath) {
        assert!(self.0.remove(&path.file_path()).is_some(), "{path}");
    }

    /// Takes the manifest away, so that what it would tell is not told.
    fn without_manifest(mut self) -> Self {
        self.remove(DistributionPath::Manifest);
        self
    }

    fn audit(&self) -> CorpusReport {
        self.audit_after(&Self::default())
    }

    fn audit_after(&self, earlier: &Self) -> CorpusReport {
        let trusted = trusted();
        let audit = CorpusAudit::new(&trusted);
        let mut corpus = Corpus::new(&audit);
        for (path, bytes) in &self.0 {
            corpus.add(audit.examine(path, FileBytes::Whole(bytes)));
        }
        for (path, bytes) in &earlier.0 {
            corpus.add_earlier(audit.examine(path, FileBytes::Whole(bytes)));
        }
        corpus.finish()
    }
}

/// Codes but for notes, without the prefix, in the order of the catalogue.
fn codes(report: &CorpusReport) -> Vec<&'static str> {
    let found = report.findings.iter().map(|found| &found.finding);
    let mut codes: Vec<Code> =
        found.filter(|finding| finding.severity > Severity::Note).map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes.into_iter().map(|code| code.as_str().trim_start_matches("CWA-")).collect()
}

#[test]
fn a_distribution_in_order_has_no_findings() {
    let report = Tree::of_one_day().audit();
    assert_eq!(codes(&report), [""; 0], "{:?}", report.findings);
    assert_eq!((report.packages, report.keys, report.refused_packages), (4, 6, 0));
    let statistics = &report.statistics;
    assert_eq!((statistics.counted_packages, statistics.counted_keys), (1, 6));
    assert_eq!(statistics.users.estimate, 6);
    assert_eq!(statistics.keys_by_day[0].day, "2020-07-21");
    assert_eq!(statistics.signing_keys, [SigningKeyUse { key: "key 7".into(), packages: 4 }]);
}

#[test]
fn what_a_mirror_does_not_fetch_is_not_missed() {
    let mut tree = Tree::of_one_day();
    tree.remove(DistributionPath::HourPackage { country: DE, hour: hour(5) });
    assert_eq!(codes(&tree.audit()), [""; 0]);
}

#[test]
fn a_distribution_in_order_is_no_older_copy_of_itself() {
    let tree = Tree::of_one_day();
    assert_eq!(codes(&tree.audit_after(&tree)), [""; 0]);
}

type Change = fn(&mut Tree);

#[rstest]
#[case::a_key_of_an_hour_is_not_in_the_day(|tree: &mut Tree| tree.day(keys(0..5)), &["E1721"])]
#[case::a_key_of_the_day_is_in_no_hour(|tree: &mut Tree| tree.day(keys(0..7)), &["E1722"])]
#[case::a_key_is_in_two_hours(|tree: &mut Tree| tree.hour(11, keys(2..6)), &["E1723"])]
#[case::an_index_names_what_is_not_there(
    |tree: &mut Tree| tree.remove(DistributionPath::HourPackage { country: DE, hour: hour(4) }),
    &["E1702"]
)]
#[case::an_index_leaves_out_an_hour(
    |tree: &mut Tree| tree.put(DistributionPath::Hours { country: DE, day: day() }, b"[4]".to_vec()),
    // What is not listed is not known to be all, and is not held against the day.
    &["W1703"]
)]
#[case::an_index_names_an_empty_hour(
    |tree: &mut Tree| tree.put(DistributionPath::Hours { country: DE, day: day() }, b"[4,5,11]".to_vec()),
    &["W1704"]
)]
#[case::an_index_is_out_of_order(
    |tree: &mut Tree| tree.put(DistributionPath::Hours { country: DE, day: day() }, b"[11,4]".to_vec()),
    &["E1701", "W1730"]
)]
#[case::there_is_no_index_of_days(
    |tree: &mut Tree| tree.remove(DistributionPath::Dates { country: DE }),
    &["E1702", "W1705"]
)]
#[case::a_package_of_another_day_lies_in_the_place(
    |tree: &mut Tree| {
        let hour_package = tree.0[&DistributionPath::HourPackage { country: DE, hour: hour(4) }.file_path()].clone();
        tree.put(DistributionPath::HourPackage { country: DE, hour: hour(6) }, hour_package);
    },
    // It is not listed, has the keys of another hour, and says which.
    &["W1703", "E1720", "E1723"]
)]
#[case::a_package_is_signed_by_a_stranger(
    |tree: &mut Tree| tree.put(
        DistributionPath::HourPackage { country: DE, hour: hour(4) },
        archive(hour(4).start(), hour(4).end(), keys(0..3), 9)
    ),
    &["E1201"]
)]
#[case::keys_are_published_an_hour_after_their_end(
    |tree: &mut Tree| { tree.hour(0, keys(9..10)); tree.day(keys((0..6).chain(9..10))); },
    &["W1703", "E1726"]
)]
#[case::a_signed_configuration_lies_where_a_package_should(
    |tree: &mut Tree| {
        let manifest = Manifest::new(UnixTime::from_secs(1)).sign(&[&signer(7)]).unwrap().to_archive().unwrap();
        tree.put(DistributionPath::HourPackage { country: DE, hour: hour(4) }, manifest);
    },
    &["E1101"]
)]
fn each_break_is_told_by_its_code_and_nothing_else(#[case] change: Change, #[case] expected: &[&str]) {
    let mut tree = Tree::of_one_day().without_manifest();
    change(&mut tree);
    let report = tree.audit();
    assert_eq!(codes(&report), expected, "{:#?}", report.findings);
}

#[rstest]
#[case::a_file_was_changed(|tree: &mut Tree| tree.put(DistributionPath::Countries, br#"["DE","FR"]"#.to_vec()), &["E1702", "E1711"])]
#[case::a_file_was_taken_away(
    |tree: &mut Tree| tree.remove(DistributionPath::Dates { country: DE }),
    &["E1702", "W1705", "E1712"]
)]
#[case::a_file_was_put_in(|tree: &mut Tree| tree.put(DistributionPath::ConfigurationIos, Tree::of_one_day().0[&DistributionPath::Manifest.file_path()].clone()), &["E1713"])]
#[case::an_old_manifest_is_served(|tree: &mut Tree| tree.manifest(day().start().plus(3600)), &["E1714"])]
#[case::the_manifest_is_signed_by_a_stranger(
    |tree: &mut Tree| {
        let manifest = Manifest::new(day().next().start());
        tree.put(DistributionPath::Manifest, manifest.sign(&[&signer(9)]).unwrap().to_archive().unwrap());
    },
    &["E1710"]
)]
fn the_manifest_shows_what_was_mixed(#[case] change: Change, #[case] expected: &[&str]) {
    let mut tree = Tree::of_one_day();
    change(&mut tree);
    let report = tree.audit();
    assert_eq!(codes(&report), expected, "{:#?}", report.findings);
}

#[rstest]
#[case::keys_are_gone(|tree: &mut Tree| { tree.hour(11, keys(3..5)); tree.day(keys(0..5)); }, &["E1724"])]
#[case::a_package_was_given_more(|tree: &mut Tree| { tree.hour(11, keys(3..7)); tree.day(keys(0..7)); }, &["E1725", "E1725"])]
fn an_earlier_copy_shows_what_was_changed(#[case] change: Change, #[case] expected: &[&str]) {
    let earlier = Tree::of_one_day().without_manifest();
    let mut tree = earlier.clone();
    change(&mut tree);
    let report = tree.audit_after(&earlier);
    assert_eq!(codes(&report), expected, "{:#?}", report.findings);
}

#[test]
fn a_manifest_older_than_that_of_an_earlier_copy_is_a_rollback() {
    let (tree, mut later) = (Tree::of_one_day(), Tree::of_one_day());
    later.manifest(day().next().start().plus(3600));
    assert_eq!(codes(&tree.audit_after(&later)), ["E1714"]);
    assert_eq!(codes(&later.audit_after(&tree)), [""; 0]);
}

#[test]
fn keys_that_are_past_retention_may_be_gone_and_should_be() {
    let earlier = Tree::of_one_day().without_manifest();
    let mut tree = earlier.clone();
    tree.day(vec![]);
    tree.hour(4, vec![]);
    tree.hour(11, vec![]);
    let audit = |tree: &Tree, earlier: &Tree, now: UnixTime| {
        let trusted = trusted();
        let audit = CorpusAudit::new(&trusted).now(now);
        let mut corpus = Corpus::new(&audit);
        tree.0.iter().for_each(|(path, bytes)| corpus.add(audit.examine(path, FileBytes::Whole(bytes))));
        earlier
            .0
            .iter()
            .for_each(|(path, bytes)| corpus.add_earlier(audit.examine(path, FileBytes::Whole(bytes))));
        corpus.finish()
    };
    // The keys end at the midnight before the day.
    let last = day().start().plus(14 * Day::SECONDS);
    assert!(codes(&audit(&tree, &earlier, last)).contains(&"E1724"));
    assert!(!codes(&audit(&tree, &earlier, last.plus(1))).contains(&"E1724"));
    let none = Tree::default();
    assert_eq!(codes(&audit(&earlier, &none, last)), [""; 0]);
    assert_eq!(codes(&audit(&earlier, &none, last.plus(1))), ["W1727"; 3]);
}

#[test]
fn what_a_mirror_noted_is_held_against_the_bytes() {
    let trusted = trusted();
    let audit = CorpusAudit::new(&trusted);
    let sha256 = hex::encode(crate::signature::digest(b""));
    let tag = |digest: &str| format!("W/\"{digest}\"");
    let cases = [
        (sha256.clone(), Some(tag(&sha256)), vec![]),
        (sha256.clone(), Some(tag(&"0".repeat(64))), vec!["W1708"]),
        // A tag of another kind says nothing.
        (sha256, Some(tag("5e-57")), vec![]),
        ("0".repeat(64), None, vec!["E1707"]),
    ];
    for (noted, etag, expected) in cases {
        let mut corpus = Corpus::new(&audit);
        corpus.add(audit.examine("index.txt", FileBytes::Whole(b"")));
        corpus.record("index.txt", &noted, etag.as_deref());
        assert_eq!(codes(&corpus.finish()), expected);
    }
    let mut corpus = Corpus::new(&audit);
    corpus.record("gone", "00", None);
    assert_eq!(codes(&corpus.finish()), ["E1707"]);
}

#[test]
fn files_of_an_index_txt_are_compared_with_it_and_with_one_another() {
    let trusted = trusted();
    let audit = CorpusAudit::new(&trusted);
    let mut corpus = Corpus::new(&audit);
    let mut add = |path: &str, bytes: &[u8]| corpus.add(audit.examine(path, FileBytes::Whole(bytes)));
    let window = |of_day| (hour(of_day).start(), hour(of_day).end());
    let package = |(start, end), keys| archive(start, end, keys, 7);
    add("v1/index.txt", b"v1/1.zip\nv1/2.zip\nv1/3.zip\n");
    add("v1/1.zip", &package(window(4), keys(0..3)));
    add("v1/2.zip", &package(window(5), keys(2..4)));
    // After a gap of an hour.
    add("v1/4.zip", &package(window(7), keys(5..6)));
    add("readme.txt", b"hello");
    let report = corpus.finish();
    assert_eq!(codes(&report), ["E1702", "W1703", "E1723"], "{:#?}", report.findings);
    let notes: Vec<_> = report.findings.iter().map(|found| found.finding.code.as_str()).collect();
    assert!(notes.contains(&"CWA-W1730") && notes.contains(&"CWA-W1706"), "{notes:?}");
    assert_eq!(report.keys, 5);
}

#[test]
fn signing_keys_that_take_turns_are_told_and_a_rotation_is_a_note() {
    let severity = |seeds: &[u8]| {
        let trusted = trusted();
        let audit = CorpusAudit::new(&trusted);
        let mut corpus = Corpus::new(&audit);
        for (of_day, seed) in (4..).zip(seeds) {
            let package = archive(hour(of_day).start(), hour(of_day).end(), vec![], *seed);
            corpus.add(audit.examine(&format!("{of_day}.zip"), FileBytes::Whole(&package)));
        }
        let report = corpus.finish();
        report
            .findings
            .iter()
            .find(|found| found.finding.code == Code::SigningKeysMixed)
            .map(|found| found.finding.severity)
    };
    assert_eq!(severity(&[7, 7, 7]), None);
    assert_eq!(severity(&[7, 7, 8]), Some(Severity::Note));
    assert_eq!(severity(&[7, 8, 7]), Some(Severity::Warning));
}

#[test]
fn findings_of_one_code_are_counted_past_a_bound() {
    let trusted = trusted();
    let audit = CorpusAudit::new(&trusted);
    let mut corpus = Corpus::new(&audit);
    let index: String = (0..40).map(|number| format!("{number}.zip\n")).collect();
    corpus.add(audit.examine("index.txt", FileBytes::Whole(index.as_bytes())));
    let report = corpus.finish();
    assert_eq!(report.findings.len(), 26);
    insta::assert_snapshot!(report.findings[0].finding, @"error CWA-E1702: and 15 more: an index names what is not there");
}

#[test]
fn keys_that_are_no_random_numbers_are_told() {
    let mut tree = Tree::default();
    let counted = (0..100_u32).map(|number| {
        let mut key = key(0);
        key.key_data[12..].copy_from_slice(&number.to_be_bytes());
        key
    });
    tree.day(counted.collect());
    assert!(codes(&tree.audit()).contains(&"W1740"));
}

/// What is in a package: for each day before its own, how many keys.
fn profile(counts: &[u32]) -> Vec<DiagnosisKey> {
    let mut number = 0;
    let mut keys = Vec::new();
    for (days, count) in (1..).zip(counts) {
        for _ in 0..*count {
            let mut key = key(number);
            key.rolling_start_interval_number = ENIntervalNumber::at(day().minus(days).start());
            keys.push(key);
            number += 1;
        }
    }
    keys
}

#[rstest]
// Three people with twelve days each, one of whom began two days later.
#[case(&[2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3], 1, 1, (3, 3, 34))]
#[case(&[10, 10, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15], 5, 5, (3, 3, 34))]
// A day on which nobody was on air parts what came before from what came after.
#[case(&[20, 20, 0, 20, 20, 20, 20, 20], 10, 10, (2, 4, 14))]
// Five groups that five divides are no proof.
#[case(&[5, 5, 5, 5], 1, 1, (5, 5, 20))]
fn padding_and_people_are_estimated(
    #[case] counts: &[u32],
    #[case] multiplier: u32,
    #[case] of_day: u32,
    #[case] users: (u64, u64, u64),
) {
    let mut tree = Tree::default();
    tree.day(profile(counts));
    let statistics = tree.audit().statistics;
    assert_eq!(statistics.padding.multiplier, multiplier, "{:?}", statistics.padding.tried);
    assert_eq!(statistics.publication_days[0].multiplier, of_day);
    let Users { at_least, estimate, at_most, .. } = statistics.users;
    assert_eq!((at_least, estimate, at_most), users);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_bytes_under_any_path_make_an_audit_panic(bytes: Vec<u8>, path in "(version/v1/(manifest|app_config_ios|diagnosis-keys/country(/DE/date(/2020-07-22(/hour(/4)?)?)?)?)/index)|[a-z/.]{0,9}|index.txt") {
        let trusted = trusted();
        let audit = CorpusAudit::new(&trusted);
        let mut corpus = Corpus::new(&audit);
        corpus.add(audit.examine(&path, FileBytes::Whole(&bytes)));
        corpus.add_earlier(audit.examine(&path, FileBytes::Pair { export_bin: &bytes, export_sig: &bytes }));
        let report = corpus.finish();
        prop_assert!(report.keys == 0);
    }

    #[test]
    fn the_order_in_which_files_come_does_not_matter(order in Just(Tree::of_one_day().0.len()).prop_flat_map(|count| Just((0..count).collect::<Vec<_>>()).prop_shuffle())) {
        let mut tree = Tree::of_one_day();
        tree.hour(11, keys(2..6));
        let files: Vec<_> = tree.0.iter().collect();
        let trusted = trusted();
        let audit = CorpusAudit::new(&trusted);
        let mut corpus = Corpus::new(&audit);
        for at in order {
            let (path, bytes) = files[at];
            corpus.add(audit.examine(path, FileBytes::Whole(bytes)));
        }
        let (shuffled, sorted) = (corpus.finish(), tree.audit());
        prop_assert_eq!(serde_json::to_string(&shuffled).unwrap(), serde_json::to_string(&sorted).unwrap());
    }
}
