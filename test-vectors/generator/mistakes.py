"""Mistakes of published implementations, each done on purpose beside the right answer, so that others can see whether they share it.

`expected` has the right answer under its name and what the mistake makes of it under `wrong_` and that name; where the input has to be
refused, there is only the wrong one.
"""

import hmac
import random
import struct

from .crypto import DAY, START, aem, aemk, aes, attenuation, decode_metadata, padded_data, rpi, rpik
from .envelope import NOTHING, note

# What lies on the stack, where a mistake shows it.
GARBAGE = b"\xa5"

note("NulInInfo", "WRONG_PRIMITIVE", "sizeof of a string literal counts its NUL, which becomes the eighth byte of HKDF's info: EN-RPIK and EN-AEMK have seven (esp-ena)")
note("PaddedDataOverrun", "MEMORY_SAFETY", "the block is declared by its prefix and has 7 bytes, EN-RPI and a NUL; the interval is written behind its end, and what is encrypted between is whatever lay there (esp-ena)")
note("UninitialisedMetadata", "MEMORY_SAFETY", "the reserved bytes of metadata are never set, and are sent as they were found in memory (esp-ena)")
note("CounterInPlace", "WRONG_PRIMITIVE", "the cipher in counter mode counts in the caller's buffer, and the identifier that goes on air is one more: mbedTLS counts all 16 bytes (esp-ena), TinyCrypt the last 4 (gaen-wearable passes the identifier likewise; that was read, not run)")
note("FourByteComparison", "MISSING_STEP", "sizeof of a number is compared instead of the number: identifiers that share 4 bytes are taken for one (esp-ena)")
note("ThreeByteInterval", "BYTE_ORDER", "the interval's number is put into the block as three bytes: gaenlib's slices are right from 0x100000 to 0xffffff only, fail below and differ above")
note("InclusiveEnd", "EDGE_CASE", "the end of the rolling period is counted in: 145 identifiers, the last of which belongs to the next key (corona-sniffer)")
note("MetadataVersion", "WRONG_PRIMITIVE", "the version is shifted by one bit: 0b00100000 is major 0, minor 2, instead of 0b01000000 (firmware of covid-bracelet)")
note("UncheckedPeriod", "INPUT_VALIDATION", "a rolling period outside 1 to 144 is taken as it comes (microG allocates 16 bytes for each interval; Google's internals, as published, throw at 0 and read beyond 144), or 0 is taken for 144 (Apple's sample)")
note("UncheckedKeyLength", "INPUT_VALIDATION", "key data that are not 16 bytes long are filled with zeros or cut (Google's internals, C++ part: the former)")
note("DayAfterNext", "EDGE_CASE", "sightings are looked up by day, the key's first day and its neighbours: an unaligned key may need the day after the next (Google's internals)")
note("IntervalUnderflow", "INTEGER_OVERFLOW", "interval − 12 is computed without a sign, and is gigantic for the first twelve (Apple's sample)")
note("ZeroAttenuation", "EDGE_CASE", "attenuation 0 means clamped, saturated and not computed, and is dropped (Apple's sample)")
note("SignedVersion", "INTEGER_OVERFLOW", "the version is compared as a signed byte: major 2 and 3 are taken for older than 1.0, and a typical phone's power is assumed (microG)")
note("OwnKeyComparison", "EDGE_CASE", "the phone's own live key is looked up with its end before now instead of after it (microG, findOwnKeyAt)")
note("OneHourTolerance", "EDGE_CASE", "one hour instead of two between sighting and identifier (microG)")
note("NoTolerance", "MISSING_STEP", "a sighting has to lie within the key's own period, whatever the clocks (esp-ena)")
note("OldScheme", "WRONG_PRIMITIVE", "identifiers as before version 1.1 of the specification: HMAC of CT-RPI and the day's interval under the daily key (harbour-contrac)")
note("CandidatesLeak", "MISSING_STEP", "the list of candidates is not emptied between keys: a match of one key is one of all that follow (harbour-contrac)")
note("EightBitInterval", "INTEGER_OVERFLOW", "intervals of the day are computed in 8 bits: before midnight and from 256 on they are others (harbour-contrac)")


