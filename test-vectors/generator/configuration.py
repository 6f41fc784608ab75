"""What is wrong with application configurations of both versions: each bound from both sides, and each rule with its nearest exception."""

import copy
import math
import struct

from .envelope import note
from .export import data, number, tag

note("ConfigurationMistake", "CONSISTENCY", "a parameter of a configuration is out of its range, or contradicts another; every finding is told, and no other")
note("ConfigurationBoundary", "EDGE_CASE", "a configuration as near to a mistake as can be without one")

NOTES = {"W1409", "W1442", "W1451"}


# -- messages (proto3: what is zero is left out) -----------------------------------------------------------------------------------


def whole(field, value):
    return number(field, value) if value else b""


def double(field, value):
    return b"" if value == 0 else tag(field, 1) + struct.pack("<d", value)


def text(field, value):
    return data(field, value) if value else b""


def part(field, value):
    """A message, which can be empty; `None` is no message."""
    return data(field, value)


def repeated(field, messages):
    return b"".join(data(field, message) for message in messages)


def numbered(values, write=whole):
    return b"".join(write(field, value) for field, value in enumerate(values, 1))


def version(numbers):
    return numbered(numbers)


def features(entries):
    return repeated(1, [text(1, label) + whole(2, value) for label, value in entries])


def days(entries):
    return [text(1, region) + text(2, date) + text(3, etag) for region, date, etag in entries]


def hours(entries):
    return [text(1, region) + text(2, date) + whole(3, hour) + text(4, etag) for region, date, hour, etag in entries]


# -- framework mode v1 ----------------------------------------------------------------------------------------------------------------

V1 = {
    "min": 11,
    "classes": [["LOW", 0, 15], ["HIGH", 15, 9999]],
    "weights": {"transmission": 50, "duration": 50, "days": 20, "attenuation": 50},
    "transmission": [0, 0, 3, 4, 5, 6, 7, 8],
    "duration": [0, 0, 0, 1, 1, 1, 1, 1],
    "days": [5] * 8,
    "attenuation": [0] + [2] * 7,
    "thresholds": [55, 63],
    "minutes": [1, 0.5, 0],
    "offset": 0,
    "divisor": 50,
    "versions": {"ios": [[1, 5, 2], [1, 0, 0]], "android": [[1, 5, 1], [1, 5, 1]]},
    "features": [["isPlausibleDeniabilityActive", 1]],
    "countries": ["DE", "FR"],
    "revoked_days": [["DE", "2020-07-22", "x"]],
    "revoked_hours": [["EUR", "2020-07-22", 23, "y"]],
    "timeouts": [60, 480],
    "detections": [6, 900],
}


def v1(c):
    scores = [(c["transmission"], c["weights"]["transmission"]), (c["duration"], c["weights"]["duration"]),
              (c["days"], c["weights"]["days"]), (c["attenuation"], c["weights"]["attenuation"])]
    exposure = b"".join(
        part(2 * at + 1, numbered(levels)) + double(2 * at + 2, weight) for at, (levels, weight) in enumerate(scores)
    )
    classes = repeated(1, [text(1, label) + whole(2, low) + whole(3, high) for label, low, high in c["classes"]])
    durations = (
        part(1, numbered(c["thresholds"])) + part(2, numbered(c["minutes"], double)) + whole(3, c["offset"]) + whole(4, c["divisor"])
    )
    versions = b"".join(
        part(at, part(1, version(latest)) + part(2, version(least))) for at, (latest, least) in enumerate(c["versions"].values(), 1)
    )
    revoked = repeated(1, days(c["revoked_days"])) + repeated(2, hours(c["revoked_hours"]))
    return (
        whole(1, c["min"]) + part(2, classes) + part(3, exposure) + part(4, durations) + part(5, versions)
        + part(6, features(c["features"])) + repeated(7, c["countries"]) + part(8, revoked)
        + part(9, revoked + whole(3, c["timeouts"][0]) + whole(4, c["timeouts"][1]))
        + part(10, whole(1, c["detections"][0])) + part(11, whole(1, c["detections"][0]) + whole(2, c["detections"][1]))
    )


