"""Who may submit: teleTANs, hashes, QR codes, sizes; and when a key is published. After the German servers and apps."""

import base64
import hashlib
import hmac
import json
import random
import re
import struct

from .envelope import note

note("CheckCharacter", "MISSING_STEP", "the check character is verified, not only the alphabet")
note("Lookalike", "INPUT_VALIDATION", "0, 1, I, L and O are not in the alphabet of teleTANs")
note("Length", "INPUT_VALIDATION", "a text that is too long or too short")
note("Case", "INPUT_VALIDATION", "the case of a letter matters, or does not")
note("DateOrder", "MISSING_STEP", "the date of birth is hashed as day, month, year with leading zeros")
note("UuidVersion", "INPUT_VALIDATION", "a UUID of another version or variant than random ones have")
note("Embargo", "EDGE_CASE", "a key is published two hours after its end at the earliest")
note("TooFew", "EDGE_CASE", "an hour with fewer keys than the threshold passes them on to the next")

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
CHECK_ALPHABET = "23456789ABCDEFGH"


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


# -- teleTAN -----------------------------------------------------------------------------------------------------------------------


def check_character(body):
    return sha256(body)[0].upper().replace("0", "G").replace("1", "H")


def judge(tele_tan):
    """Whether it is ten characters of the alphabet, and whether then the last fits the others."""
    well_formed = len(tele_tan) == 10 and all(c in ALPHABET for c in tele_tan)
    return well_formed, well_formed and check_character(tele_tan[:9]) == tele_tan[9]


# -- hashes and codes --------------------------------------------------------------------------------------------------------------


def date_of_birth_key(guid, dob):
    year, month, day = dob.split("-")
    return "x" + sha256(guid + day + month + year)[1:]


GUID = r"[0-9a-f]{6}-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def pcr_code(qr):
    found = re.fullmatch(rf"https://localhost/\?({GUID})", qr, re.IGNORECASE)
    return {"valid": True, "guid": found[1], "guid_sha256": sha256(found[1])} if found else {"valid": False}


def rapid_code(qr, **_):
    encoded = qr.split("#", 1)[-1]
    alphabet = b"+/" if set("+/=") & set(encoded) else b"-_"
    payload = json.loads(base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=alphabet))
    personal = [payload.get(name) or "" for name in ("dob", "fn", "ln")]
    if all(personal):
        preimage = "#".join([*personal, str(payload["timestamp"]), payload["testid"], payload["salt"]])
    else:
        preimage = f"{payload['timestamp']}#{payload['salt']}"
    incomplete = any(personal) and not all(personal)
    computed = sha256(preimage)
    return {
        "payload": payload, "hash_preimage": preimage, "computed_hash": computed, "incomplete_personal_data": incomplete,
        "valid": not incomplete and computed == payload["hash"], "registration_key_sha256_of_hash": sha256(payload["hash"]),
    }


def request_padding(request):
    key = {"key": "0" * 64, "keyType": "GUID"}
    body = {
        "registrationToken GUID+dob": key | {"keyDob": "x" + "0" * 63},
        "registrationToken GUID": key,
        "registrationToken TELETAN": {"key": "0" * 10, "keyType": "TELETAN"},
        "testresult": {"registrationToken": "0" * 36},
        "tan": {"registrationToken": "0" * 36},
    }[request]
    size = len(json.dumps(body | {"requestPadding": ""}, separators=(",", ":")))
    return {"padding": 250 - size, "body_bytes": 250, "expected_body_bytes": 250}


def moving_average(initial, samples, real):
    difference = abs(real - initial) // samples
    return initial + (difference if real >= initial else -difference)


# -- submission and distribution ----------------------------------------------------------------------------------------------------


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def submission_size(client, keys=0):
    """Bytes of a padded submission: 28 bytes of padding for each key missing to 15 (Android) or 14 (iOS)."""
    padding = 28 * max((15 if client.startswith("android") else 14) - keys, 0)
    size = padding and 1 + len(varint(padding)) + padding
    # A key: 16 bytes of key data, risk level, start, period, days since onset; then the country, the consent and the kind of test.
    key = (2 + 16) + 2 + (1 + len(varint(2_660_000))) + (1 + len(varint(144))) + (1 + len(varint(2 * 3986)))
    return size + keys * (2 + key) + (4 + 2 + 2 if keys else 0)


