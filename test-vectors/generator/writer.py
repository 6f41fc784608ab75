"""What a publisher makes of keys: padding, order, several files of one; and what it takes from those who sign for it."""

import hashlib
import random

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature

from .envelope import note
from .export import HEADER, INFO, ORDER, File, der, drawn_key, info_message, integer, private_key, public_pem, sign, signature_list, signed
from .export import data as field

note("Split", "CONSISTENCY", "files of one window end apart, or Android takes them for one; every key is in one of them")
note("Padding", "PRIVACY", "random keys say what real ones say, and come of the given random bytes in the order of the rules")
note("Order", "PRIVACY", "an order that tells nothing: that of the bytes of keys, or one that is drawn")
note("CwaHash", "INTEROPERABILITY", "the MD5 value of the raw MD5 value of export.bin")
note("Elsewhere", "SIGNATURE_ENCODING", "signatures of security modules, in DER or as r and s, verified before they are attached")


def add(collection):
    add_split(collection)
    add_padding(collection)
    add_order(collection)
    add_hash(collection)
    add_attach(collection)


# -- several files -------------------------------------------------------------------------------------------------------------------


def split(file, max_keys):
    """The fewest files that hold no more keys each, as even as can be: the first ones have one more."""
    both = [(key, False) for key in file.keys] + [(key, True) for key in file.revised]
    count = max(1, -(-len(both) // max_keys))
    if count == 1:
        return [file]
    files, at = [], 0
    for number in range(count):
        length = len(both) // count + (number < len(both) % count)
        part, at = both[at : at + length], at + length
        keys, revised = [key for key, is_revised in part if not is_revised], [key for key, is_revised in part if is_revised]
        meta = file.meta
        end = meta["end_timestamp"] + number
        files.append(File(keys, revised, file.infos, meta["region"], meta["start_timestamp"], end))
    assert at == len(both)
    return files


def add_split(collection):
    rng = random.Random("split")
    group = collection.group("export.split")

    def case(comment, keys, max_keys, revised=0, infos=(INFO,), error=None, flags=("Split",), **meta):
        full = {"transmission_risk_level": 5, "report_type": 1}
        keys = [drawn_key(rng, number % 5, **full) for number in range(keys)]
        revised = [drawn_key(rng, number % 5, report_type=5) for number in range(revised)]
        file = File(keys, revised, infos, **meta)
        given = {name: value for name, value in file.meta.items() if value is not None}
        given |= {"signature_infos": list(infos), "keys": keys, "revised_keys": revised, "max_keys": max_keys}
        if error:
            group.test(comment, given, result="invalid", flags=flags, error=error)
            return
        files = [{"end_timestamp": part.meta["end_timestamp"], "export_bin": part.bytes().hex()} for part in split(file, max_keys)]
        assert len({file["end_timestamp"] for file in files}) == len(files)
        group.test(comment, given, {"files": files}, flags=flags)

    case("as many keys as one file may hold", 4, 4)
    case("one key more", 5, 4)
    case("three files, not all of the same size", 8, 3)
    case("one key in each file", 3, 1)
    case("no keys", 0, 1)
    case("revised keys count, and come last", 3, 2, revised=3)
    case("revised keys alone", 0, 2, revised=5)
    case("two signers", 3, 2, infos=[INFO | {"verification_key_version": "v2"}, INFO])
    case("a batch of several files that fits stays as it is", 2, 2, batch_num=2, batch_size=3)
    case("of a batch that does not fit each file is a batch of its own", 3, 2, batch_num=2, batch_size=3)
    case("no region", 3, 2, region=None)
    case("no end that could be moved", 3, 2, end=None, error="split")
    case("no key in any file", 1, 0, error="split")


# -- padding and order -------------------------------------------------------------------------------------------------------------------


class Drawn:
    """Random bytes in the order in which they are taken; a number is eight of them, the least significant first."""

    def __init__(self, rng):
        self.rng, self.taken = rng, b""

    def bytes(self, count):
        drawn = self.rng.randbytes(count)
        self.taken += drawn
        return drawn

    def below(self, bound):
        return int.from_bytes(self.bytes(8), "little") * bound >> 64


def pad(policy, keys, drawn):
    """Which keys lend what they say, and how many there are of them."""
    if "multiplier" in policy:
        templates = [key for key in keys for _ in range(policy["multiplier"] - 1)]
    else:
        wanted = policy["minimum"]
        if policy["range"] and keys:
            wanted += drawn.below(policy["range"] + 1)
        templates = [keys[number % len(keys)] for number in range(max(0, wanted - len(keys)))] if keys else []
    return [key | {"key_data": drawn.bytes(16).hex()} for key in templates]


def add_padding(collection):
    rng = random.Random("padding")
    group = collection.group("export.padding")
    several = [{"transmission_risk_level": 3, "report_type": 1}, {"days_since_onset_of_symptoms": -2}, {"rolling_period": None}]
    for comment, policy, count in [
        ("two siblings for each key", {"multiplier": 3}, 2),
        ("a multiplier of one adds nothing", {"multiplier": 1}, 2),
        ("a multiplier of no keys", {"multiplier": 5}, 0),
        ("up to a minimum, in turn", {"minimum": 8, "range": 0}, 3),
        ("a minimum that is there", {"minimum": 3, "range": 0}, 3),
        ("no keys are not padded, and nothing is drawn", {"minimum": 8, "range": 4}, 0),
        ("a minimum that is drawn", {"minimum": 4, "range": 6}, 3),
        ("another", {"minimum": 4, "range": 6}, 3),
        ("between one and two", {"minimum": 1, "range": 1}, 1),
        ("a range below the number of keys: the number is drawn all the same", {"minimum": 1, "range": 1}, 3),
    ]:
        keys = [drawn_key(rng, number, **several[number % 3]) for number in range(count)]
        drawn = Drawn(rng)
        padding = pad(policy, keys, drawn)
        group.test(comment, {"policy": policy, "keys": keys, "random": drawn.taken.hex()}, {"padding": padding}, flags=["Padding"])


def add_order(collection):
    rng = random.Random("order")
    group = collection.group("export.order")

    def case(comment, order, keys):
        drawn = Drawn(rng)
        ordered = list(keys)
        if order == "sorted":
            ordered.sort(key=lambda key: bytes.fromhex(key["key_data"]))
        else:
            for last in range(len(ordered) - 1, 0, -1):
                other = drawn.below(last + 1)
                ordered[last], ordered[other] = ordered[other], ordered[last]
        group.test(comment, {"order": order, "keys": keys, "random": drawn.taken.hex()}, {"keys": ordered}, flags=["Order"])

    for count in [0, 1, 2, 9]:
        case(f"{count} keys, sorted", "sorted", [drawn_key(rng, number) for number in range(count)])
    first = drawn_key(rng)
    bytes_decide = [first | {"key_data": data + "00" * 15} for data in ("80", "7f", "ff", "00")]
    case("bytes are compared without a sign", "sorted", bytes_decide)
    case("the bytes decide, not the day", "sorted", [drawn_key(rng, number) for number in (3, 1, 2, 0)])
    for count in [0, 1, 2, 9, 30]:
        case(f"{count} keys, shuffled", "shuffled", [drawn_key(rng, number) for number in range(count)])


# -- content hash ------------------------------------------------------------------------------------------------------------------------


def add_hash(collection):
    rng = random.Random("cwa-hash")
    group = collection.group("export.cwa_hash")
    for comment, content in [
        ("nothing", b""), ("one file", File([drawn_key(rng)]).bytes()), ("the header alone", HEADER), ("some kilobytes", rng.randbytes(3000)),
    ]:
        value = hashlib.md5(hashlib.md5(content).digest()).hexdigest()
        group.test(comment, {"export_bin": content.hex()}, {"cwa_hash": value}, flags=["CwaHash"])


# -- signatures made elsewhere -------------------------------------------------------------------------------------------------------------


def raw(r, s):
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def sign_digest(key, digest):
    return key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()), deterministic_signing=True))