# -- framework mode v2 ----------------------------------------------------------------------------------------------------------------

CLOSED, OPEN = False, True
V2 = {
    "least": 1_050_000,
    "latest": 1_090_100,
    "ios": [[1, 5, 0], [1, 9, 1]],
    "features": [["unencrypted-checkins-enabled", 0]],
    "countries": ["DE"],
    "revoked_warnings": ["z"],
    "revoked_hours": [["DE", "2021-05-20", 0, "y"]],
    "timeouts": [60, 480],
    "detections": [6, 900],
    "filters": [[[0, 79, CLOSED, OPEN], [0, 5, CLOSED, OPEN]]],
    "trl_filters": [[1, 2, CLOSED, CLOSED]],
    "attenuation_weights": [[[0, 63, CLOSED, OPEN], 1], [[63, 73, CLOSED, OPEN], 0.8], [[73, 79, CLOSED, OPEN], 0.1]],
    "window_levels": [[[0, 9, CLOSED, OPEN], 1], [[9, 9999, CLOSED, CLOSED], 2]],
    "day_levels": [[[0, 9, CLOSED, OPEN], 1], [[9, 99999, CLOSED, CLOSED], 2]],
    "encoding": [1, 2, 0, 2, 4, 6],
    "multiplier": 0,
    "values": [[1, 0], [2, 0], [3, 0.6], [4, 0.8], [5, 1], [6, 1.2], [7, 1.4], [8, 1.6]],
    "age": 10,
    "infectiousness": {1: 1, 2: 2},
    "infectiousness_missing": 0,
    "report_type_missing": 1,
    "thresholds": [30, 50, 70],
    "bucket_weights": [1, 1, 1, 1],
    "look_back": 0,
    "infectiousness_weights": {1: 1, 2: 1},
    "minimum_score": 0,
    "report_type_weights": {1: 1, 2: 1, 3: 1, 4: 1},
    "opaque": b"\x08\x01",
}


def span(field, ends):
    if ends is None:
        return b""
    low, high, low_open, high_open = ends
    return part(field, double(1, low) + whole(2, low_open) + double(3, high) + whole(4, high_open))


def mapping(field, entries, write):
    """Entries in another order than theirs, with zeros written out, as other languages do."""
    zero = {whole: lambda f, v: number(f, v), double: lambda f, v: tag(f, 1) + struct.pack("<d", v)}[write]
    return repeated(field, [number(1, key) + zero(2, value) for key, value in reversed(entries.items())])


def risk_calculation(c):
    levels = lambda entries: [span(1, ends) + whole(2, level) for ends, level in entries]  # noqa: E731
    return (
        repeated(1, [span(1, attenuations) + span(2, minutes) for attenuations, minutes in c["filters"]])
        + repeated(2, [span(1, ends) for ends in c["trl_filters"]])
        + repeated(3, [span(1, ends) + double(2, weight) for ends, weight in c["attenuation_weights"]])
        + repeated(4, levels(c["window_levels"]))
        + repeated(5, levels(c["day_levels"]))
        + part(6, numbered(c["encoding"]))
        + double(7, c["multiplier"])
        + repeated(8, [whole(1, level) + double(2, value) for level, value in c["values"]])
        + whole(9, c["age"])
    )


def downloads(c, timeouts, warnings):
    revoked = repeated(2, hours(c["revoked_hours"]))
    return revoked + (whole(3, timeouts[0]) + whole(4, timeouts[1]) if timeouts else b"") + repeated(warnings, [text(1, etag) for etag in c["revoked_warnings"]])


def android(c):
    data_mapping = (
        mapping(1, c["infectiousness"], whole) + whole(2, c["infectiousness_missing"]) + whole(3, c["report_type_missing"])
    )
    packed = b"".join(struct.pack("<d", weight) for weight in c["bucket_weights"])
    summaries = (
        b"".join(number(1, threshold) for threshold in c["thresholds"]) + data(2, packed) + whole(3, c["look_back"])
        + mapping(4, c["infectiousness_weights"], double) + double(5, c["minimum_score"]) + mapping(6, c["report_type_weights"], double)
    )
    return (
        whole(1, c["least"]) + whole(2, c["latest"]) + part(3, features(c["features"])) + repeated(4, c["countries"])
        + part(5, downloads(c, c["timeouts"], 5)) + part(6, whole(1, c["detections"][0]) + whole(2, c["detections"][1]))
        + part(7, risk_calculation(c)) + part(8, data_mapping) + part(9, summaries) + part(14, c["opaque"])
    )