def distribution_hour(rolling_start, rolling_period, submission_hour):
    end = (rolling_start + rolling_period) * 10
    if submission_hour * 60 - end <= 120:
        return (end + 180) // 60
    return submission_hour


def shifted(threshold, keys_per_hour):
    waiting, result = 0, {}
    for hour in sorted(keys_per_hour, key=int):
        waiting += keys_per_hour[hour]
        result[hour] = waiting if waiting >= threshold else 0
        waiting -= result[hour]
    return result


# -- gateways -------------------------------------------------------------------------------------------------------------------------


def canonical(key_data, start, period, level, visited, origin, report_type, days):
    def number(value):
        return struct.pack(">I", value & 0xFFFFFFFF)

    parts = [key_data, number(start), number(period), number(level), ",".join(visited).encode(), origin.encode(), number(report_type), number(days)]
    return "".join(base64.b64encode(part).decode() + "." for part in parts)


def canonical_batch(input, expected):
    if "keys_utf8" not in input:
        one, other = (canonical(b"k", 1, 1, 1, visited, "DE", 1, 1) for visited in (["DE,FR"], ["DE", "FR"]))
        return {"collides": one == other}
    common = input["common"]
    keys = [
        canonical(key.encode(), common["rollingStart"], common["rollingPeriod"], common["trl"], common["visited"], common["origin"], common["reportType"], common["dsos"])
        for key in input["keys_utf8"]
    ]
    text = "".join(sorted(keys, key=lambda key: base64.b64encode(key.encode())))
    return {"canonical_ascii": text, "sha256": sha256(text)}


def canonical_key(input, expected):
    text = canonical(
        bytes.fromhex(input["keyData_hex"]), input["rollingStart"], input["rollingPeriod"], input["trl"], input["visited"],
        input["origin"], input["reportType"], input["dsos_be32"],
    )
    return {"canonical_b64": base64.b64encode(text.encode()).decode()}


def tekmac(keys, secret_b64, with_transmission_risk=True):
    rows = sorted(keys, key=lambda row: row[0])
    clear = ",".join(".".join(str(part) for part in (row if with_transmission_risk else row[:3])) for row in rows)
    return {"cleartext": clear, "hmac_b64": base64.b64encode(hmac.digest(base64.b64decode(secret_b64), clear.encode(), "sha256")).decode()}


def publishable(input, expected):
    if "keys" in input:
        return {"ok": bool(input["keys"])}
    end = input["start"] + input["count"]
    return {
        "ok": 0 <= input["risk"] <= 8 and 1 <= input["count"] <= 144 and input["key_len"] == 16
        and end > input["min_interval"] and input["start"] <= input["now_interval"],
    }


def overlap(input, expected):
    starts = [start for start, _ in input["keys_relative"]]
    return {"ok": all(starts.count(start) <= input["max_same_start"] for start in starts)}


def luhn_mod_n(value):
    alphabet = "BCFGJLQRSTUVXYZ23456789"
    if len(value) != 7 or any(c not in alphabet for c in value):
        return False
    total = 0
    for position, character in enumerate(reversed(value)):
        addend = alphabet.index(character) * (1 + position % 2)
        total += addend // len(alphabet) + addend % len(alphabet)
    return total % len(alphabet) == 0


TRANSITIONS = {("likely", "confirmed"), ("likely", "negative"), ("user-report", "likely"), ("user-report", "confirmed"), ("user-report", "negative")}


# -- the figures, computed again -------------------------------------------------------------------------------------------------------


def syntax(pattern):
    compiled = re.compile(pattern)
    return lambda input, expected: {"valid": compiled.fullmatch(input["input"]) is not None}


def answer(name, function):
    return lambda input, expected: {name: function(**input)}


HASHED_GUID = r"[0-9A-Fa-f]{64}"
HASHED_GUID_WITH_DATE = r"[XxA-Fa-f0-9][A-Fa-f0-9]{63}"
UUID4 = r"[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[89aAbB][a-f0-9]{3}-[a-f0-9]{12}"

