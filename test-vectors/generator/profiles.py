"""Matching under the rules of published implementations: what each of them makes of the same keys and sightings.

`spec` is the specification with the frameworks' guard against replay; `google`, `apple` and `microg` are what code published in 2020
does. Each rule is tried inside its edge and outside, under all four.
"""

import random

from .crypto import DAY, START, aem, decode_metadata, rpi
from .envelope import NOTHING, note

note("ProfilesDiffer", "EDGE_CASE", "published implementations give different answers; the expected one is that of the group's rules")
note("DayLookup", "EDGE_CASE", "sightings are looked up on the day that the key starts and its neighbours only: a key across midnight is heard on a third day")
note("SightingAge", "EDGE_CASE", "sightings older than 14 days do not count when they are asked for")
note("FirstThatCounts", "EDGE_CASE", "whether a sighting that is dropped for another reason is the first one, from which the 20 minutes count")
note("PowerBounds", "EDGE_CASE", "a transmit power that is not believed drops the sighting")
note("MetadataReading", "EDGE_CASE", "what the version of the metadata decides: whether there is a transmit power, whether there is a confidence")
note("ReportType", "MISSING_STEP", "revoked and recursive keys match nothing")
note("Transition", "EDGE_CASE", "a later copy of a key is taken for the sake of its report type only, once")
note("Copies", "EDGE_CASE", "copies of a key that contradict each other: which of them holds")
note("Revision", "MISSING_STEP", "a revised key changes what was said of the key before")
note("BatchOfKeys", "EDGE_CASE", "copies in one batch of 256 keys are one key, in two batches they are two")

PROFILES = ["spec", "google", "apple", "microg"]
UNKNOWN, TEST, CLINICAL, SELF, RECURSIVE, REVOKED = range(6)


class FileRefusedError(Exception):
    """Nothing of the file is processed."""


def add(collection):
    groups = {rules: collection.group("gaen.matching", {"rules": rules}) for rules in PROFILES}
    for comment, flags, given, only in scenes(random.Random("profiles")):
        answers = {}
        for rules in PROFILES:
            try:
                answers[rules] = judge(rules, given)
            except FileRefusedError:
                answers[rules] = None
        if "MetadataReading" not in flags:
            answers = {rules: without_confidence(answer) for rules, answer in answers.items()}
        differ = ["ProfilesDiffer"] if any(answer != answers["spec"] for answer in answers.values()) else []
        for rules in only or PROFILES:
            answer = answers[rules]
            if answer is None:
                groups[rules].test(comment, given, NOTHING, result="invalid", flags=flags + differ, error="rolling_period")
            else:
                groups[rules].test(comment, given, answer, flags=flags + differ)


def without_confidence(answer):
    if answer is not None:
        for match in answer["matches"]:
            del match["calibration_confidence"]
    return answer


# -- the rules ---------------------------------------------------------------------------------------------------------------------


def read(rules, key):
    """The starts and periods that a key stands for."""
    start, period = key["rolling_start_interval_number"], key.get("rolling_period", DAY)
    if 1 <= period <= DAY:
        return [(start, period)]
    if rules in ("spec", "google"):
        raise FileRefusedError
    if rules == "apple":
        return [(start, DAY)] if period == 0 else []
    period = min(period, 14 * DAY)
    return [(start + piece, min(DAY, period - piece)) for piece in range(0, period, DAY)]


def statements(rules, given):
    """Keys in their order, then revised keys, numbered."""
    stated = []
    for is_revised, keys in ((False, given["keys"]), (True, given.get("revised_keys", []))):
        for key in keys:
            for start, period in read(rules, key):
                stated.append({
                    "number": len(stated), "tek": bytes.fromhex(key["key_data"]), "start": start, "period": period,
                    "type": key.get("report_type"), "revised": is_revised,
                })
    return stated


def offset(statement, interval):
    return interval - statement["start"]


def covers(statement, interval):
    return 0 <= offset(statement, interval) < statement["period"]


def in_window(rules, interval, seen_at):
    if rules == "microg":
        return interval * 600 - 3600 <= seen_at <= interval * 600 + 600 + 3600
    seen = seen_at // 600
    if rules == "apple":
        return (interval - 12) % 2**32 <= seen <= (interval + 12) % 2**32
    return interval - 12 <= seen <= interval + 12