def ios(c):
    near = [c["bucket_weights"][at] for at in (0, 2, 1, 3)]
    exposure = (
        mapping(1, c["infectiousness"], whole) + whole(2, c["report_type_missing"])
        + b"".join(number(3, threshold) for threshold in c["thresholds"])
        + b"".join(double(field, weight) for field, weight in enumerate(near, 4)) + whole(8, c["look_back"])
        + b"".join(double(field, weight) for field, weight in enumerate(c["infectiousness_weights"].values(), 9))
        + b"".join(double(field, weight) for field, weight in enumerate(c["report_type_weights"].values(), 11))
    )
    return (
        part(1, version(c["ios"][0])) + part(2, version(c["ios"][1])) + part(3, features(c["features"])) + repeated(4, c["countries"])
        + part(5, downloads(c, None, 3)) + part(6, whole(1, c["detections"][0])) + part(7, risk_calculation(c)) + part(8, exposure)
        + part(13, c["opaque"])
    )


# -- cases -------------------------------------------------------------------------------------------------------------------------------


def changed(base, changes):
    """`a.0.b` leads through maps and lists."""
    result = copy.deepcopy(base)
    for path, value in changes.items():
        *way, last = [int(step) if step.lstrip("-").isdigit() else step for step in path.split(".")]
        place = result
        for step in way:
            place = place[step]
        place[last] = value
    return result


def add(collection):
    group = collection.group("config.lint")

    def case(kind, comment, content, found, flags=None):
        findings = [{"code": f"CWA-{code}", "severity": severity(code)} for code in sorted(found)]
        flags = flags or (["ConfigurationMistake"] if found else ["ConfigurationBoundary"])
        group.test(f"{kind}: {comment}", {"content": content.hex()}, {"findings": findings}, flags=flags)

    one = lambda comment, changes, *found: case("v1", comment, v1(changed(V1, changes)), found)  # noqa: E731
    two = lambda comment, changes, *found: case("v2", comment, android(changed(V2, changes)), found)  # noqa: E731
    apple = lambda comment, changes, *found: case("v2 for iOS", comment, ios(changed(V2, changes)), found)  # noqa: E731
    add_v1(one)
    add_risk_calculation(two)
    add_android(two)
    add_ios(apple)
    add_bytes(case)


def severity(code):
    return "error" if code.startswith("E") else "note" if code in NOTES else "warning"