def add_attach(collection):
    rng = random.Random("attach")
    group = collection.group("export.attach")
    new, old = private_key("signing key"), private_key("another signing key")
    infos = [INFO | {"verification_key_version": "v2"}, INFO]
    one, two = File([drawn_key(rng)]), File([drawn_key(rng)], infos=infos)

    def case(comment, file, given, forms=("der",), attached=None, error=None, flags=("Elsewhere",)):
        """`given`: what was handed in, with the key under which it has to verify; `attached`: what has to stand in the file."""
        content = file if isinstance(file, bytes) else file.bytes()
        inputs = {
            "export_bin": content.hex(),
            "signatures": [signature.hex() for signature, _ in given],
            "public_key_pems": [public_pem(key) for _, key in given],
        }
        if error:
            group.test(comment, inputs, result="invalid", flags=flags, error=error)
            return
        attached = attached or [signature for signature, _ in given]
        beside = {"batch_num": file.meta["batch_num"], "batch_size": file.meta["batch_size"]}
        signatures = signature_list(*(signed(signature, info, **beside) for signature, info in zip(attached, file.infos, strict=True)))
        group.test(comment, inputs, {"export_sig": signatures.hex(), "forms": list(forms)}, flags=flags)

    content = one.bytes()
    fine = sign(new, content)
    r, s = decode_dss_signature(fine)
    case("one signature in DER", one, [(fine, new)])
    case("one signature as r and s", one, [(raw(r, s), new)], ["raw"], [fine])
    case("the other form of s in DER", one, [(der(r, ORDER - s), new)], flags=["Elsewhere", "HighS"])
    case("the other form of s, raw", one, [(raw(r, ORDER - s), new)], ["raw"], [der(r, ORDER - s)], flags=["Elsewhere", "HighS"])
    both = two.bytes()
    first, second = sign(new, both), sign(old, both)
    case("two signatures", two, [(first, new), (second, old)], ["der", "der"])
    case("two signatures, one of them raw", two, [(first, new), (raw(*decode_dss_signature(second)), old)], ["der", "raw"], [first, second])
    numbered = File([drawn_key(rng)], batch_num=2, batch_size=3)
    case("a file of a batch", numbered, [(sign(new, numbered.bytes()), new)])
    empty = File([])
    case("a file without keys", empty, [(sign(new, empty.bytes()), new)])

    case("by another key", one, [(sign(old, content), new)], error="signature", flags=["WrongKey"])
    case("of another file", one, [(sign(new, both), new)], error="signature", flags=["WrongKey"])
    case("without the header", one, [(sign(new, content[16:]), new)], error="signature", flags=["HeaderUnsigned"])
    digest = hashlib.sha256(content).digest()
    case("over the digest, hashed once more", one, [(sign(new, digest), new)], error="signature", flags=["WrongDigest"])
    case("over the digest in hexadecimal", one, [(sign(new, digest.hex().encode()), new)], error="signature", flags=["WrongDigest"])
    assert sign_digest(new, digest) == fine
    case("s and r, in this order", one, [(raw(s, r), new)], error="signature", flags=["RawSignature"])
    case("two, the keys in the other order", two, [(first, old), (second, new)], error="signature", flags=["WrongKey"])
    case("two, the second by another key", two, [(first, new), (first, old)], error="signature", flags=["WrongKey"])
    case("one of two", two, [(first, new)], error="signature_list")
    case("two for one", one, [(fine, new), (fine, new)], error="signature_list")
    case("none", one, [], error="signature_list")
    case("a file that awaits none", File([drawn_key(rng)], infos=[]), [(fine, new)], error="signature_list")
    many = File([drawn_key(rng)], infos=[INFO] * 10)
    case("ten", many, [(sign(new, many.bytes()), new)] * 10, ["der"] * 10)
    for comment, wrong in [
        ("r = 0, raw", raw(0, s)), ("s beyond the order, raw", raw(r, ORDER)), ("63 bytes", raw(r, s)[1:]), ("65 bytes", raw(r, s) + b"\0"),
        ("nothing", b""), ("hexadecimal", fine.hex().encode()), ("a length in the long form", b"\x30\x81" + fine[1:]),
        ("something behind", fine + b"\0"), ("integers with a zero too many", der(r, s, lambda value: b"\0" + integer(value))),
    ]:
        case(f"{comment}: no signature", one, [(wrong, new)], error="signature", flags=["Der"])
    case("no export", content[1:], [(fine, new)], error="header", flags=["Header"])
    broken = HEADER + field(6, info_message(INFO)) + b"\x3a\x7f"
    case("a message that ends before what it announced", broken, [(sign(new, broken), new)], error="payload", flags=["Truncated"])
