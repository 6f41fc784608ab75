"""The gathered figures, re-expressed as test groups. The same mechanical rules as `src/figures.rs`, written a second time."""

import json

ANSWERS = {
    "client.request_padding_250": ["padding", "body_bytes", "expected_body_bytes"],
    "client.submission_sizes": ["bytes"],
    "cwa.distribution.expiry_policy": ["distribution_hour"],
    "cwa.distribution.shifting_policy": ["expect"],
    "cwa.submission_validation": ["status", "stored", "header", "origin_defaulted"],
    "cwa.trl_dsos_maps": ["dsos_from_trl", "trl_from_dsos", "default_trl", "trl_from_dsos_entries"],
    "cwa.verification_http": ["status"],
    "efgs.canonical": ["canonical_ascii", "sha256", "collides"],
    "efgs.canonical.csharp_cross_language": ["canonical_b64"],
    "efgs.canonical.proto_files": ["rollingStart", "rollingPeriod", "trl_raw", "canonical_ascii"],
    "efgs.http": ["status"],
    "efgs.upload_validation": ["valid"],
    "google.days_since_onset": ["days"],
    "google.publish_overlap": ["ok"],
    "google.publish_validation": ["ok"],
    "google.report_type_tr_backfill": ["tr_out"],
    "google.report_type_transition": ["ok"],
    "google.tekmac": ["cleartext", "hmac_b64"],
    "guid_hash.syntax": ["valid"],
    "hash.dob_guid": ["key_dob"],
    "hash.sha256_hex_at_rest": ["sha256"],
    "key_dob.syntax": ["valid"],
    "nl.luhn_mod_n": ["valid"],
    "qr.pcr_v1": ["valid", "guid", "guid_sha256"],
    "qr.rapid": [
        "payload", "hash_preimage", "computed_hash", "valid", "incomplete_personal_data", "registration_key_sha256_of_hash",
    ],
    "server.fake_delay_moving_average": ["expected_ms"],
    "server.response_sizes": ["json_bytes"],
    "teletan.alphabet": ["alphabet", "size", "body_len", "check_len", "body_entropy_bits", "space"],
    "teletan.check_digit": ["check"],
    "teletan.full.android": ["valid", "reason"],
    "teletan.full.ios": ["format_ok", "checksum_ok"],
    "teletan.server_syntax": ["server_syntax_ok", "checksum_ok"],
    "uuid4.syntax": ["valid"],
}
VERDICTS = ["valid", "ok", "format_ok", "checksum_ok", "server_syntax_ok"]
NAMED = ["cwa.submission_validation", "efgs.canonical"]
ABOUT = ["id", "name", "source", "note", "recomputed", "verified", "rpi_computed_here", "kind"]


def add(collection, directory):
    """Adds every case of the figures to the collection."""

    def load(name):
        return json.loads((directory / f"{name}.json").read_text(encoding="utf-8"))

    crypto = load("crypto_vectors")
    group = collection.group("gaen.key_schedule", {"source": crypto["source"]}, own=False)
    for case in crypto["cases"]:
        convert(group, case, ["rpik", "aemk", "intervals"])

    extra = load("extra_crypto_vectors")
    for name, family, answers in [
        ("cases", "gaen.identifiers", ["rpik", "aemk", "observations"]),
        ("ble_frames", "gaen.ble_frame", ["flags", "service_uuid16", "rpi", "aem"]),
        ("negative", "gaen.known_mistakes", None),
        ("metadata_decode", "gaen.metadata", ["major", "minor", "calibration_confidence", "tx_power_dbm"]),
    ]:
        group = collection.group(family, own=False)
        for case in extra[name]:
            if answers is None:
                case = {member: value for member, value in case.items() if member != "expected"}
                wrong = [member for member in case if member.startswith("wrong_")]
                convert(group, case, wrong, ["KnownMistake"], result="invalid")
            else:
                convert(group, case, answers)

    risk = load("risk_vectors")
    groups = {}
    for case in risk["vectors"]:
        family = case["family"]
        if family not in groups:
            groups[family] = collection.group(family, own=False)
            if "#/cwa_v2_configs/" in json.dumps([c for c in risk["vectors"] if c["family"] == family]):
                groups[family].data["cwa_v2_configs"] = risk["cwa_v2_configs"]
        more = {name: case.get(name) for name in ["tolerance", "source", "note"]}
        flags = [{"peer": "Published", "derived": "Derived"}[case["origin"]]]
        groups[family].test(case["id"], case["input"], case["expected"], flags=flags, **more)

    for figures in load("verify_vectors")["groups"]:
        family = figures["id"]
        data = {name: value for name, value in figures.items() if name not in ["id", "cases", "type", "tests"]}
        group = collection.group(family, data, own=False)
        flags = ["Published" if figures["kind"] == "vector" else "Derived"]
        for case in figures["cases"]:
            convert(group, case, ANSWERS[family], flags, named=family in NAMED)

    group = collection.group("export.public_key", own=False)
    for case in load("export_public_keys")["keys"]:
        case = dict(case)
        source, note = "; ".join(case.pop("sources")), case.pop("notes", None)
        note = None if note is None else "; ".join(note)
        test = convert(group, case, ["spki_sha256"], source=source, note=note)
        test["input"]["id"] = case["id"]


def add_committed(collection, directory):
    """Adds the figures as an earlier run wrote them, where the gathered ones are not at hand: those numbered below 500 in their block."""
    for file in collection.files:
        path = directory / file["name"]
        groups = json.loads(path.read_text(encoding="utf-8"))["testGroups"] if path.is_file() else []
        for written in groups:
            tests = [test for test in written["tests"] if test["tcId"] % 1000 < 500]
            if tests:
                data = {name: value for name, value in written.items() if name not in ["type", "tests"]}
                group = collection.group(written["type"], data, own=False)
                group.tests += tests


def convert(group, case, answers, flags=(), result=None, named=False, source=None, note=None):
    """A case becomes a test: its members keep their names; `answers` says which of them are expected."""
    given = {name: value for name, value in case.items() if name not in ABOUT or (named and name == "name")}
    input = {name: value for name, value in given.items() if name not in answers}
    expected = {name: value for name, value in given.items() if name in answers}
    refused = any(expected.get(name) is False for name in VERDICTS) or expected.get("status", 0) >= 400
    comment = case.get("id") or case.get("name")
    if comment is None:
        scalars = [name for name in sorted(input) if isinstance(input[name], (str, int, float)) and not isinstance(input[name], bool) and input[name] != ""]
        comment = f"{scalars[0]} {input[scalars[0]]}" if scalars else ""
    return group.test(
        comment, input, expected, result or ("invalid" if refused else "valid"), flags,
        source=source or case.get("source"), note=note or case.get("note"),
    )