def add_v1(one):
    one("the values of the German server", {})
    for value in (0.001, 100, 99.999):
        one(f"a category's weight is {value}", {"weights.days": value})
    for value in (0, 100.001, -1):
        one(f"a category's weight is {value}", {"weights.days": value}, "E1410")
    one("a category's weight has four decimals", {"weights.days": 1.0005}, "E1402")
    for value in (math.nan, math.inf):
        one(f"a category's weight is {value}", {"weights.days": value}, "E1417")
    one("a level scores 9", {"attenuation.7": 9}, "E1411")
    one("a level scores -1", {"transmission.0": -1}, "E1411")
    one("a level scores 8", {"attenuation.7": 8})
    one("a longer duration scores less", {"duration.7": 0}, "W1419")
    one("a nearer attenuation scores less", {"attenuation.0": 3}, "W1419")
    one("an older exposure scores more", {"days.0": 6}, "W1419")
    one("a higher transmission risk level scores less", {"transmission.7": 1})
    greatest = 8 * 1 * 5 * 2
    one("the least risk score is the greatest there can be", {"min": greatest})
    one("the least risk score is one more than there can be", {"min": greatest + 1}, "W1425")
    one("a negative least risk score", {"min": -1}, "E1412")
    one("a least risk score of 10000", {"min": 10_000}, "E1412", "W1425")
    one("a category scores 0 throughout", {"duration": [0] * 8, "min": 0}, "W1426")
    one("transmission scores 0 throughout, but level 0 counts as 1", {"transmission": [0] * 8, "min": 0, "classes": [["LOW", 0, 5], ["HIGH", 5, 9999]]})

    one("a gap of one between classes", {"classes.1.1": 16}, "W1404")
    one("classes overlap by one", {"classes.1.1": 14}, "E1403")
    one("classes as of 2020-05-25", {"classes": [["LOW", 0, 2749], ["HIGH", 2750, 4096]]}, "W1404", "W1404", "W1423")
    one("the lowest class begins at 1", {"classes.0.1": 1}, "W1404")
    one("the highest class ends at 9998", {"classes.1.2": 9998}, "W1404")
    one("the highest class ends at 10000", {"classes.1.2": 10_000}, "E1412")
    one("a class reaches backwards", {"classes": [["LOW", 0, 9999], ["HIGH", 9999, 9998]]}, "E1405", "W1423")
    one("a class without a label", {"classes.0.0": ""}, "E1405")
    one("a class of another name", {"classes.0.0": "MEDIUM"}, "W1422")
    one("two classes of one name", {"classes.0.0": "HIGH"}, "E1420")
    one("no classes", {"classes": []}, "E1408")
    most = greatest * (30 * 1.5) / 50
    assert most == 72
    one("the highest class begins at the greatest score", {"classes": [["LOW", 0, 72], ["HIGH", 72, 9999]]})
    one("the highest class begins beyond the greatest score", {"classes": [["LOW", 0, 73], ["HIGH", 73, 9999]]}, "W1423")
    one("the classes end at the greatest score", {"classes.1.2": 72}, "W1404")
    one("the classes end below the greatest score", {"classes.1.2": 71}, "W1404", "W1424")

    one("thresholds of 0 and 100", {"thresholds": [0, 100]})
    one("a threshold of 101", {"thresholds.1": 101}, "E1413")
    one("a threshold of -1", {"thresholds.0": -1}, "E1413")
    one("equal thresholds", {"thresholds": [55, 55]})
    one("thresholds the wrong way round", {"thresholds": [63, 55]}, "E1406")
    one("a minute weighs 1.001", {"minutes.0": 1.001}, "E1414")
    one("a minute weighs -0.001", {"minutes.2": -0.001}, "E1414")
    one("a minute weighs 0.0005", {"minutes.2": 0.0005}, "E1402")
    one("a minute weighs NaN", {"minutes.0": math.nan}, "E1417")
    one("a minute farther away weighs more", {"minutes": [0.5, 1, 0]}, "W1418")
    one("every minute weighs the same", {"minutes": [1, 1, 1]})
    one("no minute weighs anything", {"minutes": [0, 0, 0]}, "W1426")
    one("no minute weighs anything, but the offset does", {"minutes": [0, 0, 0], "offset": 1, "divisor": 1})
    one("an offset of 2", {"offset": 2}, "E1415")
    one("an offset of -1", {"offset": -1}, "E1415")
    one("a divisor of 0", {"divisor": 0}, "E1407")
    one("a divisor of 1", {"divisor": 1})
    one("a divisor of 1000", {"divisor": 1000, "classes": [["LOW", 0, 3], ["HIGH", 3, 9999]]})
    one("a divisor of 1001", {"divisor": 1001}, "E1416")
    one("a divisor of -1", {"divisor": -1}, "E1416")

    one("the oldest version allowed is the newest", {"versions.ios": [[1, 0, 0], [1, 0, 0]]})
    one("the oldest version allowed is newer than the newest", {"versions.ios": [[1, 0, 9], [1, 1, 0]]}, "E1428")
    add_shared(one)


def add_shared(one):
    one("a switch without a name", {"features": [["", 1]]}, "E1421")
    one("a switch twice", {"features": [["a", 1], ["b", 1], ["a", 0]]}, "E1420")
    one("a country in small letters", {"countries": ["de"]}, "E1430")
    one("a country twice", {"countries": ["DE", "FR", "DE"]}, "E1420")
    one("all countries together", {"countries": ["EUR"]})


