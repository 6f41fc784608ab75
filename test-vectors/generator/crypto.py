"""Key schedule, metadata, advertisements, matching: Exposure Notification Cryptography and Bluetooth Specifications v1.2."""

import hashlib
import hmac
import random
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from .envelope import NOTHING, note

DAY = 144
# 2020-07-22T00:00:00Z, where nothing else is meant.
MIDNIGHT = 1_595_376_000
START = MIDNIGHT // 600

note("WrongLength", "INPUT_VALIDATION", "key material, an identifier or metadata has another number of bytes than the specification gives it")
note("RollingPeriod", "INPUT_VALIDATION", "a rolling period outside 1 to 144")
note("Unaligned", "EDGE_CASE", "a key that does not start at midnight UTC, as second keys of a day and foreign keys do")
note("ShortPeriod", "EDGE_CASE", "a key that lived for less than a day")
note("IntervalEncoding", "BYTE_ORDER", "interval numbers whose little-endian bytes are unusual: small, at a byte's border, near the end")
note("Confidence", "EDGE_CASE", "calibration confidence exists from version 1.1 of the metadata on")
note("ReservedBits", "EDGE_CASE", "reserved bits are ignored by receivers")
note("UnsupportedVersion", "EDGE_CASE", "metadata of another major version says nothing about transmit power")
note("PowerRange", "INPUT_VALIDATION", "transmit power is -127 to 127 dBm, although a byte can say -128")
note("AdWalk", "PARSING", "an advertisement is a list of structures; nothing may be taken from a fixed offset")
note("Window", "EDGE_CASE", "a sighting counts if its interval is at most 12 (two hours) from the identifier's")
note("Replay", "MISSING_STEP", "a sighting later than 20 minutes after the first of the same identifier is dropped")
note("Clamp", "EDGE_CASE", "attenuation is never negative")
note("Revoked", "MISSING_STEP", "a revoked key matches nothing")
note("Duplicate", "EDGE_CASE", "the same key twice is one key")


def extract_and_expand(secret, info, length=16, salt=b"\0" * 32):
    """HKDF-SHA-256 (RFC 5869), one block."""
    extracted = hmac.digest(salt, secret, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)[:length]


def aes(key, block):
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


def rpik(tek):
    return extract_and_expand(tek, b"EN-RPIK")


def aemk(tek):
    return extract_and_expand(tek, b"EN-AEMK")


def padded_data(interval):
    return b"EN-RPI" + b"\0" * 6 + struct.pack("<I", interval)


def rpi(tek, interval):
    return aes(rpik(tek), padded_data(interval))


def aem(tek, identifier, metadata):
    """AES-128-CTR of four bytes: the keystream is the encrypted counter, and the counter is the identifier."""
    return bytes(a ^ b for a, b in zip(metadata, aes(aemk(tek), identifier), strict=False))


def decode_metadata(metadata):
    first, power = struct.unpack("Bb", metadata[:2])
    major, minor = first >> 6, first >> 4 & 3
    confidence = first >> 2 & 3 if major >= 1 and minor >= 1 else None
    return {"major": major, "minor": minor, "calibration_confidence": confidence, "tx_power_dbm": power}


def schedule(tek, start, period, metadata, offsets):
    intervals = []
    for offset in offsets:
        identifier = rpi(tek, start + offset)
        intervals.append({
            "enin": start + offset,
            "padded_data": padded_data(start + offset).hex(),
            "rpi": identifier.hex(),
            "aem": aem(tek, identifier, metadata).hex(),
        })
    return {"rpik": rpik(tek).hex(), "aemk": aemk(tek).hex(), "intervals": intervals}


# -- the figures, computed again -------------------------------------------------------------------------------------------------


def recompute_key_schedule(input, expected):
    tek, start = bytes.fromhex(input["tek"]), input["rolling_start_interval_number"]
    assert input["unix_time_s"] // 600 == start
    offsets = [interval["enin"] - start for interval in expected["intervals"]]
    return schedule(tek, start, input["rolling_period"], bytes.fromhex(input["metadata"]), offsets)