RECOMPUTE = {
    "teletan.alphabet": lambda input, expected: {
        "alphabet": ALPHABET, "size": len(ALPHABET), "body_len": 9, "check_len": 1, "space": len(ALPHABET) ** 9, "body_entropy_bits": 44.5878,
    },
    "teletan.check_digit": answer("check", check_character),
    # The reason is the app's wording; only the judgement follows from the rule.
    "teletan.full.android": lambda input, expected: {"valid": judge(input["teletan"])[1], "reason": expected.get("reason")},
    "teletan.full.ios": lambda input, expected: dict(zip(["format_ok", "checksum_ok"], judge(input["teletan"]), strict=True)),
    "teletan.server_syntax": lambda input, expected: dict(zip(["server_syntax_ok", "checksum_ok"], judge(input["teletan"]), strict=True)),
    "hash.sha256_hex_at_rest": lambda input, expected: {"sha256": sha256(input["input"])},
    "hash.dob_guid": answer("key_dob", date_of_birth_key),
    "guid_hash.syntax": syntax(HASHED_GUID),
    "key_dob.syntax": syntax(HASHED_GUID_WITH_DATE),
    "uuid4.syntax": syntax(UUID4),
    "qr.pcr_v1": lambda input, expected: pcr_code(**input),
    "qr.rapid": lambda input, expected: rapid_code(**input),
    "client.request_padding_250": lambda input, expected: request_padding(**input),
    "client.submission_sizes": lambda input, expected: {"bytes": submission_size(**input)},
    "server.fake_delay_moving_average": answer("expected_ms", moving_average),
    "cwa.distribution.expiry_policy": answer("distribution_hour", distribution_hour),
    "cwa.distribution.shifting_policy": answer("expect", shifted),
    "efgs.canonical": canonical_batch,
    "efgs.canonical.csharp_cross_language": canonical_key,
    "google.tekmac": lambda input, expected: tekmac(**input),
    "google.publish_validation": publishable,
    "google.publish_overlap": overlap,
    "google.days_since_onset": answer("days", lambda onset, check_hours: check_hours // 24),
    "google.report_type_transition": answer("ok", lambda frm, to: (frm, to) in TRANSITIONS),
    "google.report_type_tr_backfill": answer("tr_out", lambda report, tr_in: tr_in or {"likely": 4}.get(report, 0)),
    "nl.luhn_mod_n": answer("valid", luhn_mod_n),
}


# -- cases of our own --------------------------------------------------------------------------------------------------------------------


def add(collection):
    add_tele_tans(collection)
    add_hashes(collection)
    add_codes(collection)
    add_sizes(collection)
    add_distribution(collection)


def add_tele_tans(collection):
    rng = random.Random("tele tans")
    bodies = ["".join(rng.choice(ALPHABET) for _ in range(9)) for _ in range(24)]
    group = collection.group("teletan.check_digit")
    # One body for each of the sixteen check characters, so that the two that are renamed are among them.
    by_check = {}
    while len(by_check) < 16:
        body = "".join(rng.choice(ALPHABET) for _ in range(9))
        by_check.setdefault(check_character(body), body)
    for check in CHECK_ALPHABET:
        group.test(f"check character {check}", {"body": by_check[check]}, {"check": check})

    group = collection.group("teletan.full.ios")

    def case(comment, tele_tan, flags=()):
        format_ok, checksum_ok = judge(tele_tan)
        result = "valid" if format_ok and checksum_ok else "invalid"
        expected = {"format_ok": format_ok, "checksum_ok": checksum_ok}
        group.test(comment, {"teletan": tele_tan}, expected, result, flags)

    for body in bodies[:6]:
        case("as issued", body + check_character(body))
    for position, body in enumerate(bodies[6:15]):
        typo = next(t for t in (body[:position] + c + body[position + 1 :] for c in ALPHABET) if check_character(t) != check_character(body))
        case(f"character {position + 1} mistyped, and the check character catches it", typo + check_character(body), ["CheckCharacter"])
    body = bodies[15]
    unlucky = next(t for t in (body[:-1] + c for c in ALPHABET if c != body[-1]) if check_character(t) == check_character(body))
    case("a mistyped character that the check character does not catch", unlucky + check_character(body), ["CheckCharacter"])
    body = bodies[16]
    case("the check character is outside its own alphabet", body + "Z", ["CheckCharacter"])
    for number, lookalike in enumerate("01ILO"):
        case(f"{lookalike} within", bodies[17][:number] + lookalike + bodies[17][number + 1 :] + "2", ["Lookalike"])
    whole = bodies[18] + check_character(bodies[18])
    case("nine characters", whole[:9], ["Length"])
    case("eleven characters", whole + "2", ["Length"])
    case("nothing", "", ["Length"])
    case("a space at the end", whole[:9] + " ", ["Length"])
    case("a letter beyond ASCII", whole[:5] + "Ä" + whole[6:])
    case("a digit of another script", whole[:5] + "٣" + whole[6:])


def add_hashes(collection):
    rng = random.Random("hashes")

    def guid():
        hexadecimal = rng.randbytes(16).hex().upper()
        parts = [hexadecimal[a:b] for a, b in [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)]]
        return "-".join([rng.randbytes(3).hex().upper(), *parts])

    group = collection.group("hash.dob_guid")
    for comment, dob in [
        ("one digit days and months", "2001-02-03"), ("a leap day", "2000-02-29"), ("the last day of a year", "1999-12-31"),
        ("the first day of a century", "1900-01-01"), ("day and month could be exchanged", "1985-11-10"),
    ]:
        given = guid()
        group.test(comment, {"guid": given, "dob": dob}, {"key_dob": date_of_birth_key(given, dob)}, flags=["DateOrder"])
    given = guid().lower()
    group.test("lower case is kept", {"guid": given, "dob": "1970-01-01"}, {"key_dob": date_of_birth_key(given, "1970-01-01")}, flags=["Case"])

    group = collection.group("hash.sha256_hex_at_rest")
    for text in ["", guid(), "5b3f6b0f-3d6b-4b5e-9e0e-7f1f1d1c2b3a", "WPHSATMHD4"]:
        group.test(f"{len(text)} characters", {"input": text}, {"sha256": sha256(text)})

    def refused_or_not(family, pattern, cases):
        group = collection.group(family)
        for comment, text, flags in cases:
            valid = re.fullmatch(pattern, text) is not None
            group.test(comment, {"input": text}, {"valid": valid}, "valid" if valid else "invalid", flags)

    some = sha256("some")
    refused_or_not("guid_hash.syntax", HASHED_GUID, [
        ("a hash", some, []),
        ("in upper case", some.upper(), ["Case"]),
        ("63 digits", some[:63], ["Length"]),
        ("65 digits", some + "0", ["Length"]),
        ("a line end after it", some + "\n", ["Length"]),
        ("a hash with a date of birth", "x" + some[1:], []),
        ("nothing", "", ["Length"]),
        ("digits of another script", "٣" * 64, []),
    ])
    refused_or_not("key_dob.syntax", HASHED_GUID_WITH_DATE, [
        ("as the apps make it", "x" + some[1:], []),
        ("without the x", some, []),
        ("an x within", some[:9] + "x" + some[10:], []),
        ("65 characters", "x" + some, ["Length"]),
        ("a line end after it", "x" + some[1:] + "\n", ["Length"]),
    ])
    refused_or_not("uuid4.syntax", UUID4, [
        ("variant 8", "5b3f6b0f-3d6b-4b5e-8e0e-7f1f1d1c2b3a", []),
        ("variant b", "5b3f6b0f-3d6b-4b5e-be0e-7f1f1d1c2b3a", []),
        ("variant c", "5b3f6b0f-3d6b-4b5e-ce0e-7f1f1d1c2b3a", ["UuidVersion"]),
        ("version 5", "5b3f6b0f-3d6b-5b5e-8e0e-7f1f1d1c2b3a", ["UuidVersion"]),
        ("upper case", "5B3F6B0F-3D6B-4B5E-8E0E-7F1F1D1C2B3A", ["Case"]),
        ("without hyphens", "5b3f6b0f3d6b4b5e8e0e7f1f1d1c2b3a", ["Length"]),
        ("in braces", "{5b3f6b0f-3d6b-4b5e-8e0e-7f1f1d1c2b3a}", ["Length"]),
        ("a line end after it", "5b3f6b0f-3d6b-4b5e-8e0e-7f1f1d1c2b3a\n", ["Length"]),
    ])