def add_revoked(one, count):
    for comment, revoked in {
        "without region": ["", "2020-07-22", 0, "y"],
        "of no day": ["DE", "2020-02-30", 0, "y"],
        "of hour 24": ["DE", "2020-07-22", 24, "y"],
        "of hour -1": ["DE", "2020-07-22", -1, "y"],
        "without entity tag": ["DE", "2020-07-22", 0, ""],
    }.items():
        one(f"a revoked hour {comment}", {"revoked_hours": [revoked]}, *["E1429"] * count)


def add_risk_calculation(two):
    two("nearly the values of the German server", {})
    two("the weights of the German server, of which one farther away is greater", {"attenuation_weights.0.1": 0.8, "attenuation_weights.1.1": 1}, "W1418")
    two("a filter without attenuations, and one without minutes", {"filters": [[[0, 73, CLOSED, OPEN], None], [None, [0, 10, CLOSED, OPEN]]]}, "E1432", "E1432", "W1442")
    two("a range is absent", {"attenuation_weights.2.0": None}, "E1432", "W1441")
    two("a range ends before it begins", {"trl_filters.0": [2, 1, CLOSED, CLOSED]}, "E1433")
    two("a range of one number", {"trl_filters.0": [2, 2, CLOSED, CLOSED]})
    two("a range of one number that does not belong to it", {"trl_filters.0": [2, 2, CLOSED, OPEN]}, "E1433")
    two("a range begins at NaN", {"trl_filters.0": [math.nan, 2, CLOSED, CLOSED]}, "E1417")
    two("a range ends at infinity", {"day_levels.1.0": [9, math.inf, CLOSED, CLOSED]}, "E1417", "W1438", "W1439")
    two("weights overlap", {"attenuation_weights.1.0": [62, 73, CLOSED, OPEN]}, "E1434")
    two("weights share a border", {"attenuation_weights.0.0": [0, 63, CLOSED, CLOSED]}, "E1434")
    two("nobody has the border between weights", {"attenuation_weights.1.0": [63, 73, OPEN, OPEN]}, "W1435")
    two("a border that belongs to the lower range", {"attenuation_weights.0.0": [0, 63, CLOSED, CLOSED], "attenuation_weights.1.0": [63, 73, OPEN, OPEN]})
    two("a gap between weights", {"attenuation_weights.1.0": [64, 73, CLOSED, OPEN]}, "W1435")
    two("nothing covers the nearest attenuations", {"attenuation_weights.0.0": [10, 63, CLOSED, OPEN]}, "W1435")
    two("a range within another", {"attenuation_weights.1.0": [10, 20, CLOSED, OPEN], "attenuation_weights.2.0": [63, 79, CLOSED, OPEN]}, "E1434")
    two("ranges in another order", {"attenuation_weights": V2["attenuation_weights"][::-1]})
    two("a negative weight", {"attenuation_weights.2.1": -0.1}, "E1450", "W1441")
    two("a weight is NaN", {"attenuation_weights.2.1": math.nan}, "E1417", "W1441")
    two("a filter reaches beyond the weights", {"filters.0.0": [0, 80, CLOSED, OPEN]}, "W1441")
    two("a filter has the end that the weights leave out", {"filters.0.0": [0, 79, CLOSED, CLOSED]}, "W1441")
    two("a filter drops its greatest number of minutes too", {"filters.0.1": [0, 5, CLOSED, CLOSED]}, "W1442")
    two("two filters", {"filters": V2["filters"] * 2}, "W1442")
    two("no filters", {"filters": [], "trl_filters": []})

    two("a window's level does not exist", {"window_levels.1.1": 3}, "E1436", "W1438", "W1439")
    two("a window's level is not given", {"window_levels.0.1": 0}, "E1436", "W1438")
    two("long times have a low level", {"window_levels.0.1": 2, "window_levels.1.1": 1}, "W1437")
    two("no time is high", {"day_levels": [[[0, 99999, CLOSED, CLOSED], 1]]}, "W1438")
    window = 30 * 1 * 1.6
    assert window == 48
    two("the high level begins at what a window can give", {"window_levels": [[[0, 48, CLOSED, OPEN], 1], [[48, 9999, CLOSED, CLOSED], 2]]})
    two("the high level begins beyond what a window can give", {"window_levels": [[[0, 49, CLOSED, OPEN], 1], [[49, 9999, CLOSED, CLOSED], 2]]}, "W1438")
    two("levels end at what a window can give", {"window_levels.1.0": [9, 48, CLOSED, CLOSED]})
    two("levels end below what a window can give", {"window_levels.1.0": [9, 47, CLOSED, CLOSED]}, "W1439")
    two("levels of a day end below what one device can give", {"day_levels.1.0": [9, 24 * 60 * 1.6 - 1, CLOSED, CLOSED]}, "W1439")
    two("levels overlap", {"day_levels.1.0": [8, 99999, CLOSED, CLOSED]}, "E1434")
    two("a gap between levels", {"day_levels.1.0": [10, 99999, CLOSED, CLOSED]}, "W1435")
    two("levels of days begin above those of windows", {"day_levels.0.0": [5, 9, CLOSED, OPEN]}, "W1440")
    two("levels of windows begin above those of days", {"window_levels.0.0": [5, 9, CLOSED, OPEN]})

    two("the encoding of November 2020", {"encoding": [0, 4, 4, 3, 2, 1]})
    two("two pairs of one level", {"encoding": [1, 2, 0, 2, 4, 5]}, "E1444")
    two("a pair beyond level 8", {"encoding": [1, 3, 0, 2, 4, 6]}, *["E1444"] * 4)
    two("no encoding", {"encoding": [0] * 6}, *["E1444"] * 8)
    two("no values, but a factor", {"values": [], "multiplier": 0.2})
    two("neither values nor a factor", {"values": []}, "W1426")
    two("no minute has a weight", {"attenuation_weights": []}, "W1426")
    two("a negative factor", {"multiplier": -0.1}, "E1450")
    two("a value of level 0", {"values.0.0": 0}, "E1443")
    two("a value of level 9", {"values.7.0": 9}, "E1443")
    two("two values of one level", {"values.1.0": 1}, "E1420")
    two("a higher level is worth less", {"values.7.1": 1.3}, "W1418")
    two("a negative value", {"values.0.1": -1}, "E1450")
    two("a negative age of encounters", {"age": -1}, "E1401")