def resolve(rules, stated, heard):
    """Of the statements about one key: those that hold, those that do not, with the reason, and those that a revised key replaced."""
    holding, ignored, replaced = [], [], []
    changed = False
    batches = {}
    for statement in stated:
        statement = dict(statement)
        if statement["revised"]:
            if rules == "spec":
                replaced += [earlier for earlier, _ in ignored] + holding
                holding, ignored = [statement], []
                continue
            if rules == "apple":
                ignored.append((statement, "revision-ignored"))
                continue
            if rules == "microg":
                met = any(
                    covers(earlier, interval) and any(in_window(rules, interval, seen["seen_at"]) for seen in sightings)
                    for earlier in holding for interval, sightings in heard.items()
                )
                if met:
                    for earlier in holding:
                        earlier["type"] = statement["type"]
                ignored.append((statement, "revision-ignored"))
                continue
        if rules == "spec":
            holding.append(statement)
        elif rules == "google":
            if statement["type"] == RECURSIVE:
                ignored.append((statement, "recursive"))
            elif not holding:
                holding.append(statement)
            else:
                first = holding[0]
                if not changed and first["period"] == statement["period"] and statement["type"] in TRANSITIONS.get(first["type"], ()):
                    first["type"], changed = statement["type"], True
                ignored.append((statement, "copy-ignored"))
        elif rules == "apple":
            batch = statement["number"] // 256
            if batch in batches:
                holding.remove(batches[batch])
                ignored.append((batches[batch], "copy-ignored"))
            batches[batch] = statement
            holding.append(statement)
        elif any((earlier["start"], earlier["period"]) == (statement["start"], statement["period"]) for earlier in holding):
            ignored.append((statement, "copy-ignored"))
        else:
            holding.append(statement)
    return holding, sorted(ignored, key=lambda pair: pair[0]["number"]), replaced


TRANSITIONS = {SELF: (TEST, CLINICAL, REVOKED), CLINICAL: (TEST, REVOKED)}


def speaker(rules, holding, ignored, replaced, interval):
    """Whose word about an interval is the last, and what it says against every sighting."""

    def by_type(statement):
        return "revoked" if statement["type"] == REVOKED and rules != "apple" else None

    for statement in reversed(holding):
        if covers(statement, interval):
            return statement, by_type(statement)
    for statement, reason in reversed(ignored):
        if covers(statement, interval):
            return statement, reason
    for statement in reversed(holding):
        if 0 <= offset(statement, interval) < DAY:
            return statement, by_type(statement) or "outside-rolling-period"
    for statement, reason in reversed(ignored):
        if 0 <= offset(statement, interval) < DAY:
            return statement, reason
    for statement in reversed(replaced):
        if 0 <= offset(statement, interval) < DAY:
            return statement, "replaced"
    return None


def read_frame(rules, metadata, rssi):
    """What is read from a frame, or why it is dropped."""
    first, power = metadata[0], metadata[1] - 256 if metadata[1] > 127 else metadata[1]
    confidence = first >> 2 & 3
    if rules == "spec":
        known = first >> 6 == 1 and power != -128
        confidence = confidence if known and first >> 4 & 3 else None
    elif rules == "google":
        known = True
    elif rules == "apple":
        known, confidence = True, None
    else:
        signed = first - 256 if first > 127 else first
        known, confidence = signed >= 0x40, confidence if signed >= 0x50 else None
    if not known:
        return None, {"attenuation_db": None, "calibration_confidence": confidence}
    difference = power - rssi
    if rules == "apple" and (difference < 1 or rssi == 127):
        return "zero-attenuation", None
    lowest = {"google": -50, "apple": -60}.get(rules)
    if lowest is not None and not lowest <= power <= 20:
        return "transmit-power-out-of-bounds", None
    return None, {"attenuation_db": difference if rules == "microg" else max(difference, 0), "calibration_confidence": confidence}


def judge(rules, given):
    by_key = {}
    for statement in statements(rules, given):
        by_key.setdefault(statement["tek"], []).append(statement)
    matches, dropped = [], []
    for tek, stated in by_key.items():
        intervals = {interval for statement in stated for interval in range(statement["start"], min(statement["start"] + DAY, 2**32))}
        identifiers = {rpi(tek, interval).hex(): interval for interval in intervals}
        heard = {}
        for seen in sorted(given["sightings"], key=lambda seen: seen["seen_at"]):
            if seen["rpi"] in identifiers:
                heard.setdefault(identifiers[seen["rpi"]], []).append(seen)
        # What stood before the first copy of which something was heard left no trace.
        while stated and not any(0 <= offset(stated[0], interval) < DAY for interval in heard):
            stated = stated[1:]
        if not stated:
            continue
        resolved = resolve(rules, stated, heard)
        for interval, sightings in heard.items():
            if spoken := speaker(rules, *resolved, interval):
                sort(rules, given, (*spoken, interval), sightings, matches, dropped)
    return {"matches": matches, "dropped": dropped}


