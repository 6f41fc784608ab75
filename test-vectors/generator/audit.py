"""Small distributions, whole and broken, and everything an audit has to find in them; and what their keys tell."""

import hashlib
import json
import math
import random
from collections import Counter

from .crypto import MIDNIGHT, START
from .envelope import note
from .export import OID, File, Member, archive, private_key, public_pem, sign, signature_list, signed

note("Distribution", "CONSISTENCY", "files that are each in order do not fit together; every finding is told, and no other")
note("DistributionInOrder", "EDGE_CASE", "as near to breaking a rule as can be without breaking it")
note("PaddingSeen", "EDGE_CASE", "made-up keys say what real ones say, so that the numbers of keys that say the same have a common divisor")
note("People", "EDGE_CASE", "how many people may be behind keys, from the days on which the keys were on air")
note("NotRandom", "WRONG_PRIMITIVE", "keys from a weak generator, a counter, or made by hand")

DAY, HOUR = 86_400, 3_600
INFO = {"verification_key_version": "v1", "verification_key_id": "262", "signature_algorithm": OID}
KEYS = "version/v1/diagnosis-keys/country"
COUNTRIES, DATES, TODAY = f"{KEYS}/index", f"{KEYS}/DE/date/index", f"{KEYS}/DE/date/2020-07-22"
DAY_PACKAGE, HOURS, MANIFEST = f"{TODAY}/index", f"{TODAY}/hour/index", "version/v1/manifest/index"
CONFIGURATION = "version/v1/configuration/country/DE/app_config/index"
# How codes weigh where nothing else is said; W1703 and W1730 are notes where something explains them.
NOTES = {"W1706", "W1716"}


def hour_path(number):
    return f"{TODAY}/hour/{number}/index"


def add(collection):
    Cases(collection).all()