def recompute_identifiers(input, expected):
    tek, start, period = bytes.fromhex(input["tek"]), input["rolling_start_interval_number"], input["rolling_period"]
    computed = {"observations": [identifier(tek, start, period, seen["enin"]) for seen in expected["observations"]]}
    if "rpik" in expected:
        computed["rpik"] = rpik(tek).hex()
    if "aemk" in expected:
        computed["aemk"] = aemk(tek).hex()
    return computed


def identifier(tek, start, period, interval):
    return {"enin": interval, "rpi": rpi(tek, interval).hex(), "inside_period": start <= interval < start + period}


def recompute_known_mistakes(input, expected):
    if "tek" in input:
        tek = bytes.fromhex(input["tek"])
        return {
            "wrong_rpik": extract_and_expand(tek, b"EN-RPIK\0").hex(),
            "wrong_aemk": extract_and_expand(tek, b"EN-AEMK\0").hex(),
        }
    counter = int.from_bytes(bytes.fromhex(input["rpi"]), "big") + 1
    return {"wrong_rpi_after_aem": counter.to_bytes(16, "big").hex()}


def recompute_frame(input, expected):
    if "service_data" in input:
        data = bytes.fromhex(input["service_data"])
        return {"rpi": data[:16].hex(), "aem": data[16:].hex()}
    data, computed = bytes.fromhex(input["adv_data"]), {}
    while data:
        length, kind, payload = data[0], data[1], data[2 : data[0] + 1]
        data = data[length + 1 :]
        if kind == 0x01:
            computed["flags"] = payload.hex()
        elif kind == 0x03:
            computed["service_uuid16"] = payload[::-1].hex()
        elif kind == 0x16:
            computed |= {"rpi": payload[2:18].hex(), "aem": payload[18:].hex()}
    return computed


def recompute_metadata(input, expected):
    return decode_metadata(bytes.fromhex(input["metadata"]))


def attenuation(tx_power, rssi, rssi_correction=0):
    return max(tx_power - (rssi + rssi_correction), 0)


RECOMPUTE = {
    "gaen.key_schedule": recompute_key_schedule,
    "gaen.identifiers": recompute_identifiers,
    "gaen.known_mistakes": recompute_known_mistakes,
    "gaen.ble_frame": recompute_frame,
    "gaen.metadata": recompute_metadata,
    "attenuation": lambda input, expected: attenuation(**input),
}


# -- cases of our own ------------------------------------------------------------------------------------------------------------


def add(collection):
    add_key_schedule(collection)
    add_identifiers(collection)
    add_known_mistakes(collection)
    add_frames(collection)
    add_metadata(collection)
    add_attenuation(collection)
    add_matching(collection)