def add(collection):
    group = collection.group("gaen.known_mistakes")
    rng = random.Random("mistakes of peers")
    derivation(group, rng)
    sealing(group, rng)
    bounds(group, rng)
    matching(group, rng)
    own_key(group, rng)


def case(group, flag, comment, input, right, wrong, error=None, note=None):
    """The right answer and the wrong one; with `error`, the input has to be refused and there is no right one."""
    expected = right | {f"wrong_{name}": value for name, value in wrong.items()}
    for name, value in wrong.items():
        assert right.get(name) != value, comment
    result = "invalid" if error else "valid"
    group.test(comment, input, expected or NOTHING, result=result, flags=["KnownMistake", flag], error=error, note=note)


# -- keys, identifiers, metadata ---------------------------------------------------------------------------------------------------


def derivation(group, rng):
    def derived(tek, interval, info=b""):
        extracted = hmac.digest(b"\0" * 32, tek, "sha256")
        identifier_key = hmac.digest(extracted, b"EN-RPIK" + info + b"\x01", "sha256")[:16]
        metadata_key = hmac.digest(extracted, b"EN-AEMK" + info + b"\x01", "sha256")[:16]
        return {"rpik": identifier_key.hex(), "aemk": metadata_key.hex(), "rpi": aes(identifier_key, padded_data(interval)).hex()}

    tek, interval = rng.randbytes(16), START + 77
    input = {"tek": tek.hex(), "enin": interval}
    case(group, "NulInInfo", "the info strings with their NUL", input, derived(tek, interval), derived(tek, interval, b"\0"))

    def identifier(block):
        return {"padded_data": block.hex(), "rpi": aes(rpik(tek), block).hex()}

    right = identifier(padded_data(interval))
    number = struct.pack("<I", interval)
    for comment, block in [
        ("seven bytes and what lies behind them, the interval in its place", b"EN-RPI\0" + GARBAGE * 5 + number),
        ("seven bytes and what lies behind them, the interval written elsewhere", b"EN-RPI\0" + GARBAGE * 9),
        ("the interval directly behind the seven bytes", b"EN-RPI\0" + number + b"\0" * 5),
    ]:
        case(group, "PaddedDataOverrun", comment, input, right, identifier(block))

    for interval in (0x100_0000, 0x1ff_ffff, 0xffff_ffff):
        right = identifier(padded_data(interval))
        wrong = identifier(b"EN-RPI" + b"\0" * 6 + struct.pack("<I", interval)[:3] + b"\0")
        case(group, "ThreeByteInterval", f"interval {interval:#x}, of which three bytes are taken", {"tek": tek.hex(), "enin": interval}, right, wrong)
    for interval in (0, 0xff, 0xfffff):
        right = identifier(padded_data(interval))
        more = "the implementation that had this mistake stopped here"
        case(group, "ThreeByteInterval", f"interval {interval:#x}, which has fewer than six digits", {"tek": tek.hex(), "enin": interval}, right, {}, note=more)

    interval = START + 100
    wrong = hmac.digest(tek, b"CT-RPI" + bytes([interval % DAY]), "sha256")[:16]
    input = {"tek": tek.hex(), "enin": interval}
    case(group, "OldScheme", "the identifier before version 1.1", input, {"rpi": rpi(tek, interval).hex()}, {"rpi": wrong.hex()})