class Cases:
    def __init__(self, collection):
        self.rng = random.Random("audit")
        self.signer, self.other, self.stranger = (private_key(name) for name in ("signing key", "next signing key", "attacker"))
        self.pool = [self.key() for _ in range(9)]
        pems = {"public_keys_pem": [public_pem(self.signer), public_pem(self.other)]}
        self.base = self.tree()
        self.trees = collection.group("export.audit", pems | {"distribution": self.base})
        self.lists = collection.group("export.audit", pems | {"distribution": {}})

    # -- files -----------------------------------------------------------------------------------------------------------------------

    def key(self, days_before=1, **more):
        return {
            "key_data": self.rng.randbytes(16).hex(), "rolling_start_interval_number": START - 144 * days_before, "rolling_period": 144,
            "transmission_risk_level": 5, "report_type": 1,
        } | more

    def pack(self, content, signer=None, batch=(1, 1)):
        signatures = signature_list(signed(sign(signer or self.signer, content), INFO, *batch))
        return {"zip": archive([Member("export.bin", content), Member("export.sig", signatures)]).hex()}

    def package(self, start, end, keys, signer=None, **more):
        keys = sorted(keys, key=lambda key: key["key_data"])
        return self.pack(File(keys, infos=[INFO], start=start, end=end, **more).bytes(), signer)

    def hour(self, number, keys, **more):
        return self.package(MIDNIGHT + number * HOUR, MIDNIGHT + (number + 1) * HOUR, keys, **more)

    def day(self, keys, **more):
        return self.package(MIDNIGHT, MIDNIGHT + DAY, keys, **more)

    def manifest(self, files, at=MIDNIGHT + DAY, counts=None, signer=None):
        counts = {DAY_PACKAGE: 6, hour_path(4): 3, hour_path(11): 3} | (counts or {})
        entries = {
            path.removesuffix("/index"): {"sha256": hashlib.sha256(content(file)).hexdigest(), "key_count": counts.get(path, 0)}
            for path, file in sorted(files.items())
        }
        document = {"schema": "cwa.manifest/1", "generated_at": at, "entries": entries}
        return self.pack(json.dumps(document, separators=(",", ":")).encode(), signer)

    def tree(self):
        """Hour 4 has three keys, hour 5 none, hour 11 three others; the day has them all."""
        files = {
            hour_path(4): self.hour(4, self.pool[0:3]), hour_path(5): self.hour(5, []), hour_path(11): self.hour(11, self.pool[3:6]),
            DAY_PACKAGE: self.day(self.pool[0:6]), COUNTRIES: {"text": '["DE"]'}, DATES: {"text": '["2020-07-22"]'}, HOURS: {"text": "[4,11]"},
        }
        return files | {MANIFEST: self.manifest(files)}

    # -- cases -----------------------------------------------------------------------------------------------------------------------

    def case(self, comment, change, found, packages, keys, group=None, flags=None, weigh=None, expected=None, **more):
        """`found` has pairs of a code and a path, an empty one for the whole."""
        findings = [
            {"code": f"CWA-{code}", "severity": (weigh or {}).get(code) or usual(code), "file": path} for code, path in found
        ]
        findings.sort(key=lambda finding: (finding["file"], finding["code"]))
        given = {"change": change} | more
        expected = {"findings": findings, "packages": packages, "keys": keys} | (expected or {})
        flags = flags or ["Distribution" if any(not code.startswith("W1706") for code, _ in found) else "DistributionInOrder"]
        (group or self.trees).test(comment, given, expected, flags=flags)

    def all(self):
        self.whole()
        self.indexes()
        self.manifests()
        self.places_of_keys()
        self.earlier_copies()
        self.mirrors()
        self.without_tree()
        self.people()
        self.randomness()

    def without_manifest(self, comment, change, found, packages=4, keys=6, **more):
        self.case(comment, {MANIFEST: None} | change, [("W1716", MANIFEST), *found], packages, keys, **more)

    def whole(self):
        gap = ("W1730", HOURS)
        self.explained = {"W1730": "note"}
        self.gap = gap
        self.case("a whole distribution", {}, [gap], 4, 6, weigh=self.explained, flags=["DistributionInOrder"])
        self.case(
            "an empty hour that no index names is not missed", {hour_path(5): None}, [gap], 3, 6, weigh=self.explained,
            flags=["DistributionInOrder"],
        )
        self.without_manifest("without a manifest", {}, [gap], weigh=self.explained)

    def indexes(self):
        def case(comment, change, *found, **more):
            self.without_manifest(comment, change, [self.gap, *found], weigh=self.explained | more.pop("weigh", {}), **more)

        case("an index names an hour that is not there", {hour_path(4): None}, ("E1702", HOURS), packages=3)
        case("an index names a country that is not there", {COUNTRIES: {"text": '["DE","FR"]'}}, ("E1702", COUNTRIES))
        case("an index names an hour without keys", {HOURS: {"text": "[4,5,11]"}}, ("W1704", HOURS))
        case("an index leaves out an hour with keys", {HOURS: {"text": "[4]"}}, ("W1703", hour_path(11)))
        case("an index leaves out a day with keys", {DATES: {"text": "[]"}}, ("W1703", DAY_PACKAGE))
        case(
            "an index leaves out an hour that is served no longer", {DAY_PACKAGE: None, DATES: {"text": "[]"}, HOURS: {"text": "[4]"}} | {
                f"{KEYS}/DE/date/2020-07-25/index": self.package(MIDNIGHT + 3 * DAY, MIDNIGHT + 4 * DAY, []),
            },
            ("W1703", hour_path(11)), weigh={"W1703": "note"},
        )
        case("an index of days is no list", {DATES: {"text": "{}"}}, ("E1701", DATES))
        case("an index of days is not there", {DATES: None}, ("E1702", COUNTRIES), ("W1705", DATES))
        case("an index of countries is not there", {COUNTRIES: None}, ("W1705", COUNTRIES))
        self.without_manifest("an index of hours is not there", {HOURS: None}, [("W1730", HOURS), ("W1705", HOURS)])
        self.without_manifest("an index of hours is out of order", {HOURS: {"text": "[11,4]"}}, [("W1730", HOURS), ("E1701", HOURS)])
        case("an index of hours names hour 24", {HOURS: {"text": "[4,11,24]"}}, ("E1701", HOURS), weigh={"W1730": "warning"})

    def manifests(self):
        def case(comment, change, *found, packages=4, **more):
            self.case(comment, change, [self.gap, *found], packages, more.pop("keys", 6), weigh=self.explained, **more)

        changed = self.hour(4, self.pool[0:3], region="de")
        case("a package is not the one of the manifest", {hour_path(4): changed}, ("E1711", hour_path(4)))
        plain = {path: file for path, file in self.base.items() if path != MANIFEST}
        case("the manifest counts other keys", {MANIFEST: self.manifest(plain, counts={hour_path(4): 2})}, ("E1711", hour_path(4)))
        case("the manifest lists what is not there", {DATES: None}, ("E1702", COUNTRIES), ("W1705", DATES), ("E1712", MANIFEST))
        case("the manifest does not list a package", {hour_path(6): self.hour(6, [])}, ("E1713", hour_path(6)), packages=5)
        case("the manifest does not list a configuration", {CONFIGURATION: self.pack(b"\x08\x0b")}, ("E1713", CONFIGURATION))
        case("the manifest is older than a package", {MANIFEST: self.manifest(plain, at=MIDNIGHT + DAY - 1)}, ("E1714", MANIFEST))
        case("the manifest is two hours old", {}, now=MIDNIGHT + DAY + 2 * HOUR, flags=["DistributionInOrder"])
        case("the manifest is more than two hours old", {}, ("W1715", MANIFEST), now=MIDNIGHT + DAY + 2 * HOUR + 1)
        case("the manifest is signed by a stranger", {MANIFEST: self.manifest(plain, signer=self.stranger)}, ("E1710", MANIFEST))
        case("the manifest is something else", {MANIFEST: self.pack(b"{}")}, ("E1710", MANIFEST))
        case("the manifest is no archive", {MANIFEST: {"text": "{}"}}, ("E1710", MANIFEST))

    def places_of_keys(self):
        pool = self.pool

        def case(comment, change, *found, **more):
            self.without_manifest(comment, change, [self.gap, *found], weigh=self.explained | more.pop("weigh", {}), **more)

        case("a key of an hour is not in its day", {DAY_PACKAGE: self.day(pool[0:5])}, ("E1721", DAY_PACKAGE))
        case("a key of the day is in none of its hours", {DAY_PACKAGE: self.day(pool[0:7])}, ("E1722", DAY_PACKAGE), keys=7)
        case(
            "of a day of which an hour is not there nothing is said", {DAY_PACKAGE: self.day(pool[0:7]), hour_path(4): None},
            ("E1702", HOURS), packages=3, keys=7,
        )
        case("a key is in two hours", {hour_path(11): self.hour(11, pool[2:6])}, ("E1723", hour_path(11)))
        tomorrow = f"{KEYS}/DE/date/2020-07-23/index"
        case(
            "a key is in two days",
            {tomorrow: self.package(MIDNIGHT + DAY, MIDNIGHT + 2 * DAY, pool[0:1]), DATES: {"text": '["2020-07-22","2020-07-23"]'}},
            ("E1723", tomorrow), packages=5,
        )
        german = {path.replace("/DE/", "/FR/"): file for path, file in self.base.items() if "/DE/" in path and "text" in file}
        french = {
            hour_path(4).replace("/DE/", "/FR/"): self.hour(4, pool[0:3], region="FR"),
            hour_path(11).replace("/DE/", "/FR/"): self.hour(11, pool[3:6], region="FR"),
            DAY_PACKAGE.replace("/DE/", "/FR/"): self.day(pool[0:6], region="FR"),
        }
        case(
            "keys of a traveller are in two countries", german | french | {COUNTRIES: {"text": '["DE","FR"]'}},
            ("W1730", HOURS.replace("/DE/", "/FR/")), packages=7, flags=["DistributionInOrder"],
        )
        case(
            "a package says that it is of another hour", {hour_path(4): self.package(MIDNIGHT + 3 * HOUR, MIDNIGHT + 4 * HOUR, pool[0:3])},
            ("E1720", hour_path(4)),
        )
        case("a package says that it is of another country", {hour_path(4): self.hour(4, pool[0:3], region="FR")}, ("E1720", hour_path(4)))
        case("a region is a number", {hour_path(4): self.hour(4, pool[0:3], region="222")}, flags=["DistributionInOrder"])
        # A key that ended at 03:00, in hour 4: published at 05:00.
        start = START - 144 + 18
        on_time = self.key(rolling_start_interval_number=start)
        early = self.key(rolling_start_interval_number=start + 1)
        more = {hour_path(4): self.hour(4, [*pool[0:3], on_time]), DAY_PACKAGE: self.day([*pool[0:6], on_time])}
        case("a key is published two hours after its end", more, keys=7, flags=["DistributionInOrder"])
        more = {hour_path(4): self.hour(4, [*pool[0:3], early]), DAY_PACKAGE: self.day([*pool[0:6], early])}
        case("a key is published an interval before that", more, ("E1726", hour_path(4)), keys=7)
        case("a package is signed by a stranger", {hour_path(4): self.hour(4, pool[0:3], signer=self.stranger)}, ("E1201", hour_path(4)))
        case("a package is no archive", {hour_path(4): {"text": "<html>"}}, ("E1001", hour_path(4)))
        case("a configuration lies where a package should", {hour_path(4): self.pack(b"\x08\x0b")}, ("E1101", hour_path(4)))
        hours = {hour_path(4): self.hour(4, pool[0:3], signer=self.other)}
        case("one signing key follows another", hours | {DAY_PACKAGE: None, DATES: {"text": "[]"}}, ("W1731", ""), packages=3, weigh={"W1731": "note"})
        hours = {hour_path(5): self.hour(5, [], signer=self.other)}
        case("signing keys take turns", hours | {DAY_PACKAGE: None, DATES: {"text": "[]"}}, ("W1731", ""), packages=3)
        case("keys are kept for 14 days after their end", {}, now=MIDNIGHT + 14 * DAY, flags=["DistributionInOrder"])
        late = [("W1727", path) for path in (hour_path(4), hour_path(11), DAY_PACKAGE)]
        case("keys are kept a second longer", {}, *late, now=MIDNIGHT + 14 * DAY + 1)

    def earlier_copies(self):
        pool, copy = self.pool, {"earlier": {}}
        fewer = {hour_path(11): self.hour(11, pool[3:5]), DAY_PACKAGE: self.day(pool[0:5])}

        def case(comment, change, *found, **more):
            self.without_manifest(comment, change, [self.gap, *found], weigh=self.explained, **(copy | more))

        case("nothing has changed since the earlier copy", {}, flags=["DistributionInOrder"])
        # The key is told where it was first: the day's package begins before the hour's.
        case("a key of the earlier copy is gone", fewer, ("E1724", DAY_PACKAGE), keys=5)
        late = [("W1727", path) for path in (hour_path(4), hour_path(11), DAY_PACKAGE)]
        case("a key of the earlier copy is gone for its age", fewer, *late, keys=5, now=MIDNIGHT + 14 * DAY + 1)
        more = {hour_path(11): self.hour(11, pool[3:7]), DAY_PACKAGE: self.day(pool[0:7])}
        case("packages have grown since the earlier copy", more, ("E1725", hour_path(11)), ("E1725", DAY_PACKAGE), keys=7)
        plain = {path: file for path, file in self.base.items() if path != MANIFEST}
        later = {MANIFEST: self.manifest(plain, at=MIDNIGHT + DAY + HOUR)}
        found = [self.gap, ("E1714", MANIFEST)]
        self.case("the earlier copy has a newer manifest", {}, found, 4, 6, weigh=self.explained, earlier=later)
        self.case("the earlier copy has an older manifest", later, [self.gap], 4, 6, weigh=self.explained, earlier={}, flags=["DistributionInOrder"])

    def mirrors(self):
        sha256 = {path: hashlib.sha256(content(file)).hexdigest() for path, file in self.base.items()}

        def case(comment, path, *found, digest=None, etag=None, **more):
            recorded = {path: {"sha256": digest or sha256.get(path, "0" * 64)} | ({"etag": etag} if etag else {})}
            self.case(comment, {}, [self.gap, *found], 4, 6, weigh=self.explained, recorded=recorded, **more)

        good = {"flags": ["DistributionInOrder"]}
        case("a file is as it was fetched", DATES, etag=f'"{sha256[DATES]}"', **good)
        case("an entity tag that is no digest says nothing", DATES, etag='"5e-57"', **good)
        case("a file is not as it was fetched", DATES, ("E1707", DATES), digest="0" * 64)
        case("a file that was fetched is not there", "lost", ("E1707", "lost"))
        case("an entity tag is the digest of other bytes", DATES, ("W1708", DATES), etag=f'W/"{"0" * 64}"')

    def without_tree(self):
        pool, hours = self.pool, lambda number, end=None: (MIDNIGHT + number * HOUR, MIDNIGHT + (end or number + 1) * HOUR)
        case = lambda comment, change, found, *counts, **more: self.case(comment, change, found, *counts, group=self.lists, **more)  # noqa: E731
        one, two = self.package(*hours(4), pool[0:2]), self.package(*hours(5), pool[2:4])
        index = lambda *names: {"v1/index.txt": {"text": "".join(f"{name}\n" for name in names)}}  # noqa: E731
        case("files of an index.txt", {"v1/1.zip": one, "v1/2.zip": two} | index("v1/1.zip", "v1/2.zip"), [], 2, 4, flags=["DistributionInOrder"])
        case("an index.txt names what is not there", {"v1/1.zip": one} | index("v1/1.zip", "v1/2.zip"), [("E1702", "v1/index.txt")], 1, 2)
        case("an index.txt leaves a file out", {"v1/1.zip": one, "v1/2.zip": two} | index("v1/1.zip"), [("W1703", "v1/2.zip")], 2, 4)
        case("an index.txt leads out of the distribution", {"v1/1.zip": one} | index("../1.zip"), [("E1701", "v1/index.txt")], 1, 2)
        case("an index.txt is a page", {"v1/1.zip": one} | index("<html>"), [("E1701", "v1/index.txt")], 1, 2)
        again = self.package(*hours(5), pool[1:4])
        case("a key is in two files", {"1.zip": one, "2.zip": again}, [("E1723", "2.zip")], 2, 4)
        whole = self.package(*hours(4, 6), pool[0:4])
        case("files whose windows contain one another", {"1.zip": one, "2.zip": two, "3.zip": whole}, [], 3, 4, flags=["DistributionInOrder"])
        case("time is between two files", {"1.zip": one, "3.zip": self.package(*hours(6), pool[4:5])}, [("W1730", "3.zip")], 2, 3, weigh={"W1730": "note"})
        case("a note beside the files", {"1.zip": one, "note.txt": {"text": "hello"}}, [("W1706", "note.txt")], 1, 2)
        pair = File(pool[0:1], infos=[INFO], start=MIDNIGHT + 4 * HOUR, end=MIDNIGHT + 5 * HOUR).bytes()
        signatures = signature_list(signed(sign(self.signer, pair), INFO))
        case("a package of two files", {"export.bin": {"export_bin": pair.hex(), "export_sig": signatures.hex()}}, [], 1, 1, flags=["DistributionInOrder"])

    # -- what keys tell --------------------------------------------------------------------------------------------------------------

    def told(self, comment, keys, found=(), flags=None, **expected):
        change = {"1.zip": self.package(MIDNIGHT, MIDNIGHT + DAY, keys)}
        self.case(comment, change, list(found), 1, len(keys), group=self.lists, flags=flags, expected=expected)

    def of_days(self, counts, levels=None):
        return [self.key(days, transmission_risk_level=(levels or {}).get(days, 5)) for days, count in enumerate(counts, 1) for _ in range(count)]

    def people(self):
        for comment, counts, flag in [
            ("three people of the same twelve days", [3] * 12, "People"),
            ("two people of twelve days, and a third who stopped two days before", [2] * 2 + [3] * 10, "People"),
            ("two people before a day without keys, and two after it", [2, 2, 0, 2, 2], "People"),
            ("a person for each five keys", [5] * 6 + [10] * 6, "PaddingSeen"),
            ("a person for each ten keys", [10] * 8, "PaddingSeen"),
            ("four groups are too few to see padding", [5] * 4, "PaddingSeen"),
            ("one group in ten that does not fit", [5] * 9 + [7], "PaddingSeen"),
            ("one group in five that does not fit", [5] * 4 + [7] + [5] * 4 + [7], "PaddingSeen"),
        ]:
            keys = self.of_days(counts)
            multiplier = padding(keys)
            self.told(comment, keys, flags=[flag], multiplier=multiplier, users=users(keys, multiplier), found=judged(keys))

    def randomness(self):
        drawn = [self.key() for _ in range(90)]
        self.told("ninety random keys", drawn, flags=["DistributionInOrder"], randomness=randomness(drawn), found=judged(drawn))

        def weak(comment, change):
            keys = [key | {"key_data": change(number, bytes.fromhex(key["key_data"])).hex()} for number, key in enumerate(drawn)]
            assert judged(keys), comment
            self.told(comment, keys, judged(keys), flags=["NotRandom"], randomness=randomness(keys))

        weak("keys that count", lambda number, key: key[:12] + bytes([0, 0, 0, number]) if number else key[:15] + b"\0")
        weak("keys of letters", lambda number, key: bytes(byte & 0x7F for byte in key))
        weak("keys whose last bit is always set", lambda number, key: key[:15] + bytes([key[15] | 1]))
        weak("keys of which two begin alike", lambda number, key: (b"\1\2\3\4" if number < 2 else key[:4]) + key[4:])
        weak("keys that begin with eight zeros", lambda number, key: bytes(8) + key[8:])