def add_codes(collection):
    group = collection.group("qr.pcr_v1")

    def case(comment, qr, flags=()):
        expected = pcr_code(qr)
        group.test(comment, {"qr": qr}, expected, "valid" if expected["valid"] else "invalid", flags)

    guid = "0A1B2C-0A1B2C3D-4E5F-4A6B-8C7D-9E8F0A1B2C3D"
    case("as printed", f"HTTPS://LOCALHOST/?{guid}")
    case("the prefix is not that of the UUID", f"https://localhost/?FFFFFF{guid[6:]}")
    case("lower case throughout", f"https://localhost/?{guid.lower()}", ["Case"])
    for comment, qr in [
        ("another host", f"https://localhost.example/?{guid}"),
        ("a port", f"https://localhost:443/?{guid}"),
        ("a path", f"https://localhost/a?{guid}"),
        ("no slash", f"https://localhost?{guid}"),
        ("two slashes", f"https://localhost//?{guid}"),
        ("a fragment instead of a query", f"https://localhost/#{guid}"),
        ("a parameter instead of the GUID", f"https://localhost/?v=1&{guid}"),
        ("something after the GUID", f"https://localhost/?{guid}0"),
        ("a line end after the GUID", f"https://localhost/?{guid}\n"),
        ("a space before it", f" https://localhost/?{guid}"),
        ("no GUID", "https://localhost/?"),
        ("a digit that is none", f"https://localhost/?{guid[:-1]}G"),
        ("hyphens in other places", "https://localhost/?0A1B2C0-A1B2C3D-4E5F-4A6B-8C7D-9E8F0A1B2C3D"),
        ("nothing", ""),
    ]:
        case(comment, qr)