def sealing(group, rng):
    metadata = bytes.fromhex("40f40000")

    def sent(identifier, key, clear=metadata):
        keystream = aes(key, identifier)
        return identifier + bytes(a ^ b for a, b in zip(clear, keystream, strict=False))

    tek, interval = rng.randbytes(16), START + 31
    identifier, key = rpi(tek, interval), aemk(tek)
    input = {"tek": tek.hex(), "enin": interval, "metadata": metadata.hex()}
    right = sent(identifier, key)
    wrong = sent(identifier, key, metadata[:2] + GARBAGE * 2)
    case(group, "UninitialisedMetadata", "reserved bytes that were never set", input, {"service_data": right.hex()}, {"service_data": wrong.hex()})

    def counted(identifier, key, width):
        """The right metadata beside an identifier of which so many last bytes were counted up."""
        number = int.from_bytes(identifier[-width:], "big") + 1
        return identifier[:-width] + (number % 256**width).to_bytes(width, "big") + sent(identifier, key)[16:]

    case(
        group, "CounterInPlace", "the identifier is counted up before it is sent", input,
        {"service_data": right.hex()}, {"service_data": counted(identifier, key, 16).hex()},
    )
    for comment, identifier, width in [
        ("an identifier that ends with 0xff carries", rng.randbytes(15) + b"\xff", 16),
        ("a counter of 16 bytes carries beyond the last four", rng.randbytes(12) + b"\xff" * 4, 16),
        ("a counter of 4 bytes does not carry further", rng.randbytes(12) + b"\xff" * 4, 4),
        ("the last identifier of all becomes the first", b"\xff" * 16, 16),
    ]:
        input = {"rpi": identifier.hex(), "aemk": key.hex(), "metadata": metadata.hex()}
        right, wrong = sent(identifier, key), counted(identifier, key, width)
        case(group, "CounterInPlace", comment, input, {"service_data": right.hex()}, {"service_data": wrong.hex()})

    for power in (-12, 8):
        version = {"right": 0b01 << 6, "shifted": 0b01 << 5}
        right, wrong = (struct.pack("Bbxx", version[which], power).hex() for which in ("right", "shifted"))
        case(group, "MetadataVersion", f"metadata 1.0 of {power} dBm", {"tx_power_dbm": power}, {"metadata": right}, {"metadata": wrong})

    for first in (0x80, 0x90, 0xc0, 0xff):
        metadata = bytes([first, 0xf4, 0, 0])
        signed, limit = struct.unpack("b", metadata[:1])[0], 0x40
        assert decode_metadata(metadata)["major"] >= 2
        case(
            group, "SignedVersion", f"metadata whose first byte is {first:#x}", {"metadata": metadata.hex()},
            {"older_than_1_0": first < limit}, {"older_than_1_0": signed < limit},
        )


def bounds(group, rng):
    tek = rng.randbytes(16)

    def given(period, tek=tek):
        return {"tek": tek.hex(), "rolling_start_interval_number": START, "rolling_period": period}

    def identifiers(count):
        return {"identifier_count": count, "last_rpi": rpi(tek, START + count - 1).hex()}

    for period in (144, 143, 1):
        inclusive = len(range(START, START + period + 1))
        case(group, "InclusiveEnd", f"a rolling period of {period}", given(period), identifiers(period), identifiers(inclusive))
    case(group, "UncheckedPeriod", "rolling period 0, taken for a whole day", given(0), {}, identifiers(0 or 144), error="rolling_period")
    for period in (145, 288, 1 << 20):
        case(group, "UncheckedPeriod", f"rolling period {period}", given(period), {}, identifiers(period), error="rolling_period")

    for length in (1, 15):
        key = rng.randbytes(length)
        filled = key + b"\0" * (16 - length)
        wrong = {"rpik": rpik(filled).hex(), "rpi": rpi(filled, START).hex()}
        case(group, "UncheckedKeyLength", f"a key of {length} byte{'s' * (length > 1)}, filled with zeros", {"tek": key.hex(), "enin": START}, {}, wrong, error="key_data")
    key = rng.randbytes(17)
    wrong = {"rpik": rpik(key[:16]).hex(), "rpi": rpi(key[:16], START).hex()}
    case(group, "UncheckedKeyLength", "a key of 17 bytes, the last one cut off", {"tek": key.hex(), "enin": START}, {}, wrong, error="key_data")