def usual(code):
    return "error" if code.startswith("E") else "note" if code in NOTES else "warning"


def content(file):
    return bytes.fromhex(file["zip"]) if "zip" in file else file["text"].encode()


# -- a second implementation -------------------------------------------------------------------------------------------------------------


def groups(keys):
    return Counter(tuple(value for name, value in sorted(key.items()) if name != "key_data") for key in keys)


def padding(keys):
    """The greatest of 1 to 10 that divides nine groups in ten, if chance does that less than once in a thousand times."""
    sizes, best = list(groups(keys).values()), 1
    for n in range(2, 11):
        share = sum(size % n == 0 for size in sizes) / len(sizes)
        if share < 0.9:
            continue
        divergence = share * math.log(share * n) + ((1 - share) * math.log((1 - share) / (1 - 1 / n)) if share < 1 else 0)
        if math.exp(-len(sizes) * divergence) < 1e-3:
            best = n
    return best


def users(keys, multiplier):
    days = Counter(key["rolling_start_interval_number"] // 144 for key in keys)
    people = {day: -(-count // multiplier) for day, count in days.items()}
    began = sum(max(0, count - people.get(day + 1, 0)) for day, count in people.items())
    return {"at_least": max(people.values()), "estimate": began, "at_most": -(-len(keys) // multiplier)}


def randomness(keys):
    """The four numbers, by their names."""
    numbers = [bytes.fromhex(key["key_data"]) for key in keys]
    n = len(numbers)
    ones = [sum(key[bit // 8] >> (7 - bit % 8) & 1 for key in numbers) for bit in range(128)]
    expected = 16 * n / 256
    values = Counter(byte for key in numbers for byte in key)
    prefixes = Counter(key[:4] for key in numbers)
    return {
        "bits": (2 * sum(ones) - 128 * n) / math.sqrt(128 * n),
        "bit_positions": sum((2 * one - n) ** 2 / n for one in ones),
        "bytes": sum((values[value] - expected) ** 2 / expected for value in range(256)),
        "prefixes": sum(count * (count - 1) // 2 for count in prefixes.values()),
    }


def survival_of_chi_square(x, degrees):
    """The regularised upper incomplete gamma function, by its series."""
    a, x = degrees / 2, x / 2
    term = total = 1 / a
    for step in range(1, 20_000):
        term *= x / (a + step)
        total += term
    return max(0.0, 1 - total * math.exp(-x + a * math.log(x) - math.lgamma(a)))


def judged(keys):
    """The finding about randomness, if there is one. No case lies near the threshold."""
    if len(keys) < 80:
        return []
    found, n = randomness(keys), len(keys)
    mean = n * (n - 1) / 2 / 2**32
    probabilities = [
        math.erfc(abs(found["bits"]) / math.sqrt(2)),
        survival_of_chi_square(found["bit_positions"], 128),
        survival_of_chi_square(found["bytes"], 255),
        1 - sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(min(found["prefixes"], 100))),
    ]
    threshold = 1e-3 / 4
    assert all(p < threshold / 2 or p > threshold * 2 for p in probabilities), probabilities
    return [("W1740", "")] if min(probabilities) < threshold else []
