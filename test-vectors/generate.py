#!/usr/bin/env python3
"""Makes `v1/*.json`: the gathered figures in one format, and cases of our own computed by a second implementation.

    ./generate.py                 write v1/*.json anew
    ./generate.py --check         compare instead of writing; exit 1 on a difference
    ./generate.py --figures DIR   take the figures from where they were gathered, instead of from v1/

Everything is recomputed that can be: a figure that this implementation does not reproduce stops the program.
Needs Python 3.11 and the package `cryptography` (43 or later, for signatures after RFC 6979).
"""

import argparse
import pathlib
import sys

sys.dont_write_bytecode = True

from generator import audit, configuration, content_sig, crypto, envelope, export, figures, life_cycle, lint, mistakes, profiles, recompute, risk, together, verification, writer  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
CRYPTOGRAPHY = "Exposure Notification Cryptography Specification v1.2"
BLUETOOTH = "Exposure Notification Bluetooth Specification v1.2"
EXPORT = "Exposure Key Export File Format and Verification"
# The order of families decides the numbers of tests: new families and files are only ever appended.
FILES = [
    {
        "name": "key_schedule.json",
        "spec": CRYPTOGRAPHY,
        "families": ["gaen.key_schedule", "gaen.identifiers", "gaen.known_mistakes", "gaen.key_life_cycle"],
    },
    {"name": "bluetooth.json", "spec": BLUETOOTH, "families": ["gaen.ble_frame", "gaen.metadata", "attenuation"]},
    {"name": "matching.json", "spec": CRYPTOGRAPHY, "families": ["gaen.matching"]},
    {"name": "export.json", "spec": EXPORT, "families": ["export.verify", "export.archive", "export.reader", "export.explanation"]},
    {"name": "export_public_keys.json", "spec": EXPORT, "families": ["export.public_key"]},
    {
        "name": "submission.json",
        "spec": "Corona-Warn-App Server: submission service",
        "families": ["cwa.submission_validation", "client.submission_sizes", "export.submission"],
    },
    {
        "name": "distribution.json",
        "spec": "Corona-Warn-App Server: distribution service",
        "families": ["cwa.distribution.expiry_policy", "cwa.distribution.shifting_policy", "cwa.trl_dsos_maps"],
    },
    {
        "name": "verification.json",
        "spec": "Corona-Warn-App: verification server, test result server and the apps' side of them",
        "families": [
            "teletan.alphabet", "teletan.check_digit", "teletan.full.android", "teletan.full.ios", "teletan.server_syntax",
            "hash.sha256_hex_at_rest", "hash.dob_guid", "guid_hash.syntax", "key_dob.syntax", "uuid4.syntax", "qr.pcr_v1", "qr.rapid",
            "client.request_padding_250", "server.response_sizes", "server.fake_delay_moving_average", "cwa.verification_http",
        ],
    },
    {
        "name": "risk_scores.json",
        "spec": "Exposure Notification framework v1: risk score; Corona-Warn-App 1.0 to 1.8: combined risk score",
        "families": [
            "gaen_v1_bucket", "gaen_v1_score", "gaen_v1_bucketize_duration", "gaen_v1_weighted_attenuation", "gaen_v1_exposures",
            "cwa_v1_combined", "cwa_trl_vector", "cwa_trl_codec",
        ],
    },
    {
        "name": "risk_windows.json",
        "spec": "Exposure Notification framework v2: exposure windows, daily summaries; Corona-Warn-App from 1.9; DP-3T",
        "families": [
            "enx_windows", "enx_seconds_since_last_scan", "enx_daily_summary", "enx_onset_map", "enx_classification", "cwa_v2",
            "cwa_v2_order", "dp3t_threshold", "dp3t_buckets", "scan_model_detect",
        ],
    },
    {
        "name": "gateway.json",
        "spec": "European Federation Gateway Service; Exposure Notifications Server; CoronaMelder",
        "families": [
            "efgs.canonical", "efgs.canonical.proto_files", "efgs.canonical.csharp_cross_language", "efgs.upload_validation", "efgs.http",
            "google.tekmac", "google.publish_validation", "google.publish_overlap", "google.days_since_onset",
            "google.report_type_tr_backfill", "google.report_type_transition", "nl.luhn_mod_n",
        ],
    },
    {"name": "lint.json", "spec": EXPORT, "families": ["export.lint", "config.lint"]},
    {"name": "together.json", "spec": EXPORT, "families": ["export.together"]},
    {
        "name": "writer.json",
        "spec": EXPORT,
        "families": ["export.split", "export.padding", "export.order", "export.cwa_hash", "export.attach"],
    },
    {"name": "audit.json", "spec": EXPORT, "families": ["export.audit"]},
    {"name": "content_sig.json", "spec": "Cryptographic Message Syntax (RFC 5652), as CoronaMelder uses it", "families": ["export.content_sig"]},
]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--figures", type=pathlib.Path, help="the directory of the gathered figures; without it, those already in v1/ stay")
    arguments.add_argument("--check", action="store_true", help="compare with v1/ instead of writing it")
    arguments = arguments.parse_args()

    collection = envelope.Collection(FILES)
    if arguments.figures:
        figures.add(collection, arguments.figures)
    else:
        figures.add_committed(collection, HERE / "v1")
    functions = crypto.RECOMPUTE | risk.recompute(collection) | verification.RECOMPUTE | export.RECOMPUTE
    carried = recompute.check(collection, functions)
    for module in [crypto, export, risk, verification, life_cycle, mistakes, profiles, lint, configuration, together, writer, audit, content_sig]:
        module.add(collection)

    different = []
    for name, document in collection.documents():
        path, text = HERE / "v1" / name, envelope.dump(document)
        if not arguments.check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            different.append(name)
        count = sum(len(group["tests"]) for group in document["testGroups"])
        print(f"{name:32} {count:5} tests {len(text):8} bytes")
    print(f"carried over, not recomputed: {', '.join(f'{family} ({count})' for family, count in carried.items())}")
    if different:
        sys.exit(f"differ from what is generated: {', '.join(different)}")


if __name__ == "__main__":
    main()