def add_sizes(collection):
    group = collection.group("client.request_padding_250")
    for request in ["registrationToken TELETAN", "testresult", "tan"]:
        group.test(request, {"request": request}, request_padding(request))
    group = collection.group("server.fake_delay_moving_average")
    for comment, initial, samples, real in [
        ("no change", 10, 10, 10), ("downwards", 100, 10, 0), ("downwards within the dead zone", 10, 10, 1),
        ("upwards to the step", 10, 10, 20), ("one sample", 10, 1, 400),
    ]:
        input = {"initial": initial, "samples": samples, "real": real}
        group.test(comment, input, {"expected_ms": moving_average(**input)})


def add_distribution(collection):
    group = collection.group("cwa.distribution.expiry_policy")
    # Ends are chosen off the hour: exactly 120 minutes after the end the published rules differ.
    for comment, start, period, hours in [
        ("a key that ends ten minutes past midnight", 1, 144, [0, 14, 24, 25, 26, 27, 28]),
        ("a short key", 3, 88, [0, 15, 17, 18, 40]),
        ("one interval", 100, 1, [0, 16, 18, 19, 20]),
        ("a whole day that ends at midnight", 0, 144, [0, 23, 24, 25, 27, 28]),
    ]:
        for hour in hours:
            input = {"rolling_start": start, "rolling_period": period, "submission_hour": hour}
            group.test(f"{comment}, submitted in hour {hour}", input, {"distribution_hour": distribution_hour(**input)}, flags=["Embargo"])
    group = collection.group("cwa.distribution.shifting_policy")
    for comment, threshold, hours in [
        ("nothing at all", 5, {"1": 0, "2": 0}),
        ("never enough", 5, {"1": 2, "2": 2, "3": 0}),
        ("more than enough twice", 5, {"1": 7, "2": 5, "3": 9}),
        ("what is left over begins anew", 3, {"1": 4, "2": 1, "3": 1, "4": 1, "5": 2, "6": 2}),
        ("a threshold of one", 1, {"1": 1, "2": 0, "3": 1}),
        ("the threshold of production", 140, {"1": 139, "2": 0, "3": 1, "4": 140, "5": 60, "6": 60, "7": 60}),
    ]:
        group.test(comment, {"threshold": threshold, "keys_per_hour": hours}, {"expect": shifted(threshold, hours)}, flags=["TooFew"])
