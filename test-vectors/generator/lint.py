"""What lint has to say of published files: one finding for each rule, and nothing right beside the rule."""

import random

from .crypto import MIDNIGHT, START
from .envelope import note
from .export import HEADER, OID, File, Member, archive, data, drawn_key, fixed64, number, private_key, sign, signature_list, signed, stored_deflate

note("Lint", "CONSISTENCY", "a rule for published files is broken; every finding is told, and no other")
note("LintBoundary", "EDGE_CASE", "as near to breaking a rule as can be without breaking it")
note("LintProfile", "EDGE_CASE", "one finding weighs differently by different rules")

INFO = {"verification_key_version": "v1", "verification_key_id": "262", "signature_algorithm": OID}
HOUR = 3600
OPEN, CLOSE = MIDNIGHT + 2 * HOUR, MIDNIGHT + 3 * HOUR
FULL = {"transmission_risk_level": 5, "report_type": 1, "days_since_onset_of_symptoms": -3}
FEW = "W1529"
# How codes weigh where nothing else is said.
NOTES = {"W1504", "W1507", "W1512", "W1515", "W1520", "W1521", "W1526", "W1527", "W1530", "W1531", "W1533", "W1606"}


def add(collection):
    Cases(collection).all()


class Cases:
    def __init__(self, collection):
        self.rng = random.Random("lint")
        self.signer = private_key("signing key")
        self.group = collection.group("export.lint")

    # -- files -----------------------------------------------------------------------------------------------------------------------

    def key(self, number=0, **more):
        return drawn_key(self.rng, number, **(FULL | more))

    def file(self, *changes, in_order=True, revised=(), **meta):
        """Three good keys, or as many as there are changes to one."""
        keys = [self.key(at, **change) if isinstance(change, dict) else change for at, change in enumerate(changes or [{}, {}, {}])]
        return self.of(keys, revised, in_order, **meta)

    def of(self, keys, revised=(), in_order=True, infos=(INFO,), **meta):
        keys = list(keys)
        if in_order:
            keys.sort(key=lambda key: bytes.fromhex(key.get("key_data", "")))
        meta = {"start": OPEN, "end": CLOSE} | meta
        return File(keys, revised, infos=infos, **meta)

    def signatures(self, file, content, **beside):
        der = sign(self.signer, content)
        meta = {"batch_num": file.meta["batch_num"], "batch_size": file.meta["batch_size"]} if file else {}
        return signature_list(*(signed(der, info, **(meta | beside)) for info in (file.infos if file else [INFO])))

    def zip(self, file, content=None, signatures=None, **more):
        content = file.bytes() if content is None else content
        signatures = self.signatures(file, content) if signatures is None else signatures
        members = [Member("export.bin", content, **more), Member("export.sig", signatures, **more)]
        return {"zip": archive(members).hex()}

    # -- cases -----------------------------------------------------------------------------------------------------------------------

    def case(self, comment, files, found, profile="strict", now=None, few=True, flags=None, weigh=None):
        """`found` has codes, or pairs of a code and the number of its file from 1; every small file has few keys."""
        files = files if isinstance(files, list) else [files]
        files = [file if isinstance(file, dict) else self.zip(file) for file in files]
        named = [{"name": f"{at}.zip" if "zip" in file else f"{at}.bin"} | file for at, file in enumerate(files, 1)]
        pairs = [entry if isinstance(entry, tuple) else (entry, 1) for entry in found]
        if few:
            pairs += [(FEW, at) for at in range(1, len(files) + 1)]
        findings = [
            {"code": f"CWA-{code}", "severity": (weigh or {}).get(code) or usual(code), "file": named[at - 1]["name"]}
            for code, at in pairs
        ]
        findings.sort(key=lambda finding: (finding["code"], finding["file"]))
        given = {"profile": profile} | ({} if now is None else {"now": now}) | {"files": named}
        if flags is None:
            flags = ["LintProfile"] if weigh else ["Lint"] if found else ["LintBoundary"]
        self.group.test(comment, given, {"findings": findings}, flags=flags)

    def weighed(self, comment, files, code, weights, found=()):
        for profile, severity in weights.items():
            self.case(f"{comment}, by {profile}", files, [code, *found], profile=profile, weigh={code: severity})

    def all(self):
        self.keys()
        self.heads()
        self.archives()
        self.signature_files()
        self.several()
        self.readers()

    def keys(self):
        one = lambda comment, change, *found, **more: self.case(comment, self.file(change, {}, {}), found, **more)  # noqa: E731
        one("three good keys", {})
        one("key data of 15 bytes", {"key_data": "01" * 15}, "E1501")
        one("key data of 17 bytes", {"key_data": "01" * 17}, "E1501")
        one("key data of no bytes", {"key_data": ""}, "E1501")
        one("rolling period 145", {"rolling_period": 145}, "E1502")
        one("negative rolling period", {"rolling_period": -1}, "E1502")
        one("rolling period 1", {"rolling_period": 1})
        one("rolling period 0", {"rolling_period": 0}, "E1503")
        self.weighed("rolling period 0", self.file({"rolling_period": 0}), "E1503", {"apple": "note", "android": "error", "lenient": "warning"})
        one("no rolling period", {"rolling_period": None}, "W1504")
        one("negative start", {"rolling_start_interval_number": -1}, "E1505")
        one("start 0", {"rolling_start_interval_number": 0}, "E1506")
        one("no start", {"rolling_start_interval_number": None}, "E1506")
        one("start ten minutes after midnight", {"rolling_start_interval_number": START - 143}, "W1507")
        self.weighed("start not at midnight", self.file({"rolling_start_interval_number": START - 143}), "W1507", {"cwa": "error", "google": "note"})
        last = (2**31 - 1) // 144 * 144
        one("the end exceeds 31 bits", {"rolling_start_interval_number": last}, "E1508", "W1303")
        one("the end fits 31 bits", {"rolling_start_interval_number": last - 144}, "W1303")
        for days in (15, -15, 4000):
            one(f"days since onset {days}", {"days_since_onset_of_symptoms": days}, "W1509")
        for days in (14, -14, None):
            one(f"days since onset {days}", {"days_since_onset_of_symptoms": days})
        self.weighed("days since onset encoded", self.file({"days_since_onset_of_symptoms": 2000}), "W1509", {"apple": "error", "google": "error", "cwa": "note"})
        for days in (4001, -16):
            one(f"days since onset {days}", {"days_since_onset_of_symptoms": days}, "E1510")
        for level in (9, -1, 0x7FFFFFFF):
            one(f"transmission risk level {level}", {"transmission_risk_level": level}, "E1511")
        for level in (8, 1):
            one(f"transmission risk level {level}", {"transmission_risk_level": level})
        for level in (0, None):
            one(f"transmission risk level {level}", {"transmission_risk_level": level}, "W1512")
        self.weighed("no transmission risk level", self.file({"transmission_risk_level": None}), "W1512", {"cwa": "error", "apple": "note"})
        for report_type in (6, -1):
            one(f"report type {report_type}", {"report_type": report_type}, "E1513")
        for report_type in (2, 3, 4):
            one(f"report type {report_type}", {"report_type": report_type})
        one("report type UNKNOWN", {"report_type": 0}, "W1514")
        one("no report type", {"report_type": None}, "W1515")
        one("a new key is revoked", {"report_type": 5}, "E1516")
        self.case("a revised key is revoked", self.file(revised=[self.key(report_type=5)]), [], few=True)
        self.case("a revised key is confirmed", self.file(revised=[self.key(report_type=1)]), [])
        self.case("a revised key is a self report", self.file(revised=[self.key(report_type=3)]), ["W1517"])
        twin = self.key()
        self.case("a key is new and revised", self.file(twin, revised=[twin]), ["E1518"])
        self.case("a key twice", self.file(twin, twin), ["E1302"])
        self.case("a key three times", self.file(twin, {}, twin, twin), ["E1302", "E1302"])
        self.case("a revised key twice", self.file(revised=[twin, twin]), ["E1302"])
        one("variant of concern 5", {"variant_of_concern": 5}, "E1532")
        one("variant of concern 4", {"variant_of_concern": 4})

        later = START + 24
        one("a key starts after the end", {"rolling_start_interval_number": later}, "W1303", "W1507")
        one("a key starts at the end", {"rolling_start_interval_number": later - 6, "rolling_period": 1}, "W1305", "W1507")
        one("a key ended 15 days before the end", {"rolling_start_interval_number": START - 144 * 16 + 18}, "W1507")
        one("a key ended more than 15 days before the end", {"rolling_start_interval_number": START - 144 * 16 + 17}, "W1304", "W1507")
        late = {"rolling_start_interval_number": START - 144}
        self.case("a key is published two hours after its end", self.file(late, end=MIDNIGHT + 2 * HOUR, start=MIDNIGHT), [])
        early = self.file(late, end=MIDNIGHT + 2 * HOUR - 1, start=MIDNIGHT)
        self.case("a key is published a second too early", early, ["W1305"])
        self.weighed("a key is published too early", early, "W1305", {"apple": "error", "cwa": "error", "google": "error", "android": "warning"})
        self.case("the same keys three weeks later", self.file(), ["W1304"] * 3, now=CLOSE + 21 * 86400)

    def heads(self):
        day = [self.key(at) for at in range(3)]
        head = lambda comment, found, **meta: self.case(comment, self.of(day, **meta), found)  # noqa: E731
        head("no end", ["W1519"], end=None)
        head("neither start nor end", ["W1519"], start=None, end=None)
        head("start and end are one", ["E1108"], start=CLOSE)
        head("the end before the start", ["E1108"], start=CLOSE + 1)
        head("a window of one second", [], start=CLOSE - 1)
        self.case("the end lies in the future", self.of(day), ["W1534"], now=CLOSE - 1)
        self.case("the end is now", self.of(day), [], now=CLOSE)
        head("batch 2 of 1", ["E1107", "W1521"], batch_num=2, batch_size=1)
        head("batch 1 of none", ["E1107", "E1207"], batch_num=1, batch_size=None)
        head("no batch", ["W1520", "E1207", "E1207"], batch_num=None, batch_size=None)
        for region in ("ch", "222", "EUR", None):
            head(f"region {region}", ["W1531"], region=region)
        self.weighed("region in small letters", self.of(day, region="de"), "W1531", {"cwa": "warning", "google": "note"})

        info = lambda **changes: {name: value for name, value in (INFO | changes).items() if value is not None}  # noqa: E731
        head("the newer key first", [], infos=(info(verification_key_version="v2"), INFO))
        head("the older key first", ["W1522"], infos=(INFO, info(verification_key_version="v2")))
        head("another key of greater version", [], infos=(INFO, info(verification_key_id="310", verification_key_version="v2")))
        head("a version with a hyphen", ["W1523"], infos=(info(verification_key_version="v-1"),))
        head("an id with a full stop", [], infos=(info(verification_key_id="310.1"),))
        head("a version with a full stop", ["W1523"], infos=(info(verification_key_version="v1.0"),))
        head("no id", ["W1524"], infos=(info(verification_key_id=None),))
        head("an empty version", ["W1524"], infos=(info(verification_key_version=""),))
        self.weighed("no version", self.of(day, infos=(info(verification_key_version=None),)), "W1524", {"apple": "error", "android": "warning"})
        head("a blank before the app's name", ["W1525", "W1526"], infos=(info(app_bundle_id=" org.example.en"),))
        head("both names of apps", ["W1526", "W1526"], infos=(info(app_bundle_id="org.example.en", android_package="org.example.en"),))

        backwards = sorted(day, key=lambda key: key["key_data"], reverse=True)
        self.case("keys in descending order", self.of(backwards, in_order=False), ["W1527"])
        users = [self.key(at) for _ in range(3) for at in range(14)]
        self.case("three uploads of 14 days in order of arrival", self.of(users, in_order=False), ["W1527", "W1528"])
        shuffled = random.Random("shuffled").sample(users, len(users))
        self.case("the same keys shuffled", self.of(shuffled, in_order=False), ["W1527"])
        self.case("the same keys sorted", self.of(users), [])

        self.case("no keys", self.of([]), ["W1530"], few=False)
        many = [self.key(at % 14) for at in range(140)]
        self.case("139 keys", self.of(many[:139]), [])
        self.case("140 keys", self.of(many), [], few=False, flags=["LintBoundary"])
        self.case("140 keys, by google", self.of(many), [], profile="google", flags=["LintProfile"])

    def archives(self):
        good = self.file()
        content = good.bytes()
        signatures = self.signatures(good, content)
        members = [Member("export.bin", content), Member("export.sig", signatures)]
        self.case("a member twice", {"zip": archive([members[0], *members]).hex()}, ["E1001"], few=False)
        third = {"zip": archive([*members, Member("content.sig", b"\x30\x00")]).hex()}
        self.case("a third member", third, ["E1002"])
        self.weighed("a third member", third, "E1002", {"android": "error", "apple": "warning", "lenient": "warning"})
        streamed = [Member("export.bin", content, 8, flags=8), Member("export.sig", signatures, 8, flags=8)]
        self.case("sizes behind the data", {"zip": archive(streamed).hex()}, ["W1533"])
        self.case("deflated, sizes before the data", self.zip(good, method=8), [])

        statistics = data(1, "some statistics")
        self.case("signed content of another kind", self.zip(None, statistics), ["E1101"], few=False)
        changed = b"EK Export v2" + content[12:]
        self.case("another version of the format", {"export_bin": changed.hex()}, ["E1101"], few=False)
        bare = {"export_bin": content.hex()}
        self.case("a bare file without its signature", bare, ["E1203"], weigh={"E1203": "warning"}, flags=["Lint"])
        self.case("two bare files", bare | {"export_sig": signatures.hex()}, [])

        body = lambda comment, content, *found, few=True: self.case(comment, self.zip(good, content), found, few=few)  # noqa: E731
        body("cut off within a key", content[:-1], "E1102", few=False)
        body("a field that nobody knows", content + number(15, 1), "W1103")
        body("the region twice", HEADER + data(3, "FR") + content[16:], "E1104")
        longer = HEADER + good.head().replace(number(4, 1), b"\x20\x81\x00") + good.tail()
        assert len(longer) == len(content) + 1
        body("a number longer than it needs to be", longer, "W1105")
        large = HEADER + good.head().replace(number(4, 1), number(4, 2**32 + 1)) + good.tail()
        body("a number too large for its field", large, "E1106")

    def signature_files(self):
        good = self.file()
        content = good.bytes()
        der = sign(self.signer, content)
        raw = bytes(range(1, 65))
        beside = lambda comment, signatures, *found: self.case(comment, self.zip(good, signatures=signatures), found)  # noqa: E731
        beside("an empty signature list", b"", "E1203")
        beside("a signature of 64 raw bytes", signature_list(signed(raw, INFO)), "E1204")
        beside("another name beside the signature", signature_list(signed(der, INFO | {"verification_key_version": "v2"})), "E1205")
        beside("two signatures where one is listed", signature_list(signed(der, INFO), signed(der, INFO)), "E1205", "E1206")
        beside("another batch number beside the signature", signature_list(signed(der, INFO, batch_num=2, batch_size=2)), "E1207", "E1207")
        beside("a field that nobody knows in the signature list", signature_list(signed(der, INFO)) + number(15, 1), "E1109")
        text = INFO | {"signature_algorithm": "SHA256withECDSA"}
        file = self.of(good.keys, infos=(text,))
        self.case("the algorithm as text", file, ["E1208"])
        self.weighed("the algorithm as text", file, "E1208", {"android": "error", "apple": "warning"})
        legacy = {"android_package": "v1", "verification_key_version": "262", "verification_key_id": OID}
        self.case("the fields of May 2020", self.of(good.keys, infos=(legacy,)), ["E1209"])
        self.case("a good signature", good, [])

    def several(self):
        hour = lambda at, *changes, length=1, **more: self.file(*changes, start=OPEN + at * HOUR, end=OPEN + (at + length) * HOUR, **more)  # noqa: E731
        self.case("two hours in a row", [hour(0), hour(1)], [])
        self.case("two hours in a row, the later one first", [hour(1), hour(0)], [])
        same = [hour(0), hour(0)]
        self.case("two files of one window", same, [("E1601", 2)])
        self.case("two files of one window, by apple", same, [("E1601", 2)], profile="apple", weigh={"E1601": "warning"})
        self.case("two regions of one window", [hour(0), hour(0, region="FR")], [])
        one_second = self.file(start=OPEN, end=CLOSE + 1)
        self.case("windows that differ by one second", [hour(0), one_second], [])
        parts = [hour(0, batch_num=at, batch_size=2) for at in (1, 2)]
        self.case("a whole batch", parts, [("W1521", 1), ("W1521", 2)], flags=["LintBoundary"])
        self.case("half a batch", parts[1], ["W1521", "E1602"])

        key = self.key()
        self.case("a key in two hours", [hour(0, key), hour(1, key)], [("W1603", 2)])
        day = self.file(key, start=MIDNIGHT, end=MIDNIGHT + 86400)
        self.case("a key in an hour and in its day", [hour(0, key), day], [])
        self.case("a key with another period in another file", [hour(0, key), hour(1, key | {"rolling_period": 100})], [("E1608", 2)])

        likely, confirmed, negative = (key | {"report_type": number} for number in (2, 1, 5))
        revision = lambda at, key: hour(at, revised=[key])  # noqa: E731
        self.case("revised before it is published", [revision(0, confirmed), hour(1, likely)], [("E1604", 1)])
        self.case("revised after it is published", [hour(0, likely), revision(1, confirmed)], [])
        self.case("revised, and never published here", [hour(0), revision(1, confirmed)], [])
        self.case("a clinical diagnosis is revoked", [hour(0, likely), revision(1, negative)], [])
        self.case("a confirmed test is revoked", [hour(0, confirmed), revision(1, negative)], [("E1605", 2)])
        self.case("confirmed, then revoked", [hour(0, likely), revision(1, confirmed), revision(2, negative)], [("E1605", 3)])

        self.case("an hour is missing", [hour(0), hour(2)], [("W1606", 2)])
        self.case("an hour of another region is missing", [hour(0), hour(2, region="FR")], [])
        self.case("windows overlap", [hour(0, length=2), hour(1, length=2)], [("W1607", 2)])
        self.case("an hour lies within a longer window", [hour(0, length=3), hour(1)], [])

    def readers(self):
        """What others than the first six profiles make of files; appended, so that numbers stay."""
        good = self.file()
        content = good.bytes()
        members = [Member("export.bin", content), Member("export.sig", self.signatures(good, content))]
        dutch = {"zip": archive([*members, Member("content.sig", b"\x30\x00")]).hex()}
        other = {"zip": archive([*members, Member("readme.txt", b"")]).hex()}
        self.case("a third member, by microg", dutch, ["E1002"], profile="microg", flags=["LintProfile"])
        self.case("content.sig, by nl", dutch, [], profile="nl", flags=["LintProfile"])
        self.case("no content.sig, by nl", good, ["E1217"], profile="nl", flags=["LintProfile"])
        self.case("another third member, by nl", other, ["E1002", "E1217"], profile="nl", flags=["LintProfile"])
        wrong = self.of(good.keys, batch_num=2, batch_size=1)
        self.case("batch 2 of 1, by microg", wrong, ["E1107", "W1521"], profile="microg", weigh={"E1107": "warning"})
        two = signature_list(*[signed(sign(self.signer, content), INFO)] * 2)
        for profile in ("apple", "lenient"):
            self.case(f"two signatures where one is listed, by {profile}", self.zip(good, signatures=two), ["E1205", "E1206"], profile=profile, weigh={"E1205": "warning" if profile == "lenient" else "error"})
        many = self.of([self.key(at % 14) for at in range(149)])
        self.case("149 keys, by strict", many, [], few=False, flags=["LintBoundary"])
        many = {"export_bin": many.bytes().hex()}
        self.case("149 keys, by nl", many, ["E1203", "W1529"], few=False, profile="nl", weigh={"E1203": "warning"})


def usual(code):
    return "error" if code.startswith("E") else "note" if code in NOTES else "warning"