def add_key_schedule(collection):
    group = collection.group("gaen.key_schedule")
    rng = random.Random("key schedule")

    def case(comment, start, period, metadata, flags=()):
        tek = rng.randbytes(16)
        offsets = sorted({0, 1, period // 2, period - 2, period - 1} & set(range(period)))
        expected = schedule(tek, start, period, bytes.fromhex(metadata), offsets)
        group.test(comment, given(tek, start, period, metadata), expected, flags=flags)

    def given(tek, start, period, metadata="40080000"):
        return {"tek": tek.hex(), "rolling_start_interval_number": start, "rolling_period": period, "metadata": metadata}

    case("a whole day", START, 144, "40f40000")
    case("a period of one interval", START, 1, "40000000", ["ShortPeriod"])
    case("a period of 143 intervals", START, 143, "407f0000", ["ShortPeriod"])
    case("a start in the middle of a day", START + 77, 67, "40810000", ["Unaligned", "ShortPeriod"])
    case("a whole day across midnight", START + 100, 144, "40e80000", ["Unaligned"])
    for confidence in range(4):
        case(f"metadata 1.1 with confidence {confidence}", START + DAY * confidence, 144, f"{0x50 | confidence << 2:02x}f40000", ["Confidence"])
    case("the first day of all", 0, 144, "40080000", ["IntervalEncoding"])
    case("intervals of one byte and of two", 0xC0, 144, "40080000", ["IntervalEncoding", "Unaligned"])
    case("intervals of two bytes and of three", 0xFFF0, 144, "40080000", ["IntervalEncoding", "Unaligned"])
    case("intervals of three bytes and of four", 0xFFFFC0, 144, "40080000", ["IntervalEncoding", "Unaligned"])
    for period in [0, 145, 255, 256, -1]:
        group.test(
            f"rolling period {period}", given(rng.randbytes(16), START, period), result="invalid",
            flags=["RollingPeriod"], error="rolling_period",
        )
    for length in [0, 15, 17, 32]:
        group.test(
            f"a key of {length} bytes", given(rng.randbytes(length), START, 144), result="invalid",
            flags=["WrongLength"], error="key_data",
        )


def add_identifiers(collection):
    group = collection.group("gaen.identifiers")
    rng = random.Random("identifiers")
    for comment, start, period, flags in [
        ("nothing before and after a whole day", START, 144, []),
        ("one interval", START, 1, ["ShortPeriod"]),
        ("143 intervals", START, 143, ["ShortPeriod"]),
        ("an unaligned start", START + 99, 45, ["Unaligned", "ShortPeriod"]),
    ]:
        tek = rng.randbytes(16)
        seen = sorted({start - 1, start, start + period // 2, start + period - 1, start + period, start + DAY - 1, start + DAY})
        group.test(
            comment,
            {"tek": tek.hex(), "rolling_start_interval_number": start, "rolling_period": period},
            {"rpik": rpik(tek).hex(), "aemk": aemk(tek).hex(), "observations": [identifier(tek, start, period, i) for i in seen]},
            flags=flags,
        )


def add_known_mistakes(collection):
    group = collection.group("gaen.known_mistakes")
    tek = random.Random("known mistakes").randbytes(16)
    for comment, wrong_rpik, wrong_aemk in [
        ("the info strings are exchanged", aemk(tek), rpik(tek)),
        ("the key's bytes are reversed", rpik(tek[::-1]), aemk(tek[::-1])),
        ("HKDF without Extract", hmac.digest(tek, b"EN-RPIK\x01", "sha256")[:16], hmac.digest(tek, b"EN-AEMK\x01", "sha256")[:16]),
        ("32 bytes are derived and the last 16 taken", extract_and_expand(tek, b"EN-RPIK", 32)[16:], extract_and_expand(tek, b"EN-AEMK", 32)[16:]),
    ]:
        group.test(
            comment, {"tek": tek.hex()}, {"wrong_rpik": wrong_rpik.hex(), "wrong_aemk": wrong_aemk.hex()},
            result="invalid", flags=["KnownMistake"],
        )


def add_frames(collection):
    group = collection.group("gaen.ble_frame")
    rng = random.Random("frames")
    identifier, metadata = rng.randbytes(16), rng.randbytes(4)

    def structure(kind, payload):
        return bytes([len(payload) + 1, kind]) + payload

    flags, uuids = structure(0x01, b"\x1a"), structure(0x03, b"\x6f\xfd")
    data = structure(0x16, b"\x6f\xfd" + identifier + metadata)
    found = {"service_uuid16": "fd6f", "rpi": identifier.hex(), "aem": metadata.hex()}

    def case(comment, frame, expected=found, **more):
        more.setdefault("flags", ["AdWalk"])
        group.test(comment, {"adv_data": frame.hex()}, expected, **more)

    def refused(comment, frame, **more):
        case(comment, frame, NOTHING, result="invalid", error="advertisement", **more)

    case("without flags, as Android sends", uuids + data)
    case("with the flags of a beacon without classic Bluetooth", structure(0x01, b"\x06") + uuids + data, {"flags": "06"} | found)
    case("the service data first", data + uuids + flags, {"flags": "1a"} | found)
    case("a structure of an unknown kind between", flags + structure(0x0A, b"\xf4") + uuids + data, {"flags": "1a"} | found)
    refused("nothing", b"")
    refused("another service", flags + structure(0x03, b"\x0f\x18") + structure(0x16, b"\x0f\x18" + identifier + metadata))
    refused("the identifier of the service in the wrong byte order", flags + structure(0x03, b"\xfd\x6f") + structure(0x16, b"\xfd\x6f" + identifier + metadata))
    refused("metadata of three bytes", flags + uuids + structure(0x16, b"\x6f\xfd" + identifier + metadata[:3]), flags=["WrongLength"])
    refused("an identifier without metadata", flags + uuids + structure(0x16, b"\x6f\xfd" + identifier), flags=["WrongLength"])
    refused("one byte too many", uuids + structure(0x16, b"\x6f\xfd" + identifier + metadata + b"\0"), flags=["WrongLength"])
    refused("the last structure is cut short", flags + uuids + data[:-1])
    refused("service data that claim to go beyond the end", flags + uuids + bytes([data[0] + 9]) + data[1:])
    refused("only flags and the list of services", flags + uuids)


def add_metadata(collection):
    group = collection.group("gaen.metadata")

    def case(comment, metadata, flags):
        group.test(comment, {"metadata": metadata}, decode_metadata(bytes.fromhex(metadata)), flags=flags)

    for confidence in range(4):
        case(f"1.1 with confidence {confidence} and the least power", f"{0x50 | confidence << 2:02x}810000", ["Confidence"])
    case("1.0 has no confidence, whatever its bits", "4cf40000", ["Confidence", "ReservedBits"])
    case("reserved bits of the first byte are set", "53f40000", ["ReservedBits"])
    case("reserved bytes are set", "40f4ffff", ["ReservedBits"])
    group.test("a transmit power of -128 dBm", {"metadata": "40800000"}, result="invalid", flags=["PowerRange"], error="metadata")
    for length in [0, 3, 5]:
        group.test(
            f"{length} bytes", {"metadata": "40f4000000"[: 2 * length]}, result="invalid", flags=["WrongLength"], error="metadata",
        )


def add_attenuation(collection):
    group = collection.group("attenuation")
    for comment, tx_power, rssi, correction, flags in [
        ("equal", -60, -60, 0, []),
        ("received stronger than sent", -60, -59, 0, ["Clamp"]),
        ("the correction makes it negative", -30, -31, 5, ["Clamp"]),
        ("the weakest and the strongest", 20, -120, 0, []),
        ("a correction downwards", -24, -80, -10, []),
    ]:
        input = {"tx_power": tx_power, "rssi": rssi, "rssi_correction": correction}
        group.test(comment, input, attenuation(tx_power, rssi, correction), flags=flags)


def add_matching(collection):
    """Diagnosis keys against sightings under the rules `spec`."""
    group = collection.group("gaen.matching", {"rules": "spec"})
    rng = random.Random("matching")

    def key(tek, start=START, period=144, **more):
        members = {"key_data": tek.hex(), "rolling_start_interval_number": start, "rolling_period": period} | more
        return {name: value for name, value in members.items() if value is not None}

    def sighting(tek, interval, seen_at, rssi=-70, metadata="40ee0000"):
        identifier = rpi(tek, interval)
        return {
            "rpi": identifier.hex(), "aem": aem(tek, identifier, bytes.fromhex(metadata)).hex(),
            "rssi_dbm": rssi, "seen_at": seen_at,
        }

    def match(tek, interval, seen, metadata="40ee0000"):
        found = {"key_data": tek.hex(), "interval": interval, "rpi": seen["rpi"], "seen_at": seen["seen_at"]}
        if metadata is None:
            return found | {"attenuation_db": None}
        power = decode_metadata(bytes.fromhex(metadata))["tx_power_dbm"]
        return found | {"tx_power_dbm": power, "attenuation_db": attenuation(power, seen["rssi_dbm"])}

    def case(comment, keys, sightings, matches, flags=()):
        group.test(comment, {"keys": keys, "sightings": sightings}, {"matches": matches}, flags=flags)

    tek = rng.randbytes(16)
    stranger = rng.randbytes(16)
    seen = sighting(tek, START + 60, (START + 60) * 600 + 300)
    case("one key, one sighting", [key(tek)], [seen], [match(tek, START + 60, seen)])
    case("nobody's key", [key(stranger)], [seen], [])
    case("the sighting of another key", [key(tek)], [sighting(stranger, START + 60, (START + 60) * 600)], [])
    for delta in [-13, -12, 12, 13]:
        # The first second of an interval that is too early, the last of one that is in time, and the other way round.
        edge = 599 if delta in (-13, 12) else 0
        tek = rng.randbytes(16)
        seen = sighting(tek, START + 60, (START + 60 + delta) * 600 + edge)
        matches = [match(tek, START + 60, seen)] if abs(delta) == 12 else []
        case(f"seen {abs(delta)} intervals {'before' if delta < 0 else 'after'} the identifier's", [key(tek)], [seen], matches, ["Window"])
    for seconds, kept in [(1199, True), (1200, True), (1201, False)]:
        tek = rng.randbytes(16)
        first = sighting(tek, START + 60, (START + 60) * 600)
        again = sighting(tek, START + 60, (START + 60) * 600 + seconds)
        matches = [match(tek, START + 60, first)] + ([match(tek, START + 60, again)] if kept else [])
        case(f"seen again after {seconds} seconds", [key(tek)], [first, again], matches, ["Replay"])
    tek = rng.randbytes(16)
    near, far = (sighting(tek, START + i, (START + i) * 600 + 5) for i in (88, 89))
    case("beyond the rolling period", [key(tek, period=89)], [near, far], [match(tek, START + 88, near)], ["ShortPeriod"])
    tek = rng.randbytes(16)
    last, beyond = (sighting(tek, START + 33 + i, (START + 33 + i) * 600 + 5) for i in (143, 144))
    case("an unaligned key without a period has a whole day", [key(tek, START + 33, None)], [last, beyond], [match(tek, START + 176, last)], ["Unaligned"])
    tek = rng.randbytes(16)
    seen = sighting(tek, START, START * 600, rssi=-10, metadata="40e70000")
    case("received stronger than sent: attenuation 0 is kept", [key(tek)], [seen], [match(tek, START, seen, "40e70000")], ["Clamp"])
    tek = rng.randbytes(16)
    seen = sighting(tek, START + 3, (START + 3) * 600, metadata="80ee0000")
    case("metadata of another major version: a match without attenuation", [key(tek)], [seen], [match(tek, START + 3, seen, None)], ["UnsupportedVersion"])
    tek = rng.randbytes(16)
    seen = sighting(tek, START + 3, (START + 3) * 600)
    case("a revoked key", [key(tek, report_type=5)], [seen], [], ["Revoked"])
    case("the same key twice", [key(tek), key(tek)], [seen], [match(tek, START + 3, seen)], ["Duplicate"])
    other = rng.randbytes(16)
    mine, theirs = sighting(tek, START + 120, (START + 120) * 600), sighting(other, START + 121, (START + 121) * 600 + 1)
    case(
        "two keys of one day, with the same start", [key(tek, period=104), key(other, period=142)], [mine, theirs],
        [match(other, START + 121, theirs)], ["ShortPeriod"],
    )
    case("no keys", [], [seen], [])
    case("no sightings", [key(tek)], [], [])