def add_android(two):
    two("the oldest version allowed is newer than the newest", {"least": V2["latest"] + 1}, "E1428")
    two("the oldest version allowed is the newest", {"least": V2["latest"]})
    add_shared(two)
    add_revoked(two, 1)
    two("a revoked package of warnings without entity tag", {"revoked_warnings": ["z", ""]}, "E1429")
    two("a negative timeout", {"timeouts": [-1, 480]}, "E1401")
    two("seven detections", {"detections": [7, 900]}, "E1401")
    two("no detections", {"detections": [0, 900]}, "W1431")
    two("one detection", {"detections": [1, 0]})
    two("infectiousness of day 15", {"infectiousness": {15: 1}}, "E1446")
    two("infectiousness of days -14 and 14", {"infectiousness": {-14: 1, 14: 2}})
    two("infectiousness 3", {"infectiousness": {1: 3}}, "E1445")
    two("infectiousness 3 where days are missing", {"infectiousness_missing": 3}, "E1445")
    two("nobody is infectious", {"infectiousness": {1: 0, 2: 0}}, "W1426")
    two("only who has no days is infectious", {"infectiousness": {}, "infectiousness_missing": 1})
    two("keys without report type stay without", {"report_type_missing": 0}, "W1451")
    two("keys without report type are revoked", {"report_type_missing": 5}, "E1447")
    two("keys without report type are recursive", {"report_type_missing": 4})
    two("two thresholds", {"thresholds": [30, 50]}, "E1448")
    two("five weights", {"bucket_weights": [1] * 5}, "E1448")
    two("thresholds that do not ascend", {"thresholds": [30, 30, 70]}, "E1406")
    two("a threshold of 256", {"thresholds.2": 256}, "E1413")
    two("a threshold of 255", {"thresholds.2": 255})
    two("a bucket's weight is 2.501", {"bucket_weights.0": 2.501}, "E1449")
    two("a bucket's weight is 2.5", {"bucket_weights.0": 2.5})
    two("a bucket farther away weighs more", {"bucket_weights": [1, 0.5, 0.6, 0]}, "W1418")
    two("a bucket's weight is NaN", {"bucket_weights.3": math.nan}, "E1417")
    two("a negative number of days", {"look_back": -1}, "E1401")
    two("a weight of infectiousness 3", {"infectiousness_weights": {1: 1, 3: 1}}, "E1445")
    two("infectiousness weighs 3", {"infectiousness_weights": {1: 1, 2: 3}}, "E1449")
    two("no infectiousness weighs anything", {"infectiousness_weights": {1: 0, 2: 0}}, "W1426")
    two("a weight of report type 5", {"report_type_weights": {1: 1, 5: 1}}, "E1447")
    two("a report type weighs -1", {"report_type_weights": {1: 1, 2: -1}}, "E1449")
    two("no report type weighs anything", {"report_type_weights": {}}, "W1426")
    two("a negative least score", {"minimum_score": -1}, "E1450")


