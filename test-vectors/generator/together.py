"""Files that are handed over together, and keys that must sign together: who takes them."""

import random

from .crypto import MIDNIGHT
from .envelope import note
from .export import INFO, READERS, File, drawn_key, private_key, public_pem, sign, signature_list, signed

note("Together", "CONSISTENCY", "files that are right one by one can be wrong together: a batch that is not whole, a window that another file has")
note("Cosigning", "AUTHENTICATION", "of keys that must sign together all have, or the file is not valid")

# Who has rules for several files. The others take each file for itself.
WITH_RULES = {"strict", "android", "nl"}
PROFILES = ["strict", "lenient", *READERS]
HOUR = 3600


def add(collection):
    rng = random.Random("together")
    versions = ["v1", "v2", "v3"]
    infos = {version: INFO | {"verification_key_version": version} for version in versions}
    keys = {version: private_key(f"signing key {version}") for version in versions}
    stranger = private_key("another signing key")
    trusted = [
        {"name": f"key {version}", "verification_key_id": INFO["verification_key_id"], "verification_key_version": version, "pem": public_pem(keys[version])}
        for version in versions
    ]
    group = collection.group("export.together", {"trusted_keys": trusted})

    def given(file, by=("v1",), wrong=()):
        """The file signed by the keys of these versions; of `wrong` ones, by a key that nobody trusts."""
        content = file.bytes()
        batch = {"batch_num": file.meta["batch_num"], "batch_size": file.meta["batch_size"]}
        signatures = [signed(sign(stranger if version in wrong else keys[version], content), infos[version], **batch) for version in by]
        return {"export_bin": content.hex(), "export_sig": signature_list(*signatures).hex()}

    def case(comment, files, refused, flags, signers=None, require=None):
        names = [f"file {at}" for at in range(1, len(files) + 1)]
        given = {"files": [{"name": name} | file for name, file in zip(names, files)]}
        if require:
            given["require"] = require
        verdict = {name: "invalid" if name in refused else "valid" for name in PROFILES}
        expected = {"verdict": verdict}
        if signers is not None:
            expected["signers"] = [{"signature": number, "trusted_key": f"key {version}"} for number, version in signers]
        group.test(comment, given, expected, flags=flags)

    def hour(at=0, keys=None, last=HOUR, by=("v1",), **more):
        keys = [drawn_key(rng, 1 + at)] if keys is None else keys
        return File(keys, start=MIDNIGHT + at * HOUR, end=MIDNIGHT + at * HOUR + last, infos=[infos[version] for version in by], **more)

    alone = ["Together"]
    case("two hours", [given(hour(0)), given(hour(1))], (), alone)
    case("two files of one window", [given(hour(0)), given(hour(0))], WITH_RULES, alone)
    case("windows that end a second apart", [given(hour(0)), given(hour(0, last=HOUR + 1))], (), alone)
    case("two regions of one window", [given(hour(0)), given(hour(0, region="FR"))], (), alone)
    parts = [given(hour(0, batch_num=number, batch_size=3)) for number in (1, 2, 3)]
    case("a whole batch", parts, (), alone)
    case("a whole batch, the last file first", parts[::-1], (), alone)
    case("a batch without its second file", [parts[0], parts[2]], WITH_RULES, alone)
    case("a file of a batch twice, and another missing", [parts[0], parts[1], parts[1]], WITH_RULES, alone)
    other = [parts[0], given(hour(1, batch_num=2, batch_size=2)), given(hour(1, batch_num=1, batch_size=2))]
    case("a whole batch beside a file of another", other, WITH_RULES, alone)
    same = drawn_key(rng, 1)
    case("a key in two hours", [given(hour(0, [same])), given(hour(1, [same]))], (), alone)
    changed = [given(hour(0, [same])), given(hour(1, [same | {"rolling_period": 100}]))]
    case("a key in two hours, with two periods", changed, {"strict"}, alone)

    # Who looks at one signature only, or at one key only, cannot see that two have signed.
    both, one = ("v1", "v2"), ["Cosigning"]
    everybody = set(PROFILES)
    first_only, one_key = {"apple"}, {"microg"}
    file = hour(0, by=both)
    signers = [(1, "v1"), (2, "v2")]
    case("two signatures, and nothing is asked", [given(file, both)], one_key, one, signers=signers)
    case("two that must sign, and have", [given(file, both)], first_only | one_key, one, signers=signers, require="262-v1+262-v2")
    case("two that must sign, named as in the trust store", [given(file, both)], first_only | one_key, one, signers=signers, require="key v2+key v1")
    case("one of two that must sign", [given(hour(0))], everybody, one, signers=[(1, "v1")], require="262-v1+262-v2")
    case("one of two that must sign, the other wrong", [given(file, both, wrong=["v2"])], everybody, one, require="262-v1+262-v2")
    case("one of two that may sign", [given(hour(0))], (), one, signers=[(1, "v1")], require="262-v2,262-v1")
    case("none of two that may sign", [given(hour(0, by=["v3"]), ["v3"])], everybody, one, signers=[(1, "v3")], require="262-v1,262-v2")
    case("the second of two sets is whole", [given(hour(0, by=["v3"]), ["v3"])], (), one, signers=[(1, "v3")], require="262-v1+262-v2,262-v3")
    case("a name that is only a part of a key's", [given(hour(0))], everybody, one, signers=[(1, "v1")], require="262-v")
    twice = File([drawn_key(rng)], infos=[infos["v1"]] * 2)
    case("one key twice is not two", [given(twice, ("v1", "v1"))], everybody, one, signers=[(1, "v1"), (2, "v1")], require="262-v1+262-v2")