# -- matching ----------------------------------------------------------------------------------------------------------------------


def within(tolerance):
    return lambda key, interval, seen: abs(seen - interval) <= tolerance


def match(keys, sightings, equal=lambda a, b: a == b, in_time=within(12), keep=lambda match: True, leak=False, beyond=0):
    """Every key, every interval, every sighting. The arguments are where implementations went wrong."""
    matches, candidates = [], []
    for key in keys:
        tek, start = bytes.fromhex(key["key_data"]), key["rolling_start_interval_number"]
        candidates = candidates if leak else []
        for interval in range(start, start + key["rolling_period"] + beyond):
            own = rpi(tek, interval)
            candidates += [
                (interval, sighting) for sighting in sightings
                if equal(own, bytes.fromhex(sighting["rpi"])) and in_time(key, interval, sighting["seen_at"] // 600)
            ]
        matches += [found(key, interval, sighting) for interval, sighting in candidates]
    return [match for match in matches if keep(match)]


def found(key, interval, sighting):
    tek, identifier = bytes.fromhex(key["key_data"]), bytes.fromhex(sighting["rpi"])
    match = {"key_data": key["key_data"], "interval": interval, "rpi": sighting["rpi"], "seen_at": sighting["seen_at"]}
    if rpi(tek, interval) == identifier:
        metadata = decode_metadata(aem(tek, identifier, bytes.fromhex(sighting["aem"])))
        power, rssi = metadata["tx_power_dbm"], sighting["rssi_dbm"]
        match |= {"tx_power_dbm": power, "attenuation_db": 0 if rssi == 127 else attenuation(power, rssi)}
    return match


def matching(group, rng):
    def key(tek, start=START, period=144):
        return {"key_data": tek.hex(), "rolling_start_interval_number": start, "rolling_period": period}

    def sighting(tek, interval, seen_at, rssi=-70, metadata="40f40000"):
        identifier = rpi(tek, interval)
        return {"rpi": identifier.hex(), "aem": aem(tek, identifier, bytes.fromhex(metadata)).hex(), "rssi_dbm": rssi, "seen_at": seen_at}

    def compare(flag, comment, keys, sightings, **mistake):
        right, wrong = match(keys, sightings), match(keys, sightings, **mistake)
        case(group, flag, comment, {"keys": keys, "sightings": sightings}, {"matches": right}, {"matches": wrong})

    ours, (theirs, interval) = sharing_four_bytes(random.Random("four bytes"))
    compare(
        "FourByteComparison", "the identifier of another key, with the same first four bytes", [key(ours)],
        [sighting(theirs, interval, interval * 600 + 30)], equal=lambda a, b: a[:4] == b[:4],
    )

    tek = rng.randbytes(16)
    compare(
        "InclusiveEnd", "the identifier after the key's last", [key(tek)], [sighting(tek, START + 144, (START + 144) * 600 + 5)],
        beyond=1,
    )

    for later, in_key in ((6, 143), (12, 143), (10, 142)):
        tek = rng.randbytes(16)
        first = START + 143
        last = first + in_key

        def by_day(key, interval, seen):
            day = key["rolling_start_interval_number"] // DAY
            return within(12)(key, interval, seen) and abs(seen // DAY - day) <= 1

        compare(
            "DayAfterNext", f"an unaligned key across midnight, seen {later} intervals after its interval {in_key}", [key(tek, first)],
            [sighting(tek, last, (last + later) * 600)], in_time=by_day,
        )

    def unsigned(key, interval, seen):
        return (interval - 12) % 2**32 <= seen <= interval + 12

    for interval, seen in ((0, 0), (5, 3), (11, 11)):
        tek = rng.randbytes(16)
        compare(
            "IntervalUnderflow", f"interval {interval} of all time, seen in interval {seen}", [key(tek, 0)],
            [sighting(tek, interval, seen * 600 + 1)], in_time=unsigned,
        )

    for comment, rssi, metadata in (("received stronger than sent", -10, "40e70000"), ("received as sent", -25, "40e70000"), ("a saturated receiver", 127, "40e70000")):
        tek = rng.randbytes(16)
        compare(
            "ZeroAttenuation", comment, [key(tek)], [sighting(tek, START + 9, (START + 9) * 600, rssi, metadata)],
            keep=lambda match: match["attenuation_db"] >= 1,
        )

    def one_hour(key, interval, seen_at):
        return interval * 600 - 3600 <= seen_at <= (interval + 1) * 600 + 3600

    for seconds in (-7200, -3601, 4201, 7799):
        tek = rng.randbytes(16)
        seen = sighting(tek, START + 60, (START + 60) * 600 + seconds)
        compare(
            "OneHourTolerance", f"seen {abs(seconds)} seconds {'before' if seconds < 0 else 'after'} the interval's first second", [key(tek)], [seen],
            in_time=lambda key, interval, _, seen=seen: one_hour(key, interval, seen["seen_at"]),
        )

    def strictly_inside(key, interval, seen):
        return key["rolling_start_interval_number"] <= seen < key["rolling_start_interval_number"] + key["rolling_period"]

    for comment, interval, seconds in (("five minutes before the key's first midnight", START, -300), ("five minutes after its last", START + 143, 900)):
        tek = rng.randbytes(16)
        compare("NoTolerance", f"seen {comment}", [key(tek)], [sighting(tek, interval, interval * 600 + seconds)], in_time=strictly_inside)

    first, second = rng.randbytes(16), rng.randbytes(16)
    seen = sighting(first, START + 20, (START + 20) * 600 + 10)
    compare("CandidatesLeak", "the key after the one that was met", [key(first), key(second)], [seen], leak=True)

    def eight_bits(key, interval, seen):
        day = key["rolling_start_interval_number"] // DAY * DAY
        return abs((seen - day) % 256 - (interval - day) % 256) <= 12

    for comment, interval, delta in (
        ("five intervals before the key's midnight", START + 2, -7), ("256 intervals too late", START + 40, 256), ("256 intervals too early", START + 100, -256),
    ):
        tek = rng.randbytes(16)
        compare("EightBitInterval", f"seen {comment}", [key(tek)], [sighting(tek, interval, (interval + delta) * 600)], in_time=eight_bits)


def sharing_four_bytes(rng):
    """Two keys of a day, and intervals close enough to match, whose identifiers have the same first four bytes: found by search."""
    seen = {}
    while True:
        tek = rng.randbytes(16)
        blocks = b"".join(padded_data(START + offset) for offset in range(13))
        identifiers = aes(rpik(tek), blocks)
        for offset in range(13):
            prefix = identifiers[16 * offset : 16 * offset + 4]
            if prefix in seen:
                return seen[prefix], (tek, START + offset)
            seen[prefix] = tek


# -- the phone's own keys ----------------------------------------------------------------------------------------------------------


def own_key(group, rng):
    keys = [{"key_data": rng.randbytes(16).hex(), "rolling_start_interval_number": START + DAY * day, "rolling_period": 144} for day in range(3)]

    def first(at, is_live):
        return next((number for number, key in enumerate(keys) if is_live(key["rolling_start_interval_number"], key["rolling_period"], at // 600)), None)

    for comment, at in (("in the first key's day", START * 600), ("in the second key's day", (START + 200) * 600), ("in the last second of the third's", (START + 3 * DAY) * 600 - 1)):
        case(
            group, "OwnKeyComparison", comment, {"keys": keys, "at": at},
            {"live_key": first(at, lambda start, period, now: start <= now < start + period)},
            {"live_key": first(at, lambda start, period, now: start <= now and start + period < now)},
        )