def add_ios(apple):
    apple("nearly the values of the German server", {})
    apple("the oldest version allowed is newer than the newest", {"ios": [[1, 9, 2], [1, 9, 1]]}, "E1428")
    add_revoked(apple, 1)
    apple("keys without report type stay without", {"report_type_missing": 0}, "W1451")
    apple("infectiousness of day -15", {"infectiousness": {-15: 1}}, "E1446")
    apple("thresholds that descend", {"thresholds": [70, 50, 30]}, "E1406")
    apple("four thresholds", {"thresholds": [30, 50, 70, 90]}, "E1448")
    apple("a bucket farther away weighs more", {"bucket_weights": [1, 0.5, 0.6, 0]}, "W1418")
    apple("infectiousness weighs 2.6", {"infectiousness_weights": {1: 1, 2: 2.6}}, "E1449")
    apple("a report type weighs infinitely much", {"report_type_weights": {1: 1, 2: 1, 3: 1, 4: math.inf}}, "E1417")
    apple("levels of days begin above those of windows", {"day_levels.0.0": [5, 9, CLOSED, OPEN]}, "W1440")


def add_bytes(case):
    """What stands beside the parameters; appended, so that numbers stay."""
    good, android_, ios_ = v1(V1), android(V2), ios(V2)
    case("v1", "a field that nobody knows", with_field(good, 4, whole(5, 1)), ["W1103"])
    case("v1", "the least risk score twice", good + whole(1, 11), ["E1104"])
    case("v1", "a part twice", good + part(10, whole(1, 6)), ["E1104"])
    case("v1", "a country in a place of its own", good + part(7, "IT"), [])
    case("v1", "a number longer than it needs to be", b"\x08\x8b\x00" + good[2:], ["W1105"])
    case("v1", "a zero that is written out", with_field(good, 4, number(3, 0)), [])
    case("v2", "a field that nobody knows", with_field(android_, 7, whole(10, 1)), ["W1103"])
    case("v2", "a field that nobody knows in a range", with_field(android_, 7, repeated(2, [part(1, double(3, 1) + whole(5, 1))])), ["W1103"])
    case("v2", "the greatest number of detections twice", with_field(android_, 6, whole(1, 6)), ["E1104"])
    case("v2", "a zero that is written out", with_field(android_, 7, tag(7, 1) + bytes(8)), [])
    case("v2 for iOS", "a version with a fourth number", with_field(ios_, 1, whole(4, 1)), ["W1103"])
    case("v2 for iOS", "a part that is not looked into twice", ios_ + part(13, b""), ["E1104"])


def with_field(content, field, more):
    """The message with more at the end of one of its parts."""
    result, at = b"", 0

    def varint_at(at):
        value = shift = 0
        while True:
            value |= (content[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if not content[at - 1] & 0x80:
                return value, at

    while at < len(content):
        start = at
        key, at = varint_at(at)
        if key & 7 == 2:
            length, at = varint_at(at)
            at += length
        else:
            at = varint_at(at)[1] if key & 7 == 0 else at + 8
        result += data(field, content[at - length : at] + more) if key == field << 3 | 2 else content[start:at]
    return result
