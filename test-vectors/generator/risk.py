"""Risk: framework v1, Corona-Warn-App 1.0 to 1.8, transmission risk levels, windows, daily summaries. Exact fractions throughout."""

import json
import math
import pathlib
import random
from fractions import Fraction

from .envelope import note

note("BucketEdge", "EDGE_CASE", "a value at the edge between two levels, or beside it")
note("Minimum", "EDGE_CASE", "a score equal to the minimum is kept, one below it becomes 0")
note("UnknownTransmissionRisk", "EDGE_CASE", "transmission risk level 0 counts as factor 1, not as the first level's value")
note("ZeroLevel", "EDGE_CASE", "one level value of 0 makes the whole score 0")
note("HalfDown", "ROUNDING", "exactly half of five minutes rounds down")
note("HalfUp", "ROUNDING", "exactly half a decibel rounds up")
note("Gap", "EDGE_CASE", "a gap longer than the longest allowed begins another exposure; an equal one does not")
note("Cap", "MISSING_STEP", "each duration counts for at most 30 minutes where the cap is given")


def exact(number):
    """The decimal that a JSON number says, not the float nearest to it."""
    return Fraction(str(number))


def half_up(value):
    return math.floor(value + Fraction(1, 2))


# -- framework v1 -----------------------------------------------------------------------------------------------------------------

ATTENUATION = [73, 63, 51, 33, 27, 15, 10]
DAYS = [14, 12, 10, 8, 6, 4, 2]
MINUTES = [0, 5, 10, 15, 20, 25, 30]