def sort(rules, given, word, sightings, matches, dropped):
    """The sightings of one identifier into matches and drops."""
    statement, against, interval = word
    first = None
    for seen in sightings:
        identifier, seen_at = bytes.fromhex(seen["rpi"]), seen["seen_at"]
        metadata = aem(statement["tek"], identifier, bytes.fromhex(seen["aem"]))
        days = seen_at // 86400 - statement["start"] // DAY
        unreadable, reading = read_frame(rules, metadata, seen["rssi_dbm"])
        if against:
            reason = against
        elif not in_window(rules, interval, seen_at):
            reason = "outside-time-window"
        elif rules == "google" and abs(days) > 1:
            reason = "day-not-looked-up"
        elif rules == "apple" and "now" in given and given["now"] - seen_at > 14 * 86400:
            reason = "sighting-too-old"
        elif rules == "microg" or (rules == "apple" and unreadable):
            reason = unreadable
        else:
            first = seen_at if first is None else first
            reason = "replayed" if seen_at - first > 1200 else unreadable
        found = {"key_data": statement["tek"].hex(), "interval": interval, "rpi": seen["rpi"], "seen_at": seen_at}
        if reason:
            dropped.append(found | {"reason": reason})
            continue
        power = decode_metadata(metadata)["tx_power_dbm"]
        found |= {} if power == -128 else {"tx_power_dbm": power}
        found |= {} if statement["type"] is None else {"report_type": statement["type"]}
        matches.append(found | reading)


# -- the scenes --------------------------------------------------------------------------------------------------------------------


