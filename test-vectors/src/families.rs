//! What can be tested, and how it is told.

/// A kind of known answer: what is computed, from which members.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Family {
    /// The `type` of its groups.
    pub name: &'static str,
    /// What is computed.
    pub about: &'static str,
}

/// Every family of this crate's files; their members are described by the JSON schemas.
#[must_use]
pub const fn families() -> &'static [Family] {
    FAMILIES
}

const fn family(name: &'static str, about: &'static str) -> Family {
    Family { name, about }
}

const FAMILIES: &[Family] = &[
    family(
        "gaen.key_schedule",
        "identifiers and encrypted metadata of a whole key: RPIK, AEMK, every RPI and AEM",
    ),
    family("gaen.identifiers", "single identifiers of a key, inside and outside its rolling period"),
    family(
        "gaen.known_mistakes",
        "what known mistakes compute, which nobody else may compute, beside the right answer",
    ),
    family("gaen.key_life_cycle", "which key a phone has on air, and what it hands over when, through time"),
    family("gaen.ble_frame", "identifier and encrypted metadata in a Bluetooth advertisement"),
    family("gaen.metadata", "version, calibration confidence and transmit power in decrypted metadata"),
    family("gaen.matching", "diagnosis keys against received identifiers"),
    family("attenuation", "attenuation in dB from transmit power and received signal strength"),
    family("export.verify", "signed key files: which may be trusted, and what is in them"),
    family("export.archive", "archives of a key file and its signatures: which may be opened"),
    family("export.audit", "whole distributions: every finding, and no other; what their keys tell"),
    family("export.lint", "published files, one or several: every finding, and no other"),
    family(
        "export.reader",
        "signed key files and archives: which are valid, and which published readers take",
    ),
    family("export.together", "files handed over together and keys that sign together: who takes them"),
    family(
        "export.content_sig",
        "archives with a CMS signature: whose is right, and for whom they are valid",
    ),
    family("export.explanation", "what is said about the mistakes of producers"),
    family("config.lint", "application configurations of both versions: every finding, and no other"),
    family(
        "export.split",
        "an export that is more than one file may hold, as several: even, in order, each with an end of its own",
    ),
    family("export.padding", "random keys that are added to real ones"),
    family("export.order", "the order of keys in a file"),
    family("export.cwa_hash", "the hash by which the German distribution tells whether content has changed"),
    family(
        "export.attach",
        "signatures that were made elsewhere: which may be attached to an unsigned file, and what comes of it",
    ),
    family("export.submission", "uploads of keys: which are taken, and what of them"),
    family("export.public_key", "public keys of export signers and their SHA-256"),
    family("cwa.submission_validation", "what the German server answers to a submission"),
    family("client.submission_sizes", "sizes of padded submissions as the apps sent them"),
    family("cwa.distribution.expiry_policy", "the hour from which a key may be published"),
    family("cwa.distribution.shifting_policy", "hours with too few keys pass them on"),
    family(
        "cwa.trl_dsos_maps",
        "transmission risk levels and days since onset as the German server maps them",
    ),
    family("teletan.alphabet", "the alphabet of teleTANs"),
    family("teletan.check_digit", "the check character of a teleTAN"),
    family("teletan.full.android", "whole teleTANs as the Android app judges them"),
    family("teletan.full.ios", "whole teleTANs as the iOS app judges them"),
    family("teletan.server_syntax", "whole teleTANs as the server's syntax judges them"),
    family("hash.sha256_hex_at_rest", "secrets as they are stored"),
    family("hash.dob_guid", "the hash of a test's GUID with a date of birth"),
    family("guid_hash.syntax", "what the server takes for a hashed GUID"),
    family("key_dob.syntax", "what the server takes for a hash with a date of birth"),
    family("uuid4.syntax", "what the server takes for a registration token or a TAN"),
    family("qr.pcr_v1", "QR codes of PCR tests"),
    family("qr.rapid", "QR codes of rapid tests"),
    family("client.request_padding_250", "verification requests, padded to one size"),
    family("server.response_sizes", "sizes of verification answers as the German server sent them"),
    family("server.fake_delay_moving_average", "the moving average that delays answers to fake requests"),
    family("cwa.verification_http", "what the verification server answers"),
    family("gaen_v1_bucket", "the level of a value of the four categories, 1 to 8"),
    family("gaen_v1_score", "the total risk score of an exposure"),
    family("gaen_v1_bucketize_duration", "the duration of an exposure in steps of five minutes"),
    family("gaen_v1_weighted_attenuation", "the time-weighted attenuation of an exposure"),
    family("gaen_v1_exposures", "from sightings to exposures"),
    family("cwa_v1_combined", "the combined risk score of Corona-Warn-App 1.0 to 1.8"),
    family("cwa_trl_vector", "transmission risk levels by age of a key, from what is known about symptoms"),
    family("cwa_trl_codec", "transmission risk levels as German key files carry them"),
    family("enx_windows", "from sightings to exposure windows"),
    family("enx_seconds_since_last_scan", "the seconds since the last scan of a scan instance"),
    family("enx_daily_summary", "daily summaries of exposure windows"),
    family("enx_onset_map", "infectiousness by days since onset, packed in 64 bits"),
    family("enx_classification", "the classification of EN Express"),
    family("cwa_v2", "risk of Corona-Warn-App from 1.9, from exposure windows"),
    family("cwa_v2_order", "the same exposure windows in any order give the same risk"),
    family("dp3t_threshold", "the exposure threshold of DP-3T"),
    family("dp3t_buckets", "seconds by attenuation as DP-3T counts them"),
    family("scan_model_detect", "how probably a scan sees a contact"),
    family("efgs.canonical", "the canonical form that a batch signature of the European gateway covers"),
    family("efgs.canonical.proto_files", "the canonical form of published batches"),
    family("efgs.canonical.csharp_cross_language", "the canonical form of single keys"),
    family("efgs.upload_validation", "which keys the European gateway accepts"),
    family("efgs.http", "what the European gateway answers"),
    family("google.tekmac", "the HMAC that binds keys to a verification certificate"),
    family("google.publish_validation", "which keys Google's server accepts"),
    family("google.publish_overlap", "how many keys may start at the same time"),
    family("google.days_since_onset", "days between onset and a key"),
    family("google.report_type_tr_backfill", "transmission risk from report type"),
    family("google.report_type_transition", "which report types may replace which"),
    family("nl.luhn_mod_n", "the check character of Dutch codes"),
];