def level(category, value):
    """The level 1 to 8 of a value: dB, days, seconds, or the transmission risk level itself."""
    if category == "attenuation":
        return 1 + sum(value <= edge for edge in ATTENUATION)
    if category == "days":
        return 1 + sum(value < edge for edge in DAYS)
    if category == "duration":
        return 1 + sum(value // 60 > edge for edge in MINUTES)
    assert category == "transmission"
    return value


def recompute_bucket(input, expected):
    [value] = [value for name, value in input.items() if name.startswith("value")]
    return level(input["category"], value)


def raw_score(config, attenuation_db, duration_s, days, trl):
    product = 1
    for category, value in [("attenuation", attenuation_db), ("duration", duration_s), ("days", days)]:
        product *= exact(config[category][level(category, value) - 1])
    return product * (exact(config["transmission"][trl - 1]) if trl else 1)


def score(config, attenuation_db, duration_s, days, trl):
    product = raw_score(config, attenuation_db, duration_s, days, trl)
    return number(product if product >= config["min"] else 0)


def number(value):
    return int(value) if value == int(value) else float(value)


def bucketize_duration(first_to_last_s):
    seconds = first_to_last_s + 300
    steps, rest = divmod(seconds, 300)
    return 300 * (steps + (rest > 150))


def periods(sightings, scan_interval_s):
    """Seconds at each attenuation: each sighting lasts until the next, and half an interval is added at both ends."""
    margin = scan_interval_s // 2
    result = [[margin, sightings[0][1]]]
    for (time, attenuation), (following, _) in zip(sightings, sightings[1:], strict=False):
        result.append([following - time, attenuation])
    return [*result, [margin, sightings[-1][1]]]


def weighted_attenuation(sightings, scan_interval_s):
    parts = periods(sightings, scan_interval_s)
    return half_up(Fraction(sum(s * a for s, a in parts), sum(s for s, _ in parts)))


def exposures(sightings, thresholds, max_gap_s, scan_interval_s, config, days, trl):
    runs = [[sightings[0]]]
    for before, after in zip(sightings, sightings[1:], strict=False):
        if after[0] - before[0] > max_gap_s:
            runs.append([])
        runs[-1].append(after)
    result = []
    for run in runs:
        low, high = thresholds
        durations = [0, 0, 0]
        for seconds, attenuation in periods(run, scan_interval_s):
            durations[(attenuation >= low) + (attenuation >= high)] += seconds
        attenuation, duration = weighted_attenuation(run, scan_interval_s), bucketize_duration(run[-1][0] - run[0][0])
        result.append({
            "attenuation": attenuation,
            "duration_s": duration,
            "attenuation_durations_s": durations,
            "score": score(config, attenuation, duration, days, trl),
        })
    return result


# -- Corona-Warn-App ---------------------------------------------------------------------------------------------------------------


def combined(max_risk_score, weights, offset, divisor, cap_min, durations_min=None, durations_s=None):
    minutes = [Fraction(m) for m in durations_min] if durations_min else [Fraction(s, 60) for s in durations_s]
    if cap_min is not None:
        minutes = [min(m, cap_min) for m in minutes]
    weighted = sum(exact(weights[name]) * m for name, m in zip(["low", "mid", "high"], minutes, strict=True))
    return exact(max_risk_score) / exact(divisor) * (weighted + exact(offset))


def combined_value(input):
    value = combined(**input)
    return float(value)


def decode_level(published_dsos, published_report_type):
    return {1: 1, 2: 2}[published_dsos] + {4: 0, 3: 2, 2: 4, 1: 6}[published_report_type]


class Transmission:
    """Transmission risk levels derived from the epidemiological parameters."""

    def __init__(self, parameters):
        curve = [exact(value) for value in parameters["infectiousness_by_days_from_onset"]["values"]]
        self.curve = {day: value / max(curve) for day, value in enumerate(curve, parameters["infectiousness_by_days_from_onset"]["from"])}

        def delays(name):
            return {int(days): exact(share) for days, share in parameters[name].items()}

        self.to_upload = convolve(delays("test_to_result_days_pmf"), delays("result_to_upload_days_pmf"))
        self.onset_to_upload = convolve(delays("symptoms_to_test_days_pmf"), self.to_upload)
        self.tested_before_onset = convolve({day: Fraction(1, 7) for day in range(-7, 0)}, self.to_upload)
        self.symptomatic = exact(parameters["share_symptomatic"])
        self.factor = exact(parameters["asymptomatic_factor"])
        self.suspicion = exact(parameters["share_tested_on_suspicion"])
        self.memory = 1 - exact(parameters["memory_geometric_p"])

    def row(self, days_since_onset):
        if days_since_onset < 0:
            return [*self.row(days_since_onset + 1)[1:], Fraction(0)]
        return [self.curve.get(days_since_onset - age, Fraction(0)) for age in range(15)]

    def range(self, first, last):
        weights = {day: 1 - self.memory ** (day + 1) for day in range(first, last + 1)}
        return mixture((weight / sum(weights.values()), self.row(day)) for day, weight in weights.items())

    def unknown_onset(self):
        return mixture((share, self.row(days)) for days, share in self.onset_to_upload.items())

    def asymptomatic(self):
        return mixture((self.factor * share, self.row(days)) for days, share in self.tested_before_onset.items())

    def levels(self, symptoms, onset_days_ago=None):
        ps = self.symptomatic
        if symptoms == "positive":
            row = self.row(onset_days_ago)
        elif symptoms == "positive_no_information":
            row = self.unknown_onset()
        elif symptoms == "positive_last_seven_days":
            row = self.range(0, 6)
        elif symptoms == "positive_one_to_two_weeks":
            row = self.range(7, 13)
        elif symptoms == "positive_more_than_two_weeks":
            row = self.range(14, 20)
        elif symptoms == "negative":
            later = {n: self.tested_before_onset.get(n, Fraction(0)) for n in (1, 2, 3)}
            rest = ps * sum(later.values()) + (1 - ps)
            row = mixture([*((ps * share / rest, self.row(-n)) for n, share in later.items()), ((1 - ps) / rest, self.asymptomatic())])
        else:
            none = self.asymptomatic()
            row = mixture([
                (1 - self.suspicion, self.unknown_onset()), (self.suspicion * ps / self.factor, none), (self.suspicion * (1 - ps), none),
            ])
        return [min(8, math.floor(8 * value) + 1) for value in row]


def convolve(first, second):
    result = {}
    for a, share in first.items():
        for b, other in second.items():
            result[a + b] = result.get(a + b, Fraction(0)) + share * other
    return result


def mixture(parts):
    total = [Fraction(0)] * 15
    for share, row in parts:
        total = [a + share * b for a, b in zip(total, row, strict=True)]
    return total


# -- windows, summaries, other applications ---------------------------------------------------------------------------------------


def since_last_scan(t, previous_scan):
    return 120 if previous_scan == 0 else 60 * min(5, t // 60 - previous_scan // 60)


def windows(sightings):
    result, start, last = [], None, None
    for time, previous, attenuation in sightings:
        if start is None or time - start >= 1800:
            start, last = time, None
            result.append([])
        if last is None or time - last > 25:
            result[-1].append([[], since_last_scan(time, previous)])
        result[-1][-1][0].append(attenuation)
        last = time
    return [[[half_up(Fraction(sum(seen), len(seen))), min(seen), seconds] for seen, seconds in window] for window in result]


def daily_summary(config, windows):
    days = {}
    for window in windows:
        weighted = Fraction(0)
        for attenuation, seconds in window["scans"]:
            bucket = sum(attenuation > threshold for threshold in config["thresholds"])
            weighted += exact(config["weights"][bucket]) * seconds
        value = weighted * exact(config["report_weights"][str(window["report"])])
        value *= exact(config["infectiousness_weights"][str(window["infectiousness"])])
        if value < config["min_window_score"]:
            continue
        by_report = days.setdefault(str(window["day"]), {}).setdefault(window["report"], [Fraction(0)] * 3)
        by_report[:] = [max(by_report[0], value), by_report[1] + value, by_report[2] + weighted]
    return {
        day: [float(max(r[0] for r in reports.values())), *(float(sum(r[i] for r in reports.values())) for i in (1, 2))]
        for day, reports in days.items()
    }


def onset_map(hex):
    bits = int(hex, 16)
    values = [bits >> 2 * index & 3 for index in range(30)]
    return [values[:29], values[29]]


def classification(threshold_order, thresholds, summaries):
    reports = {"confirmed": "1", "clinical": "2", "selfreport": "3", "recursive": "4"}
    totals = {"perDayMax": 0, "perDaySum": 1, "weightedDuration": 2}
    for entry in sorted(thresholds, key=lambda entry: entry["i"]):
        reached = []
        for summary in summaries:
            for kind, threshold in zip(threshold_order, entry["t"], strict=True):
                value = summary["reports"].get(reports[kind], [0, 0, 0])[1] if kind in reports else summary["total"][totals[kind]]
                if threshold and value >= threshold:
                    reached.append(summary["day"])
        if reached:
            return [entry["i"], max(reached)]
    return None


def dp3t_threshold(factor_low, factor_mid, threshold_min, minutes=None, seconds=None):
    minutes = minutes or [-(-s // 60) for s in seconds]
    return exact(factor_low) * minutes[0] + exact(factor_mid) * minutes[1] >= exact(threshold_min)


def dp3t_buckets(scans, thresholds):
    result = [0, 0, 0]
    for attenuation, seconds in scans:
        result[sum(attenuation >= threshold for threshold in thresholds)] += seconds
    return result


def scan_detection(contact_s, window_s, interval_s, beacon_ms):
    return min(1.0, (contact_s + window_s) / interval_s)


class Windows:
    """Corona-Warn-App from 1.9, in its three readings: android, ios, exact."""

    def __init__(self, config, profile):
        self.config, self.profile = config, profile

    def normalized_time(self, window):
        config, scans = self.config, window["scanInstances"]
        for filter in config["minutesAtAttenuationFilters"]:
            minutes = sum(Fraction(s["secondsSinceLastScan"], 60) for s in scans if inside(filter["attenuationRange"], s["minAttenuation"]))
            if inside(filter["dropIfMinutesInRange"], minutes):
                return None
        encoding = config["trlEncoding"]
        level = encoding[{
            1: "reportTypeOffsetConfirmedTest", 2: "reportTypeOffsetConfirmedClinicalDiagnosis", 3: "reportTypeOffsetSelfReport",
            4: "reportTypeOffsetRecursive",
        }[window["reportType"]]] + encoding[{1: "infectiousnessOffsetStandard", 2: "infectiousnessOffsetHigh"}[window["infectiousness"]]]
        if any(inside(filter["dropIfTrlInRange"], level) for filter in config["trlFilters"]):
            return None
        value = next((exact(m["transmissionRiskValue"]) for m in config["transmissionRiskValueMapping"] if m["transmissionRiskLevel"] == level), Fraction(0))
        minutes = Fraction(0)
        for scan in scans:
            weight = next((exact(w["weight"]) for w in config["minutesAtAttenuationWeights"] if inside(w["attenuationRange"], scan["minAttenuation"])), Fraction(0))
            minutes += weight * max(scan["secondsSinceLastScan"], 0) / 60
        return level, value * minutes

    def aggregate(self, windows):
        days = {}
        for window in windows:
            found = self.normalized_time(window)
            if found is None:
                continue
            trl, time = found
            risk = mapped(self.config["normalizedTimePerEWToRiskLevelMapping"], time)
            if risk is None:
                continue
            day = days.setdefault(window["ageInDays"], [Fraction(0), {1: set(), 2: set()}])
            day[0] += time
            day[1][risk].add((trl, window["calibrationConfidence"]))
        result = {}
        for age, (time, encounters) in days.items():
            if self.profile == "android":
                time = Fraction(half_up(time * 10), 10)
            risk = mapped(self.config["normalizedTimePerDayToRiskLevelMapping"], time)
            if risk is not None or self.profile != "android":
                result[age] = (risk, encounters)
        return result

    def outcome(self, windows):
        days = self.aggregate(windows)
        ages = {level: [age for age, (risk, _) in days.items() if risk == level] for level in (1, 2)}
        return {
            "expTotalRiskLevel": 2 if ages[2] else 1,
            "expAgeOfMostRecentDateWithLowRisk": min(ages[1], default=None),
            "expAgeOfMostRecentDateWithHighRisk": min(ages[2], default=None),
            "expNumberOfDaysWithLowRisk": len(ages[1]),
            "expNumberOfDaysWithHighRisk": len(ages[2]),
            "expTotalMinimumDistinctEncountersWithLowRisk": sum(len(encounters[1]) for _, encounters in days.values()),
            "expTotalMinimumDistinctEncountersWithHighRisk": sum(len(encounters[2]) for _, encounters in days.values()),
        }


def inside(range, value):
    above = value > exact(range["min"]) if range.get("minExclusive") else value >= exact(range["min"])
    return above and (value < exact(range["max"]) if range.get("maxExclusive") else value <= exact(range["max"]))


def mapped(mapping, time):
    return next((entry["riskLevel"] for entry in mapping if inside(entry["normalizedTimeRange"], time)), None)


# -- the figures, computed again ---------------------------------------------------------------------------------------------------


def parameters():
    """The epidemiological figures from which transmission risk levels follow."""
    return json.loads((pathlib.Path(__file__).parent / "transmission_risk_parameters.json").read_text(encoding="utf-8"))


def recompute(collection):
    transmission = Transmission(parameters())
    configs = {}
    for group in collection.groups["risk_windows.json"]:
        configs |= group.data.get("cwa_v2_configs", {})

    def cwa_v2(input, expected):
        return Windows(configs[input["config"].rsplit("/", 1)[1]], input["profile"]).outcome(input["exposureWindows"])

    def order(input, expected):
        exact_rules = Windows(configs[input["config"].rsplit("/", 1)[1]], "exact")
        shuffled = [input["exposureWindows"][index] for index in input["order"]]
        minutes = sum(exact_rules.normalized_time(window)[1] for window in shuffled)
        return {"exact_minutes": number(minutes), "exact_level": exact_rules.outcome(shuffled)["expTotalRiskLevel"]}

    def plain(function):
        return lambda input, expected: function(**input)

    return {
        "gaen_v1_bucket": recompute_bucket,
        "gaen_v1_score": plain(score),
        "gaen_v1_bucketize_duration": plain(bucketize_duration),
        "gaen_v1_weighted_attenuation": plain(weighted_attenuation),
        "gaen_v1_exposures": plain(exposures),
        "cwa_v1_combined": lambda input, expected: combined_value(input),
        "cwa_trl_vector": plain(transmission.levels),
        "cwa_trl_codec": plain(decode_level),
        "enx_seconds_since_last_scan": plain(since_last_scan),
        "enx_windows": plain(windows),
        "enx_daily_summary": plain(daily_summary),
        "enx_onset_map": plain(onset_map),
        "enx_classification": plain(classification),
        "dp3t_threshold": plain(dp3t_threshold),
        "dp3t_buckets": plain(dp3t_buckets),
        "scan_model_detect": plain(scan_detection),
        "cwa_v2": cwa_v2,
        "cwa_v2_order": order,
    }


# -- cases of our own --------------------------------------------------------------------------------------------------------------


def add(collection):
    add_buckets(collection)
    add_scores(collection)
    add_exposures(collection)
    add_combined(collection)
    transmission = Transmission(parameters())
    group = collection.group("cwa_trl_vector")
    for days in range(22):
        group.test(f"onset {days} days ago", {"symptoms": "positive", "onset_days_ago": days}, transmission.levels("positive", days))
    for symptoms in ["positive_one_to_two_weeks", "positive_more_than_two_weeks", "no_information"]:
        group.test(symptoms, {"symptoms": symptoms}, transmission.levels(symptoms))
    group = collection.group("cwa_trl_codec")
    for published_dsos in (1, 2):
        for report_type in (1, 2, 3, 4):
            input = {"published_dsos": published_dsos, "published_report_type": report_type}
            group.test(f"days {published_dsos}, report type {report_type}", input, decode_level(**input))


def add_buckets(collection):
    group = collection.group("gaen_v1_bucket")
    for category, member, unit, values in [
        ("attenuation", "value_db", "dB", [edge + step for edge in reversed(ATTENUATION) for step in (0, 1)]),
        ("days", "value_days", "days", range(16)),
        ("duration", "value_s", "s", [1, 59, *(60 * edge + step for edge in range(0, 36, 5) for step in (59, 60)), 86_400]),
    ]:
        for value in values:
            group.test(f"{category} {value} {unit}", {"category": category, member: value}, level(category, value), flags=["BucketEdge"])


def add_scores(collection):
    group = collection.group("gaen_v1_score")
    rng = random.Random("scores")

    def case(comment, config, values, flags=()):
        group.test(comment, {"config": config, **values}, score(config, **values), flags=flags)

    def refused(comment, config, values, error, flags=()):
        group.test(comment, {"config": config, **values}, result="invalid", flags=flags, error=error)

    def random_config():
        return {category: [rng.randint(0, 8) for _ in range(8)] for category in ("attenuation", "days", "duration", "transmission")}

    def random_values():
        return {"attenuation_db": rng.randint(0, 90), "duration_s": rng.randint(0, 2400), "days": rng.randint(0, 15), "trl": rng.randint(0, 8)}

    for number in range(12):
        config, values = random_config() | {"min": rng.randint(1, 300)}, random_values()
        case(f"drawn at random, {number + 1}", config, values)
    ones = {category: [1] * 8 for category in ("attenuation", "days", "duration", "transmission")}
    eights = {category: [8] * 8 for category in ones}
    middle = {"attenuation_db": 50, "duration_s": 900, "days": 5, "trl": 5}
    case("the greatest score", eights | {"min": 4096}, middle, ["Minimum"])
    refused("a minimum above the greatest score", eights | {"min": 4097}, middle, "minimum", ["Minimum"])
    case("the least score", ones | {"min": 1}, middle, ["Minimum"])
    case("one below the minimum", ones | {"attenuation": [7] * 8, "min": 8}, middle, ["Minimum"])
    case("no transmission risk level", eights | {"min": 1}, middle | {"trl": 0}, ["UnknownTransmissionRisk"])
    for category in ones:
        case(f"{category} counts for nothing", eights | {category: [0] * 8, "min": 1}, middle, ["ZeroLevel"])
    refused("a minimum of 0", eights | {"min": 0}, middle, "minimum", ["Minimum"])
    for value in (-1, 9):
        refused(f"a level value of {value}", ones | {"days": [1] * 7 + [value], "min": 1}, middle, "level_value")
        refused(f"a transmission risk level of {value}", ones | {"min": 1}, middle | {"trl": value}, "transmission_risk_level")


def add_exposures(collection):
    group = collection.group("gaen_v1_bucketize_duration")
    for seconds in [1, 149, 299, 300, 449, 450, 451, 599, 600, 750, 751, 1500, 86_400]:
        flags = ["HalfDown"] if seconds % 300 == 150 else []
        group.test(f"{seconds} s", {"first_to_last_s": seconds}, bucketize_duration(seconds), flags=flags)

    rng = random.Random("exposures")

    def drawn(count, gaps):
        times = [0]
        for _ in range(count - 1):
            times.append(times[-1] + rng.choice(gaps))
        return [[time, rng.randint(20, 90)] for time in times]

    group = collection.group("gaen_v1_weighted_attenuation")
    group.test("a single sighting", {"sightings": [[7, 61]], "scan_interval_s": 300}, 61)
    for comment, sightings, interval, flags in [
        ("the earlier of two counts for the time between", [[0, 50], [300, 60]], 300, []),
        ("exactly half a decibel", [[0, 50], [60, 51], [120, 51]], 120, ["HalfUp"]),
        ("just below half a decibel", [[0, 50], [61, 51], [121, 51]], 120, ["HalfUp"]),
        ("an odd scan interval loses its half second", [[0, 10], [30, 20]], 61, []),
    ]:
        input = {"sightings": sightings, "scan_interval_s": interval}
        group.test(comment, input, weighted_attenuation(**input), flags=flags)
    for number in range(8):
        sightings = drawn(rng.randint(2, 9), [240, 270, 300, 330])
        group.test(f"drawn at random, {number + 1}", {"sightings": sightings, "scan_interval_s": 300}, weighted_attenuation(sightings, 300))

    group = collection.group("gaen_v1_exposures")
    config = {
        "attenuation": [1, 2, 3, 4, 5, 6, 7, 8], "days": [1, 2, 3, 4, 5, 6, 7, 8], "duration": [1, 2, 3, 4, 5, 6, 7, 8],
        "transmission": [1, 2, 3, 4, 5, 6, 7, 8], "min": 1,
    }

    def case(comment, sightings, flags=(), **more):
        values = {"thresholds": [55, 63], "max_gap_s": 600, "scan_interval_s": 300, "config": config, "days": 3, "trl": 4} | more
        group.test(comment, {"sightings": sightings, **values}, exposures(sightings, **values), flags=flags)

    case("a single sighting", [[1000, 40]])
    case("a gap of exactly the longest allowed", [[0, 40], [600, 40]], ["Gap"])
    case("a gap of one second more", [[0, 40], [601, 40]], ["Gap"])
    case("attenuations at the thresholds", [[0, 54], [300, 55], [600, 62], [900, 63]], ["BucketEdge"])
    case("scores below the minimum are 0, and the rest stands", [[0, 80], [300, 80]], ["Minimum"], config=config | {"min": 500})
    for number in range(6):
        case(f"drawn at random, {number + 1}", drawn(rng.randint(2, 12), [240, 300, 360, 600, 700]), days=rng.randint(0, 14), trl=rng.randint(1, 8))


def add_combined(collection):
    group = collection.group("cwa_v1_combined")

    def case(comment, max_risk_score, durations_min, cap_min, flags=(), weights=(1, 0.5, 0), offset=0, divisor=50):
        input = {
            "max_risk_score": max_risk_score, "durations_min": durations_min,
            "weights": dict(zip(["low", "mid", "high"], weights, strict=True)), "offset": offset, "divisor": divisor, "cap_min": cap_min,
        }
        group.test(comment, input, combined_value(input), flags=flags, tolerance=1e-9)

    case("nothing", 0, [0, 0, 0], 30)
    case("one minute close", 5, [1, 0, 0], 30)
    case("the cap at its edge", 80, [30, 30, 30], 30, ["Cap"])
    case("the cap beyond its edge", 80, [31, 31, 31], 30, ["Cap"])
    case("the same without a cap", 80, [31, 31, 31], None, ["Cap"])
    case("far away counts where its weight says so", 80, [0, 0, 10], 30, weights=(1, 0.5, 0.25))
    case("the offset alone", 50, [0, 0, 0], 30, offset=1)
    case("weights of three decimals", 1000, [10, 20, 30], 30, weights=(0.125, 0.033, 0.001), divisor=125)