def scenes(rng):
    """Comment, flags, input, and the profiles it is for if it is not for all. Only ever appended to."""
    tek = None

    def key(start=START, period=DAY, **more):
        members = {"key_data": tek.hex(), "rolling_start_interval_number": start, "rolling_period": period} | more
        return {name: value for name, value in members.items() if value is not None}

    def seen(interval, seconds=0, rssi=-62, metadata="40f40000"):
        identifier = rpi(tek, interval)
        return {
            "rpi": identifier.hex(), "aem": aem(tek, identifier, bytes.fromhex(metadata)).hex(),
            "rssi_dbm": rssi, "seen_at": interval * 600 + seconds,
        }

    def scene(comment, flags, keys, sightings, only=None, **more):
        return comment, flags, {"keys": keys, "sightings": sightings} | more, only

    tek = rng.randbytes(16)
    yield scene("an ordinary encounter", [], [key()], [seen(START + 3, 100)])

    for seconds in (-7201, -7200, -3601, -3600, 4200, 4201, 7799, 7800):
        tek = rng.randbytes(16)
        when = f"{-seconds} s before the identifier's interval" if seconds < 0 else f"{seconds} s after the beginning of the identifier's interval"
        yield scene(f"seen {when}", ["Window"], [key()], [seen(START + 50, seconds)])
    for start, interval in ((0, 11), (0, 12), (2**32 - 21, 2**32 - 13), (2**32 - 21, 2**32 - 12)):
        tek = rng.randbytes(16)
        yield scene(f"interval {interval}, where 32 bits may wrap", ["Window"], [key(start)], [seen(interval)])

    # A key from 23:00 on; its last identifier is that of 22:50 to 23:00 of the next day.
    for seconds in (70 * 60 - 1, 70 * 60):
        tek = rng.randbytes(16)
        when = "in the last second of the key's second day" if seconds % 60 else "in the first second of the third day"
        yield scene(f"a key across midnight, seen {when}", ["DayLookup", "Unaligned"], [key(START + 138)], [seen(START + 138 + 143, seconds)])
    tek = rng.randbytes(16)
    yield scene("seen on the day before the key's first", ["DayLookup"], [key()], [seen(START, -600)])

    for days, seconds in ((14, 0), (14, 1)):
        tek = rng.randbytes(16)
        age = days * 86400 + seconds
        yield scene(f"asked {age} s after the sighting", ["SightingAge"], [key()], [seen(START)], now=START * 600 + age)

    for seconds in (1200, 1201):
        tek = rng.randbytes(16)
        yield scene(f"seen again after {seconds} s", ["Replay"], [key()], [seen(START), seen(START, seconds)])
    tek = rng.randbytes(16)
    yield scene(
        "first seen with a transmit power of 21 dBm, then replayed", ["FirstThatCounts"], [key()],
        [seen(START, 0, -29, "40150000"), seen(START, 1201)],
    )
    tek = rng.randbytes(16)
    yield scene("first seen too early, then replayed", ["Replay"], [key()], [seen(START + 20, -8000), seen(START + 20, 0), seen(START + 20, 1200)])

    for power in (-61, -60, -51, -50, 20, 21, -128):
        tek = rng.randbytes(16)
        metadata = f"40{power & 0xff:02x}0000"
        yield scene(f"a transmit power of {power} dBm", ["PowerBounds"], [key()], [seen(START, 0, max(power - 30, -100), metadata)])

    for rssi in (-13, -12, -11, 127):
        tek = rng.randbytes(16)
        yield scene(f"sent with -12 dBm, received with {rssi} dBm", ["Clamp"], [key()], [seen(START, 0, rssi)])

    for version in (0x3C, 0x4C, 0x58, 0x7C, 0x98, 0xFC):
        tek = rng.randbytes(16)
        comment = f"metadata of version {version >> 6}.{version >> 4 & 3} with bits {version >> 2 & 3} for the confidence"
        yield scene(comment, ["MetadataReading"], [key()], [seen(START, 0, -62, f"{version:02x}f40000")])

    for report_type in range(6):
        tek = rng.randbytes(16)
        yield scene(f"a key of report type {report_type}", ["ReportType"], [key(report_type=report_type)], [seen(START)])
    for types in (
        (SELF, TEST), (SELF, CLINICAL), (SELF, REVOKED), (CLINICAL, TEST), (CLINICAL, REVOKED), (CLINICAL, SELF), (TEST, REVOKED),
        (TEST, SELF), (SELF, CLINICAL, TEST), (SELF, CLINICAL, REVOKED), (REVOKED, TEST), (RECURSIVE, TEST),
    ):
        tek = rng.randbytes(16)
        comment = f"copies of report types {', then '.join(map(str, types))}"
        yield scene(comment, ["Transition"], [key(report_type=report_type) for report_type in types], [seen(START)])
    tek = rng.randbytes(16)
    yield scene(
        "a self report is revoked by a copy with another period", ["Transition", "Copies"],
        [key(report_type=SELF), key(period=143, report_type=REVOKED)], [seen(START)],
    )

    for periods in ((10, 20), (20, 10), (10, 10)):
        tek = rng.randbytes(16)
        comment = f"copies with periods {periods[0]} and {periods[1]}, seen in interval 15"
        yield scene(comment, ["Copies", "ShortPeriod"], [key(period=period) for period in periods], [seen(START + 15)])
    tek = rng.randbytes(16)
    yield scene("copies with other starts, both heard", ["Copies"], [key(), key(START + 200)], [seen(START), seen(START + 250)])
    tek = rng.randbytes(16)
    yield scene("copies with other starts, the later one heard", ["Copies"], [key(), key(START + 200)], [seen(START + 250)])
    for between in (254, 255):
        tek = rng.randbytes(16)
        stranger = {"key_data": rng.randbytes(16).hex(), "rolling_start_interval_number": START}
        yield scene(
            f"copies with other starts, {between} keys between them", ["Copies", "BatchOfKeys"], [key(), *[stranger] * between, key(START + 200)],
            [seen(START), seen(START + 250)], only=["apple"],
        )

    for published, revised in ((SELF, REVOKED), (TEST, REVOKED), (CLINICAL, TEST)):
        tek = rng.randbytes(16)
        comment = f"a key of report type {published}, revised to {revised}"
        yield scene(comment, ["Revision"], [key(report_type=published)], [seen(START)], revised_keys=[key(report_type=revised)])
    tek = rng.randbytes(16)
    yield scene("a revised key that was not published before", ["Revision"], [], [seen(START)], revised_keys=[key(report_type=TEST)])
    tek = rng.randbytes(16)
    yield scene(
        "a key that was heard hours off, revoked", ["Revision"], [key(report_type=TEST)], [seen(START, 40_000)],
        revised_keys=[key(report_type=REVOKED)],
    )
    tek = rng.randbytes(16)
    yield scene("a key revised to a shorter period", ["Revision", "ShortPeriod"], [key()], [seen(START + 9)], revised_keys=[key(period=1)])

    for period, offsets in (
        (None, (143, 144)), (1, (0, 1)), (143, (142, 143)), (144, (143, 144)), (0, (0, 143)), (145, (0, 144)), (-1, (0, 143)),
        (300, (299, 300)), (2017, (2015, 2016)),
    ):
        tek = rng.randbytes(16)
        comment = "no rolling period" if period is None else f"a rolling period of {period}"
        yield scene(f"{comment}, seen in intervals {offsets[0]} and {offsets[1]}", ["RollingPeriod"], [key(period=period)], [seen(START + i) for i in offsets])
    for period in (0, 145):
        tek = rng.randbytes(16)
        stranger = {"key_data": rng.randbytes(16).hex(), "rolling_start_interval_number": START, "rolling_period": period}
        yield scene(f"a key beside another one with a rolling period of {period}", ["RollingPeriod"], [stranger, key()], [seen(START)])

    tek = rng.randbytes(16)
    yield scene("a key revised to another start, seen before it", ["Revision"], [key()], [seen(START + 9)], revised_keys=[key(START + 500)])
