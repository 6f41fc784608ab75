"""Signed key files, their archives, and submissions: protocol buffers, DER and ZIP, written by hand so that they can be written wrong."""

import base64
import hashlib
import random
import struct
import zlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from .crypto import MIDNIGHT, START
from .envelope import NOTHING, note

HEADER = b"EK Export v1    "
OID = "1.2.840.10045.4.3.2"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

note("HeaderUnsigned", "MISSING_STEP", "the signature covers export.bin without its 16 bytes of header")
note("Header", "INPUT_VALIDATION", "the first 16 bytes are compared in full")
note("RawSignature", "SIGNATURE_ENCODING", "r and s side by side instead of in DER")
note("Der", "SIGNATURE_ENCODING", "a DER form that a strict reader refuses, so that no bit of a signature can be changed unseen")
note("HighS", "EDGE_CASE", "the greater of the two forms of s is as good as the smaller")
note("WrongKey", "AUTHENTICATION", "signed by another key than the trusted one")
note("WrongDigest", "WRONG_PRIMITIVE", "signed over another digest than SHA-256")
note("FlippedBit", "AUTHENTICATION", "one bit was changed after signing")
note("NoSignature", "AUTHENTICATION", "no signature at all must not count as all signatures valid")
note("SeveralSigners", "LEGACY", "published readers differ: one looks at the first signature, one wants all to be right, one wants any")
note("Batch", "CONSISTENCY", "batch number and size say the same in both files, and something possible")
note("SignatureInfo", "CONSISTENCY", "the name of the key is the same in the signed file and beside the signature")
note("Truncated", "PARSING", "the message ends before what it announced")
note("WireFormat", "PARSING", "bytes that are not the protocol buffers of this message")
note("Presence", "EDGE_CASE", "absent fields have the defaults of the format")
note("Times", "CONSISTENCY", "an export ends after it starts")
note("BadKey", "INPUT_VALIDATION", "a key whose length, period or start is out of range, in a file that is signed well")
note("Empty", "EDGE_CASE", "a signed file without keys is a file")
note("Unspecified", "LEGACY", "the format does not say, and published readers differ")
note("DuplicateMember", "PARSING_DIFFERENTIAL", "readers disagree about which of two members of one name counts")
note("HiddenMember", "PARSING_DIFFERENTIAL", "a member that only readers of local headers see, or only readers of the central directory")
note("PathTraversal", "INPUT_VALIDATION", "a name that leads out of the archive's root")
note("ThirdMember", "INPUT_VALIDATION", "a member that is none of the two")
note("MissingMember", "INPUT_VALIDATION", "one of the two members is not there")
note("Bomb", "RESOURCE_EXHAUSTION", "a member that is much larger than its compressed form")
note("ZipFeature", "INPUT_VALIDATION", "encryption, ZIP64 and methods other than stored and deflated are not used by the format")
note("Damaged", "PARSING", "an archive that is cut short, or carries bytes that belong to nothing")
note("Checksum", "MISSING_STEP", "the checksum of a member is verified")
note("DataDescriptor", "EDGE_CASE", "sizes that stand behind the data, as streaming writers leave them")
note("Limit", "RESOURCE_EXHAUSTION", "one more than the limit, which is this project's: 32 MiB, 8 members of 64 MiB, 64 KiB and 10 signatures, texts of 255 bytes")
note("Nesting", "RESOURCE_EXHAUSTION", "messages within messages: a reader that follows them all runs out of stack")
note("NotMinimal", "EDGE_CASE", "numbers, tags and lengths that are longer than they need to be")
note("Overflow", "PARSING_DIFFERENTIAL", "a number that does not fit its field: some readers cut it off, others refuse it")
note("KeyCount", "INPUT_VALIDATION", "an upload without keys, or with more than a server takes")
note("Future", "EDGE_CASE", "keys that have not begun are left out")
note("TooOld", "EDGE_CASE", "keys that ended more than 14 days ago are left out")
note("Contradiction", "CONSISTENCY", "the same key with different values")
note("Country", "INPUT_VALIDATION", "a server takes uploads of its own country, about countries it knows")
note("SignedInstead", "MISSING_STEP", "the signature is right for something else than the file, or is written in another form; a verifier can say which")
note("Reader", "LEGACY", "published readers ask for less than the format, each in its own way; what one of them takes need not be valid")
note("NotAtMidnight", "INPUT_VALIDATION", "the German server takes only keys that start at midnight UTC")


# -- protocol buffers ----------------------------------------------------------------------------------------------------------------


def varint(value):
    value &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def tag(field, wire_type):
    return varint(field << 3 | wire_type)


def number(field, value):
    return b"" if value is None else tag(field, 0) + varint(value)


def zigzag(field, value):
    return b"" if value is None else number(field, value << 1 if value >= 0 else ~value << 1 | 1)


def fixed64(field, value):
    return b"" if value is None else tag(field, 1) + struct.pack("<Q", value)


def data(field, value):
    if value is None:
        return b""
    value = value.encode() if isinstance(value, str) else value
    return tag(field, 2) + varint(len(value)) + value


def key_message(key):
    return (
        data(1, bytes.fromhex(key["key_data"]))
        + number(2, key.get("transmission_risk_level"))
        + number(3, key.get("rolling_start_interval_number"))
        + number(4, key.get("rolling_period"))
        + number(5, key.get("report_type"))
        + zigzag(6, key.get("days_since_onset_of_symptoms"))
        + number(8, key.get("variant_of_concern"))
    )


INFO = {"app_bundle_id": "org.example.en", "verification_key_version": "v1", "verification_key_id": "262", "signature_algorithm": OID}


def info_message(info):
    return b"".join(
        data(field, info.get(name))
        for field, name in enumerate(
            ["app_bundle_id", "android_package", "verification_key_version", "verification_key_id", "signature_algorithm"], 1
        )
    )


class File:
    """An export, by default a good one, whose parts can be replaced."""

    def __init__(self, keys, revised=(), infos=(INFO,), region="DE", start=MIDNIGHT, end=MIDNIGHT + 3600, batch_num=1, batch_size=1):
        self.meta = {"start_timestamp": start, "end_timestamp": end, "region": region, "batch_num": batch_num, "batch_size": batch_size}
        self.keys, self.revised, self.infos = list(keys), list(revised), list(infos)

    def head(self):
        meta = self.meta
        return (
            fixed64(1, meta["start_timestamp"]) + fixed64(2, meta["end_timestamp"]) + data(3, meta["region"])
            + number(4, meta["batch_num"]) + number(5, meta["batch_size"])
            + b"".join(data(6, info_message(info)) for info in self.infos)
        )

    def tail(self):
        return b"".join(data(7, key_message(key)) for key in self.keys) + b"".join(data(8, key_message(key)) for key in self.revised)

    def bytes(self):
        return HEADER + self.head() + self.tail()

    def expected(self):
        meta = {name: value for name, value in self.meta.items() if value is not None}
        return meta | {"key_count": len(self.keys), "revised_key_count": len(self.revised), "keys": self.keys, "revised_keys": self.revised}


def signature_list(*signatures):
    return b"".join(data(1, signature) for signature in signatures)


def signed(der, info=INFO, batch_num=1, batch_size=1):
    return (data(1, info_message(info)) if info is not None else b"") + number(2, batch_num) + number(3, batch_size) + data(4, der)


# -- signatures ------------------------------------------------------------------------------------------------------------------------


def private_key(name):
    scalar = int.from_bytes(hashlib.sha256(f"cwa-test-vectors: {name}".encode()).digest(), "big") % (ORDER - 1) + 1
    return ec.derive_private_key(scalar, ec.SECP256R1())


def public_pem(key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def sign(key, content, algorithm=None):
    return key.sign(content, ec.ECDSA(algorithm or hashes.SHA256(), deterministic_signing=True))


def integer(value):
    length = value.bit_length() // 8 + 1
    return value.to_bytes(length, "big")


def der(r, s, encode=integer):
    body = b"".join(b"\x02" + bytes([len(encode(value))]) + encode(value) for value in (r, s))
    return b"\x30" + bytes([len(body)]) + body


def flipped(content, byte, bit):
    changed = bytearray(content)
    changed[byte] ^= 1 << bit
    return bytes(changed)


# -- archives ----------------------------------------------------------------------------------------------------------------------------


def stored_deflate(content):
    """Deflate without compressing, so that every machine makes the same bytes."""
    assert len(content) < 0x10000
    return b"\x01" + struct.pack("<HH", len(content), len(content) ^ 0xFFFF) + content


class Bits:
    def __init__(self):
        self.bits = []

    def number(self, value, count):
        self.bits += [value >> index & 1 for index in range(count)]

    def code(self, text):
        self.bits += [int(bit) for bit in text]

    def bytes(self):
        padded = self.bits + [0] * (-len(self.bits) % 8)
        return bytes(sum(bit << index for index, bit in enumerate(padded[at : at + 8])) for at in range(0, len(padded), 8))


def zeros(matches):
    """A deflate stream of 1 + 258 * matches zeros, two bits for each 258: the densest that deflate allows."""
    out = Bits()
    out.number(1, 1)  # the last block
    out.number(2, 2)  # with codes of its own
    out.number(286 - 257, 5)  # lengths of 286 literal and length codes
    out.number(0, 5)  # and of one distance code
    out.number(18 - 4, 4)  # told in a code whose own 18 lengths follow, in the order of RFC 1951
    lengths = {18: 1, 1: 2, 2: 2}
    for symbol in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1]:
        out.number(lengths.get(symbol, 0), 3)
    many, one, two = "0", "10", "11"
    out.code(two)  # literal 0: two bits
    for count in (138, 117):  # literals 1 to 255: none
        out.code(many)
        out.number(count - 11, 7)
    out.code(two)  # the end, 256: two bits
    out.code(many)  # lengths up to 284: none
    out.number(28 - 11, 7)
    out.code(one)  # length 258, symbol 285: one bit
    out.code(one)  # distance 1: one bit
    out.code("10")
    for _ in range(matches):
        out.code("00")
    out.code("11")
    stream = out.bytes()
    assert zlib.decompress(stream, -15) == bytes(1 + 258 * matches)
    return stream


class Member:
    """A member of an archive, every field of its headers replaceable."""

    def __init__(self, name, content, method=0, packed=None, flags=0, crc=None, **fields):
        self.name = name.encode() if isinstance(name, str) else name
        self.packed = packed if packed is not None else (stored_deflate(content) if method == 8 else content)
        self.method, self.flags = method, flags
        self.crc = zlib.crc32(content) if crc is None else crc
        self.size = len(content)
        self.fields = fields

    def local(self):
        streamed = self.flags & 8
        fields = self.fields
        name, extra = fields.get("local_name", self.name), fields.get("local_extra", b"")
        size = fields.get("local_size", self.size)
        crc, packed = (0, 0) if streamed else (fields.get("local_crc", self.crc), fields.get("local_packed", len(self.packed)))
        head = struct.pack(
            "<4sHHHHHIIIHH", b"PK\3\4", fields.get("version", 20), fields.get("local_flags", self.flags), fields.get("local_method", self.method),
            0, 0x21, crc, packed, 0 if streamed else size, len(name), len(extra),
        )
        behind = struct.pack("<4sIII", b"PK\7\x08", fields.get("behind_crc", self.crc), len(self.packed), self.size) if streamed else b""
        return head + name + extra + self.packed + behind

    def central(self, offset):
        extra = self.fields.get("extra", b"")
        size = self.fields.get("central_size", self.size)
        return struct.pack(
            "<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20 | self.fields.get("system", 0) << 8, self.fields.get("version", 20), self.flags, self.method, 0,
            0x21, self.crc, len(self.packed), size, len(self.name), len(extra), 0, 0, 0, self.fields.get("attributes", 0), offset,
        ) + self.name + extra


class Gap:
    """Bytes that belong to no member."""

    def __init__(self, content):
        self.content = content

    def local(self):
        return self.content


def archive(members, hidden=(), comment=b"", before=b"", after=b"", count=None, shift=0, **end):
    """The members in order; those of `hidden` are left out of the central directory, and the last offset there is wrong by `shift`.

    Of the record at the end, `disk`, `size` and `offset` can be replaced."""
    body, directory, listed = bytearray(before), b"", 0
    for member in members:
        if member not in hidden and not isinstance(member, Gap):
            directory += member.central(len(body) + (shift if member is members[-1] else 0))
            listed += 1
        body += member.local()
    count = listed if count is None else count
    size, offset, disk = end.get("size", len(directory)), end.get("offset", len(body)), end.get("disk", 0)
    record = struct.pack("<4sHHHHIIH", b"PK\5\6", disk, disk, count, count, size, offset, len(comment))
    return bytes(body) + directory + record + comment + after


def in_hex(content):
    """Bytes as text; a tuple stands for a file that is too long for that: parts, each with how often it is repeated."""
    if isinstance(content, tuple):
        return [[part.hex(), times] for part, times in content]
    return content.hex()


# -- cases -------------------------------------------------------------------------------------------------------------------------------


def recompute_public_key(input, expected):
    spki = base64.b64decode(input["spki_der_base64"])
    key = serialization.load_der_public_key(spki)
    assert key.curve.name == "secp256r1" and input["curve"] == "P-256"
    assert serialization.load_pem_public_key(input["pem"].encode()).public_numbers() == key.public_numbers()
    return {"spki_sha256": hashlib.sha256(spki).hexdigest()}


RECOMPUTE = {"export.public_key": recompute_public_key}


def add(collection):
    add_verify(collection)
    add_archives(collection)
    add_readers(collection)
    add_explanations(collection)
    add_submissions(collection)


def drawn_key(rng, number=0, **more):
    key = {"key_data": rng.randbytes(16).hex(), "rolling_start_interval_number": START - 144 * (1 + number), "rolling_period": 144}
    return {name: value for name, value in (key | more).items() if value is not None}


def add_verify(collection):
    rng = random.Random("verify")
    ours, other = private_key("signing key"), private_key("another signing key")
    group = collection.group("export.verify", {"public_key_pem": public_pem(ours), "other_public_key_pem": public_pem(other)})
    full = {"transmission_risk_level": 5, "report_type": 1, "days_since_onset_of_symptoms": -3}
    usual = File([drawn_key(rng, n, **full) for n in range(3)])

    def case(comment, content, signatures=None, file=None, error=None, flags=(), result=None, reason=None):
        content = content if isinstance(content, (bytes, tuple)) else content.bytes()
        if signatures is None:
            signatures = signature_list(signed(sign(ours, content)))
        result = result or ("invalid" if error else "valid")
        expected = file.expected() if file and result == "valid" else NOTHING
        reason = reason or (VERIFY_REASONS.get(comment) if error else None)
        group.test(comment, {"export_bin": in_hex(content), "export_sig": in_hex(signatures)}, expected, result, flags, error, reason=reason)

    def good(comment, file, signatures=None, flags=()):
        case(comment, file.bytes(), signatures, file, flags=flags)

    def bad_signature(comment, der_bytes, flags, **more):
        case(comment, usual, signature_list(signed(der_bytes, **more)), error="signature", flags=flags)

    content = usual.bytes()
    r, s = decode_dss_signature(sign(ours, content))
    fine = sign(ours, content)

    good("three keys with all fields", usual)
    good("one key with the least fields", File([drawn_key(rng, rolling_period=None)]), flags=["Presence"])
    good("no keys", File([]), flags=["Empty"])
    good("report types, levels and days at their edges", File([
        drawn_key(rng, 0, transmission_risk_level=0, report_type=0, days_since_onset_of_symptoms=-14),
        drawn_key(rng, 1, transmission_risk_level=8, report_type=4, days_since_onset_of_symptoms=14),
        drawn_key(rng, 2, rolling_period=1), drawn_key(rng, 3, rolling_period=143),
    ]))
    good("revised keys", File([drawn_key(rng, report_type=1)], [drawn_key(rng, 2, report_type=5), drawn_key(rng, 3, report_type=1)]))
    good("no region", File([drawn_key(rng)], region=None), flags=["Presence"])
    good("an unaligned key", File([drawn_key(rng, rolling_start_interval_number=START - 99, rolling_period=45)]), flags=["Unaligned"])
    case("keys before everything else", HEADER + usual.tail() + usual.head(), file=usual)
    good("the other form of s", usual, signature_list(signed(der(r, ORDER - s))), flags=["HighS"])
    infos = [INFO | {"verification_key_version": "v2"}, INFO]
    rotated = File([drawn_key(rng)], infos=infos)
    both = [signed(sign(other, rotated.bytes()), infos[0]), signed(sign(ours, rotated.bytes()), infos[1])]
    case("two signatures, the second by the trusted key", rotated, signature_list(*both), flags=["SeveralSigners"], result="acceptable")
    case("two signatures, the first by the trusted key", rotated, signature_list(*both[::-1]), flags=["SeveralSigners"], result="acceptable")

    bad_signature("signed without the header", sign(ours, content[16:]), ["HeaderUnsigned"])
    bad_signature("signed by another key", sign(other, content), ["WrongKey"])
    bad_signature("another file's signature", sign(ours, File([drawn_key(rng)]).bytes()), ["WrongKey"])
    bad_signature("SHA-512, said to be SHA-256", sign(ours, content, hashes.SHA512()), ["WrongDigest"])
    bad_signature("SHA-1, said to be SHA-256", sign(ours, content, hashes.SHA1()), ["WrongDigest"])
    bad_signature("r and s side by side", r.to_bytes(32, "big") + s.to_bytes(32, "big"), ["RawSignature"])
    bad_signature("something after the signature", fine + b"\0", ["Der"])
    bad_signature("a length in the long form", b"\x30\x81" + fine[1:], ["Der"])
    bad_signature("integers with a zero too many", der(r, s, lambda value: b"\0" + integer(value)), ["Der"])
    bad_signature("an indefinite length", b"\x30\x80" + fine[2:] + b"\0\0", ["Der"])
    bad_signature("r = 0", der(0, s), ["Der"])
    bad_signature("s = 0", der(r, 0), ["Der"])
    bad_signature("s beyond the order", der(r, s + ORDER), ["Der"])
    bad_signature("a negative r", der(-5, s, lambda value: value.to_bytes(1, "big", signed=True) if value < 0 else integer(value)), ["Der"])
    bad_signature("an empty signature", b"", ["Der"])
    bad_signature("a signature cut short", fine[:-1], ["Der"])
    bad_signature("one bit of the signature flipped", flipped(fine, len(fine) - 1, 0), ["FlippedBit"])
    # Bits in the region, in a key and in the end timestamp: the message can still be read.
    for comment, at in [("a key", content.index(bytes.fromhex(usual.keys[1]["key_data"]))), ("the end timestamp", 16 + 9 + 1)]:
        case(f"one bit of {comment} flipped", flipped(content, at, 4), signature_list(signed(fine)), error="signature", flags=["FlippedBit"])

    case("no bytes of signatures", usual, b"", error="signature_list", flags=["NoSignature"])
    case("a signature entry without anything", usual, signature_list(b""), error="signature_list", flags=["NoSignature"])
    for comment, more in [
        ("another batch number", {"batch_num": 2}), ("another batch size", {"batch_size": 2}),
        ("no batch number", {"batch_num": None}), ("no batch size", {"batch_size": None}),
    ]:
        case(f"{comment} beside the signature", usual, signature_list(signed(fine, **more)), error="signature_list", flags=["Batch"])
    for comment, info in [
        ("another key id", INFO | {"verification_key_id": "263"}), ("another key version", INFO | {"verification_key_version": "v2"}),
        ("another bundle", INFO | {"app_bundle_id": "org.example.other"}), ("no algorithm", INFO | {"signature_algorithm": None}), ("nothing", None),
    ]:
        case(f"{comment} beside the signature", usual, signature_list(signed(fine, info)), error="signature_list", flags=["SignatureInfo"])
    textual = INFO | {"signature_algorithm": "ECDSA p-256 SHA-256"}
    named = File([drawn_key(rng)], infos=[textual])
    case("the algorithm as text", named, signature_list(signed(sign(ours, named.bytes()), textual)), error="signature_list", flags=["SignatureInfo"])
    entry = signed(fine)
    case("an unknown field in an entry", usual, signature_list(entry + number(9, 1)), error="signature_list", flags=["WireFormat"])
    case("an unknown field beside the entries", usual, signature_list(entry) + number(9, 1), error="signature_list", flags=["WireFormat"])
    case("a batch number twice", usual, signature_list(number(2, 7) + entry), error="signature_list", flags=["WireFormat"])
    case("a signature twice in one entry", usual, signature_list(data(4, b"\x30") + entry), error="signature_list", flags=["WireFormat"])
    case("the list of signatures cut short", usual, signature_list(entry)[:-1], error="signature_list", flags=["Truncated"])
    case("more after the list of signatures", usual, signature_list(entry) + b"\0", error="signature_list", flags=["WireFormat"])

    for comment, header in [
        ("no header", b""), ("version 2", b"EK Export v2    "), ("zeros instead of spaces", b"EK Export v1\0\0\0\0"),
        ("a tab among the spaces", b"EK Export v1   \t"), ("lower case", b"ek export v1    "),
    ]:
        case(f"header: {comment}", header + content[16:], error="header", flags=["Header"])
    case("nothing at all", b"", error="header", flags=["Truncated"])
    case("half a header", HEADER[:9], error="header", flags=["Truncated"])
    case("the last key cut short, and signed so", content[:-1], error="payload", flags=["Truncated"])
    case("a key that claims more bytes than there are", content + tag(7, 2) + b"\x7f\x0a\x10", error="payload", flags=["Truncated"])
    case("field number 0", content + b"\x00\x01", error="payload", flags=["WireFormat"])
    case("a group", content + b"\x7b\x7c", error="payload", flags=["WireFormat"])
    case("a wire type that does not exist", content + b"\x7e", error="payload", flags=["WireFormat"])
    case("the region as a number", HEADER + number(3, 5) + usual.tail(), error="payload", flags=["WireFormat"])
    case("a varint of eleven bytes", content + tag(4, 0) + b"\xff" * 10 + b"\x01", error="payload", flags=["WireFormat"])
    case("a region that is not UTF-8", HEADER + data(3, b"\xff\xfe") + usual.tail(), error="payload", flags=["WireFormat"])
    case("an unknown field in the message", content + number(15, 1), flags=["Unspecified"], result="acceptable")
    case("a region twice", HEADER + data(3, "FR") + content[16:], flags=["Unspecified"], result="acceptable")
    for comment, more in [
        ("15 bytes", {"key_data": rng.randbytes(15).hex()}), ("17 bytes", {"key_data": rng.randbytes(17).hex()}),
        ("32 bytes", {"key_data": rng.randbytes(32).hex()}), ("no bytes", {"key_data": ""}),
        ("period 0", {"rolling_period": 0}), ("period 145", {"rolling_period": 145}), ("a negative period", {"rolling_period": -1}),
        ("a negative start", {"rolling_start_interval_number": -1}), ("risk level 9", {"transmission_risk_level": 9}),
    ]:
        file = File([drawn_key(rng), drawn_key(rng) | more])
        case(f"the second key: {comment}", file, error="key", flags=["BadKey"])
    case("two names, one signature", rotated, signature_list(both[1]), error="signature_list", flags=["SignatureInfo"])
    once = usual.bytes()
    case("one name, two signatures", once, signature_list(signed(sign(ours, once)), signed(sign(ours, once))), error="signature_list", flags=["SignatureInfo"])
    case("a key twice", File([usual.keys[0], usual.keys[0]]), error="key", flags=["Duplicate"])
    case("a start after the end", File([drawn_key(rng)], start=MIDNIGHT + 3601), error="payload", flags=["Times"])
    absent = HEADER + File([]).head() + data(7, number(3, START) + number(4, 144))
    case("a key without key data", absent, error="key", flags=["BadKey"])
    for comment, num, size in [("2 of 1", 2, 1), ("0 of 1", 0, 1), ("-1 of -1", -1, -1)]:
        file = File([drawn_key(rng)], batch_num=num, batch_size=size)
        signatures = signature_list(signed(sign(ours, file.bytes()), batch_num=num, batch_size=size))
        case(f"batch {comment}", file, signatures, flags=["Batch"], error="payload")

    def malformed(comment, message, reason, flags=("WireFormat",), error="payload"):
        """A message in place of the good one, signed as it is."""
        case(comment, HEADER + message, error=error, flags=flags, reason=reason)

    # Limits, each with the least that is too much; what just fits is a case of its own where it fits on a page.
    case("64 MiB and one byte", ((HEADER, 1), (b"\0", (64 << 20) - 15)), signature_list(signed(fine)), error="payload", flags=["Limit"], reason="TooLarge")
    full = (64 << 10) - len(signature_list(signed(fine)))
    case("64 KiB of signatures and one byte", usual, ((signature_list(signed(fine)), 1), (b"\0", full + 1)), error="signature_list", flags=["Limit"], reason="TooLarge")
    many = [INFO | {"verification_key_version": f"v{n}"} for n in range(11)]
    ten = File([drawn_key(rng)], infos=many[:10])
    case("ten signatures", ten, signature_list(*(signed(sign(ours, ten.bytes()), info) for info in many[:10])), file=ten, flags=["Limit"])
    ten_and_one = signature_list(*(signed(sign(ours, ten.bytes()), info) for info in many))
    case("eleven signatures", ten, ten_and_one, error="signature_list", flags=["Limit"], reason="TooMany")
    eleven = File([drawn_key(rng)], infos=many)
    case("eleven signature infos", eleven, signature_list(signed(sign(ours, eleven.bytes()))), error="payload", flags=["Limit"], reason="TooManySignatureInfos")
    good("a region of 255 bytes", File([drawn_key(rng)], region="é" * 127 + "e"), flags=["Limit"])
    case("a region of 256 bytes", File([drawn_key(rng)], region="é" * 128), error="payload", flags=["Limit"], reason="TextLength")
    long = File([drawn_key(rng)], infos=[INFO | {"verification_key_id": "2" * 256}])
    case("a key id of 256 bytes", long, error="payload", flags=["Limit"], reason="SignatureInfo TextLength")
    named = signature_list(signed(fine, INFO | {"verification_key_id": "2" * 256}))
    case("a key id of 256 bytes beside the signature", usual, named, error="signature_list", flags=["Limit"], reason="Signature TextLength")
    big = File([drawn_key(rng) | {"key_data": rng.randbytes(300).hex()}])
    case("key data of 300 bytes", big, error="key", flags=["BadKey"], reason="KeyInvalid")
    late = drawn_key(rng) | {"rolling_start_interval_number": 0x7FFF_FFFF - 143}
    case("a key that ends beyond the last interval", File([late]), error="key", flags=["BadKey", "Overflow"], reason="KeyInvalid")
    good("a key that ends with the last interval", File([late | {"rolling_start_interval_number": 0x7FFF_FFFF - 144}]))

    nested = b""
    while len(nested) < 4_000:
        nested = data(15, nested)
    case("unknown messages in one another, a thousand deep", HEADER + usual.head() + usual.tail() + nested, flags=["Nesting", "Unspecified"], result="acceptable")
    malformed("groups in one another, five hundred deep", usual.head() + b"\x7b" * 500 + b"\x7c" * 500, "Group", ["Nesting", "WireFormat"])
    malformed("the end of a group that never began", usual.head() + b"\x7c", "Group")

    # The same content in other bytes: signed as it is, so nothing was changed behind anybody's back.
    key = key_message(usual.keys[0])
    key_length = len(key)
    padded = HEADER + usual.head()
    for comment, field in [
        ("tag", b"\xba\x00" + varint(key_length) + key), ("length", b"\x3a" + bytes([key_length | 0x80, 0]) + key),
        ("number", data(7, key_message({"key_data": usual.keys[0]["key_data"]}) + b"\x20\x90\x81\x00")),
    ]:
        case(f"a {comment} in one byte too many", padded + field, flags=["NotMinimal", "Unspecified"], result="acceptable")
    malformed("a tag in eleven bytes", usual.head() + b"\xba" + b"\x80" * 9 + b"\x00", "Varint")
    malformed("a number whose tenth byte is 2", usual.head() + tag(15, 0) + b"\xff" * 9 + b"\x02", "Varint")
    malformed("a number that ends with the file", usual.head() + tag(15, 0) + b"\x80", "Truncated", ["Truncated"])
    malformed("a tag of 33 bits", usual.head() + varint(1 << 32 | 15 << 3) + b"\0", "Tag")
    malformed("a field that claims more bytes than a file can have", usual.head() + tag(15, 2) + varint(1 << 63), "Truncated", ["Truncated"])
    malformed("a key that claims more bytes than a file can have", usual.head() + tag(7, 2) + varint((1 << 64) - 1), "Truncated", ["Truncated"])

    for comment, message, reason in [
        ("a start timestamp as a varint", number(1, MIDNIGHT), "WireType"), ("an end timestamp of four bytes", tag(2, 5) + bytes(4), "WireType"),
        ("a batch number as bytes", data(4, b"\1"), "WireType"), ("a signature info as a number", number(6, 1), "WireType"),
        ("a key as a number", number(7, 1), "WireType"), ("a revised key as a number", number(8, 1), "WireType"),
        ("key data as a number", data(7, number(1, 5)), "Key WireType"), ("a rolling period as bytes", data(7, data(4, b"\1")), "Key WireType"),
        ("days since onset of four bytes", data(7, tag(6, 5) + bytes(4)), "Key WireType"),
        ("a revised key cut short within", data(8, b"\x0a\x10\0"), "Key Truncated"),
        ("a key id as a number", data(6, number(4, 262)), "SignatureInfo WireType"),
        ("a key id that is not UTF-8", data(6, data(4, b"\xc3\x28")), "SignatureInfo Text"),
        ("text that is an overlong form of a letter", data(3, b"\xc1\x81"), "Text"),
    ]:
        malformed(comment, usual.tail() + message, reason)
    for comment, message in [
        ("a batch number", number(4, 1)), ("an end timestamp", fixed64(2, MIDNIGHT + 3600)), ("a region", data(3, "DE")),
    ]:
        malformed(f"{comment} twice, both times the same", usual.head() + usual.tail() + message, "RepeatedField", ["Contradiction"])
    one = key_message(usual.keys[0])
    for comment, message in [("key data", one + one[:18]), ("a period", one + number(4, 143))]:
        malformed(f"{comment} twice in a key", usual.head() + data(7, message), "RepeatedField", ["Contradiction"])
    malformed("a key id twice in a signature info", File([]).head()[: -len(data(6, info_message(INFO)))] + data(6, info_message(INFO) + data(4, "262")), "RepeatedField", ["Contradiction"])
    case("an unknown field in a key", HEADER + usual.head() + data(7, one + number(7, 5) + data(9, b"more")), flags=["Unspecified"], result="acceptable")

    # int32: a negative number is extended to 64 bits. Cut off at 32 it is another number to a reader that compares before it cuts.
    for comment, field in [("-1 in 32 bits", 0xFFFF_FFFF), ("144 and 2^32", 1 << 32 | 144), ("144 and 2^63", 1 << 63 | 144)]:
        key = data(1, bytes.fromhex(usual.keys[0]["key_data"])) + number(4, field)
        malformed(f"a period of {comment}", usual.head() + data(7, key), "NumberOverflow", ["Overflow"])
    key = data(1, bytes.fromhex(usual.keys[0]["key_data"])) + number(6, 1 << 32 | 2)
    malformed("days since onset of 33 bits", usual.head() + data(7, key), "NumberOverflow", ["Overflow"])
    malformed("a batch number of 33 bits", usual.head() + usual.tail() + number(4, 1 << 32 | 1), "NumberOverflow", ["Overflow"])
    listed = signature_list(data(1, info_message(INFO)) + number(2, 1 << 32 | 1) + number(3, 1) + data(4, fine))
    case("a batch number of 33 bits beside the signature", usual, listed, error="signature_list", flags=["Overflow"], reason="SignatureListMalformed")
    late = data(1, info_message(INFO)) + b"\x90\x00\x01" + number(3, 1) + data(4, fine)
    case("a tag in one byte too many beside the signature", usual, signature_list(late), error="signature_list", flags=["NotMinimal"], reason="SignatureListMalformed")
    case("a signature as a number", usual, number(1, 1), error="signature_list", flags=["WireFormat"], reason="WireType")
    case("a group beside the signatures", usual, signature_list(signed(fine)) + b"\x13\x14", error="signature_list", flags=["WireFormat"], reason="Group")

    # DER, which is one form for each signature.
    for comment, changed, reason in [
        ("r equal to the order", der(ORDER, s), "OutOfRange"), ("s equal to the order", der(r, ORDER), "OutOfRange"),
        ("r beyond the order", der(r + ORDER, s), "OutOfRange"), ("r of 33 bytes", der(r | 1 << 256, s), "OutOfRange"),
        ("a negative s", der(r, s, lambda value: b"\xff" if value == s else integer(value)), "OutOfRange"),
        ("no bytes of s", der(r, s, lambda value: b"" if value == s else integer(value)), "Structure"),
        ("s with a zero too many", der(r, s, lambda value: b"\0" + integer(value) if value == s else integer(value)), "NotMinimal"),
        ("a set instead of a sequence", b"\x31" + fine[1:], "Structure"),
        ("an octet string instead of an integer", fine[:2] + b"\x04" + fine[3:], "Structure"),
        ("three integers", b"\x30" + bytes([fine[1] + 3]) + fine[2:] + b"\2\1\1", "Trailing"),
        ("one integer", b"\x30" + bytes([2 + fine[3]]) + fine[2 : 4 + fine[3]], "Structure"),
        ("a null within the sequence", b"\x30" + bytes([fine[1] + 2]) + fine[2:] + b"\5\0", "Trailing"),
        ("an integer's length in the long form", b"\x30" + bytes([fine[1] + 1]) + b"\2\x81" + fine[3:], "Structure"),
        ("a length in the long form with a zero", b"\x30\x82\0" + fine[1:], "Structure"),
        ("a sequence longer than the signature", b"\x30" + bytes([fine[1] + 1]) + fine[2:], "Structure"),
        ("a sequence in a sequence", b"\x30" + bytes([len(fine)]) + fine, "Structure"),
        ("64 bytes of zeros", bytes(64), "SignatureEncoding"),
        ("a signature twice over", fine + fine, "Trailing"),
    ]:
        case(f"DER: {comment}", usual, signature_list(signed(changed)), error="signature", flags=["Der"], reason=reason)


# Which rule refuses, by the comment of the case.
VERIFY_REASONS = {
    "r and s side by side": "Raw", "something after the signature": "Trailing", "a length in the long form": "Structure",
    "integers with a zero too many": "NotMinimal", "an indefinite length": "Structure", "r = 0": "OutOfRange", "s = 0": "OutOfRange",
    "s beyond the order": "OutOfRange", "a negative r": "OutOfRange", "an empty signature": "Structure", "a signature cut short": "Structure",
    "no bytes of signatures": "Unsigned", "signed without the header": "SignatureMismatch", "one bit of a key flipped": "SignatureMismatch",
    "another batch number beside the signature": "SignatureBatch", "no batch size beside the signature": "SignatureBatch",
    "another key id beside the signature": "SignatureInfoMismatch", "no algorithm beside the signature": "SignatureInfoMismatch",
    "the algorithm as text": "SignatureAlgorithm", "an unknown field in an entry": "SignatureListMalformed",
    "a batch number twice": "SignatureListMalformed", "the list of signatures cut short": "Truncated",
    "header: no header": "Mismatch", "header: a tab among the spaces": "Mismatch", "half a header": "TooShort",
    "the last key cut short, and signed so": "Truncated", "field number 0": "Tag", "a group": "Group", "a wire type that does not exist": "Tag",
    "the region as a number": "WireType", "a varint of eleven bytes": "Varint", "a region that is not UTF-8": "Text",
    "the second key: 15 bytes": "KeyInvalid", "the second key: period 145": "KeyInvalid", "the second key: a negative start": "KeyInvalid",
    "two names, one signature": "SignatureCount", "a key twice": "DuplicateKey", "a start after the end": "TimesInvalid", "batch 2 of 1": "BatchInvalid",
}
ARCHIVE_REASONS = {
    "export.bin twice": "Duplicate", "export.bin twice, the other first": "Duplicate", "export.sig twice": "Duplicate",
    "a first export.bin that the central directory does not list": "Hidden", "a last export.bin that the central directory does not list": "Hidden",
    "another name in the local header": "LocalHeader Name", "another size in the local header": "LocalHeader Size",
    "export.bin as ../export.bin": "Name", "export.bin as /export.bin": "Name", "export.bin as ..\\export.bin": "Name",
    "a third member": "Unexpected", "a directory": "Name", "a symbolic link": "NotAFile", "no export.bin": "Missing", "no export.sig": "Missing",
    "no members": "Missing", "names in upper case": "Missing", "a zero after the name": "Name", "a megabyte in a kilobyte": "Ratio",
    "twenty members more": "TooManyMembers", "the bit that says encrypted": "Encrypted", "strong encryption": "Encrypted",
    "compressed with bzip2": "Method", "sizes in ZIP64": "Zip64", "a wrong checksum": "Checksum",
    "a wrong checksum behind deflated data": "Checksum", "bytes after": "Trailing", "bytes between the members": "Gap",
    "one member counted too many": "CentralDirectory", "one member counted too few": "CentralDirectory", "cut short: half": "NotAnArchive",
    "no archive": "NotAnArchive", "deflated data that are none": "Inflate", "more after the end of the deflated data": "TrailingData",
    "an offset beyond the archive": "Hidden",
}


def add_archives(collection):
    group = collection.group("export.archive")
    rng = random.Random("archives")
    ours = private_key("signing key")
    content = File([drawn_key(rng)]).bytes()
    signatures = signature_list(signed(sign(ours, content)))
    found = {"export_bin": content.hex(), "export_sig": signatures.hex()}

    def both(**more):
        return [Member("export.bin", content, **more), Member("export.sig", signatures, **more)]

    def case(comment, zip, error="archive", flags=(), result=None, reason=None):
        result = result or ("invalid" if error else "valid")
        reason = reason or (ARCHIVE_REASONS.get(comment) if error else None)
        group.test(comment, {"zip": in_hex(zip)}, found if result == "valid" else NOTHING, result, flags, error, reason=reason)

    def good(comment, zip, flags=()):
        case(comment, zip, None, flags)

    good("stored", archive(both()))
    good("deflated", archive(both(method=8)))
    good("deflated, sizes behind the data", archive(both(method=8, flags=0x08)), ["DataDescriptor"])
    good("deflated, sizes behind the data, names in UTF-8", archive(both(method=8, flags=0x808)), ["DataDescriptor"])
    good("the signatures first", archive(both(method=8)[::-1]))
    good("one stored, one deflated", archive([both()[0], both(method=8)[1]]))

    evil = File([drawn_key(rng)]).bytes()
    first, last = Member("export.bin", evil), Member("export.bin", evil)
    case("export.bin twice", archive([first, *both()]), flags=["DuplicateMember"])
    case("export.bin twice, the other first", archive([*both(), last]), flags=["DuplicateMember"])
    case("export.sig twice", archive([*both(), Member("export.sig", b"")]), flags=["DuplicateMember"])
    case("a first export.bin that the central directory does not list", archive([first, *both()], hidden=[first]), flags=["HiddenMember"])
    case("a last export.bin that the central directory does not list", archive([*both(), last], hidden=[last]), flags=["HiddenMember"])
    renamed = Member("export.bin", content, local_name=b"export.bak")
    case("another name in the local header", archive([renamed, both()[1]]), flags=["HiddenMember"])
    case("another size in the local header", archive([Member("export.bin", content, local_size=len(content) + 1), both()[1]]), flags=["HiddenMember"])
    case("another size in the central directory", archive([Member("export.bin", content, central_size=len(content) - 1), both()[1]]), flags=["HiddenMember"])
    for name in ["../export.bin", "/export.bin", "a/export.bin", "a/../export.bin", "..\\export.bin", "C:\\export.bin", "./export.bin"]:
        case(f"export.bin as {name}", archive([Member(name, content), both()[1]]), flags=["PathTraversal"])
        case(f"a third member {name}", archive([*both(), Member(name, b"")]), flags=["PathTraversal", "ThirdMember"])
    case("a third member", archive([*both(), Member("readme.txt", b"")]), flags=["ThirdMember"])
    case("a directory", archive([*both(), Member("export/", b"")]), flags=["ThirdMember"])
    case("a symbolic link", archive([*both(), Member("link", b"/etc/hosts", system=3, attributes=0o120777 << 16)]), flags=["ThirdMember"])
    case("a third member content.sig, as the Dutch archives have it", archive([*both(), Member("content.sig", b"")]), None, ["ThirdMember"], "acceptable")
    case("no export.bin", archive(both()[1:]), flags=["MissingMember"])
    case("no export.sig", archive(both()[:1]), flags=["MissingMember"])
    case("no members", archive([]), flags=["MissingMember"])
    case("names in upper case", archive([Member("EXPORT.BIN", content), Member("EXPORT.SIG", signatures)]), flags=["MissingMember"])
    case("a zero after the name", archive([Member(b"export.bin\0", content), both()[1]]), flags=["MissingMember"])
    many = 4096
    bomb = Member("export.bin", bytes(1 + 258 * many), method=8, packed=zeros(many))
    case("a megabyte in a kilobyte", archive([bomb, both()[1]]), flags=["Bomb"])
    case("twenty members more", archive([*both(), *(Member(f"{n:03}", b"") for n in range(20))]), flags=["ThirdMember"])
    case("the bit that says encrypted", archive(both(flags=0x01)), flags=["ZipFeature"])
    case("strong encryption", archive(both(flags=0x41)), flags=["ZipFeature"])
    case("compressed with bzip2", archive(both(method=12)), flags=["ZipFeature"])
    wide = struct.pack("<HHQQ", 1, 16, len(content), len(content))
    case("sizes in ZIP64", archive([Member("export.bin", content, version=45, central_size=0xFFFF_FFFF, extra=wide), both()[1]]), flags=["ZipFeature"])
    case("a wrong checksum", archive([Member("export.bin", content, crc=1), both()[1]]), flags=["Checksum"])
    case("a wrong checksum behind deflated data", archive([Member("export.bin", content, method=8, flags=8, crc=1), both()[1]]), flags=["Checksum"])
    whole = archive(both(method=8))
    case("bytes before", archive(both(), before=b"#!/bin/sh\n"), flags=["Damaged"])
    case("bytes after", archive(both(), after=b"\0"), flags=["Damaged"])
    case("bytes between the members", archive([both()[0], Gap(b"\0" * 7), both()[1]]), flags=["Damaged"])
    case("a comment", archive(both(), comment=b"hello"), None, ["Unspecified"], "acceptable")
    case("one member counted too many", archive(both(), count=3), flags=["Damaged"])
    case("one member counted too few", archive(both(), count=1), flags=["Damaged"])
    for comment, cut in [("half", len(whole) // 2), ("all but the last byte", len(whole) - 1), ("four bytes", 4), ("nothing", 0)]:
        case(f"cut short: {comment}", whole[:cut], flags=["Damaged"])
    case("no archive", content, flags=["Damaged"])
    broken = both(method=8)
    broken[0].packed = b"\x07" + broken[0].packed[1:]
    case("deflated data that are none", archive(broken), flags=["Damaged"])
    trailing = both(method=8)
    trailing[0].packed += b"\0\0"
    case("more after the end of the deflated data", archive(trailing), flags=["Damaged"])
    shared = Member("export.sig", content, local_name=b"")
    shared.local = bytes
    case("two names for one member", archive([both()[0], shared], shift=-len(both()[0].local())), flags=["HiddenMember"])
    case("an offset beyond the archive", archive([both()[0], both()[1]], shift=0x10000), flags=["Damaged"])

    def bin(**more):
        """The usual archive, its first member deflated and with some fields replaced."""
        return archive([Member("export.bin", content, **({"method": 8} | more)), both(method=8)[1]])

    limit = 64 << 20
    case("32 MiB and one byte", ((whole, 1), (b"\0", (32 << 20) + 1 - len(whole))), flags=["Limit"], reason="TooLarge")
    case("a member of 64 MiB and one byte", bin(local_size=limit + 1, central_size=limit + 1), flags=["Limit"], reason="MemberTooLarge")
    case("64 KiB of signatures and one byte", archive([both()[0], Member("export.sig", bytes((64 << 10) + 1), method=8, packed=zeros(254))]), flags=["Limit"], reason="MemberTooLarge")
    case("eight members", archive([*both(), *(Member(f"m{n}", b"") for n in range(6))]), flags=["ThirdMember", "Limit"], reason="Unexpected")
    case("nine members", archive([*both(), *(Member(f"m{n}", b"") for n in range(7))]), flags=["ThirdMember", "Limit"], reason="TooManyMembers")
    packed = stored_deflate(content)
    announced = 200 * len(packed)
    case("two hundred bytes from each, and one", bin(local_size=announced + 1, central_size=announced + 1), flags=["Limit", "Bomb"], reason="Ratio")
    case("two hundred bytes from each, which are not there", bin(local_size=announced, central_size=announced), flags=["Bomb"], reason="Length")
    case("deflated data that go on beyond the announced size", bin(local_size=len(content) - 1, central_size=len(content) - 1), flags=["Bomb"], reason="Length")
    case("deflated data without their end", bin(packed=b"\0" + packed[1:]), flags=["Damaged"], reason="Inflate")
    case("deflated data cut short", bin(packed=packed[:-1]), flags=["Damaged"], reason="Length")
    case("stored, and another size than it has", archive([Member("export.bin", content, local_size=len(content) + 1, central_size=len(content) + 1), both()[1]]), flags=["Damaged"], reason="Length")

    for comment, more, field in [
        ("method", {"local_method": 0}, "Method"), ("flags", {"local_flags": 0x800}, "Flags"), ("checksum", {"local_crc": 1}, "Checksum"),
        ("size of the deflated data", {"local_packed": 1}, "Size"),
    ]:
        case(f"another {comment} in the local header", bin(**more), flags=["HiddenMember"], reason=f"LocalHeader {field}")
    case("another checksum behind the data", bin(flags=8, behind_crc=1), flags=["DataDescriptor", "HiddenMember"], reason="LocalHeader Checksum")
    case("stored, sizes behind the data", archive(both(flags=8)), flags=["DataDescriptor"], reason="Flags")
    case("an encrypted directory", bin(flags=1 << 13), flags=["ZipFeature"], reason="Encrypted")
    case("patched data", bin(flags=1 << 5), flags=["ZipFeature"], reason="Flags")
    for method in [1, 6, 9, 14, 93, 99]:
        case(f"compressed by method {method}", bin(method=method), flags=["ZipFeature"], reason="Method")
    case("the end says ZIP64: the offset", archive(both(), offset=0xFFFF_FFFF), flags=["ZipFeature"], reason="Zip64")
    case("the end says ZIP64: the size", archive(both(), size=0xFFFF_FFFF), flags=["ZipFeature"], reason="Zip64")
    case("the end says ZIP64: the count", archive(both(), count=0xFFFF), flags=["ZipFeature"], reason="Zip64")
    case("a ZIP64 field that nothing asks for", bin(extra=wide), flags=["ZipFeature"], reason="Extra")
    case("a ZIP64 field in the local header alone", bin(local_extra=wide), flags=["ZipFeature", "HiddenMember"], reason="Extra")
    other_name = b"\1" + struct.pack("<I", zlib.crc32(b"export.bin")) + b"export.exe"
    case("another name in an extra field", bin(extra=struct.pack("<HH", 0x7075, len(other_name)) + other_name), flags=["HiddenMember"], reason="Extra")
    case("an extra field that is cut short", bin(extra=b"\x55\x54\x09\0\1"), flags=["Damaged"], reason="Extra")
    good("an extra field with times", bin(extra=b"\x55\x54\x05\0\1" + struct.pack("<I", MIDNIGHT)))
    case("one of two volumes", archive(both(), disk=1), flags=["ZipFeature"], reason="MultiVolume")
    case("a member that is said to be a directory", bin(attributes=0x10), flags=["ThirdMember"], reason="NotAFile")
    case("a member that is said to be a device", bin(system=3, attributes=0o060600 << 16), flags=["ThirdMember"], reason="NotAFile")
    case("no name at all", archive([*both(), Member("", b"")]), flags=["PathTraversal"], reason="Name")
    for comment, name in [("a name in UTF-8", "expört.bin".encode()), ("a name with a line break", b"a\nb"), ("a name that begins with a dot", b".hidden")]:
        case(comment, archive([*both(), Member(name, b"")]), flags=["PathTraversal"], reason="Name")
    case("export.bin twice, in two cases of letters", archive([*both(), Member("Export.bin", b"")]), flags=["DuplicateMember", "ThirdMember"], reason="Unexpected")
    first, second = both()
    case("a member that begins within the one before", archive([first, second], shift=-1), flags=["HiddenMember"], reason="Overlap")
    case("a directory that ends before the end", archive(both(), size=10), flags=["Damaged"], reason="CentralDirectory")
    case("two archives, one behind the other", whole + whole, flags=["Damaged", "HiddenMember"], reason="CentralDirectory")


READERS = ["apple", "android", "cwa", "google", "microg", "nl"]


def add_readers(collection):
    """What published readers take. Told for each file is who takes it; that follows from their code as it was read, not from a computation."""
    rng = random.Random("readers")
    ours, other = private_key("signing key"), private_key("another signing key")
    group = collection.group("export.reader", {"public_key_pem": public_pem(ours), "other_public_key_pem": public_pem(other)})
    usual = File([drawn_key(rng, n, transmission_risk_level=5) for n in range(2)])

    def case(comment, given, takes, flags=("Reader",), strict="invalid", lenient="valid", never=None, unknown=()):
        """`never` is the verdict that nobody's taking changes; `unknown` are readers of whom nothing is said."""
        takes = set(takes.split())
        assert takes <= set(READERS), comment
        verdict = {"strict": strict, "lenient": lenient}
        verdict |= {name: never or ("valid" if name in takes else "invalid") for name in READERS}
        reader = {name: "accepts" if name in takes else "refuses" for name in READERS if name not in unknown}
        expected = {"verdict": verdict, "reader": reader} if reader else {"verdict": verdict}
        group.test(comment, {name: value.hex() for name, value in given.items()}, expected, flags=list(flags))

    def files(file, *signatures):
        content = file if isinstance(file, bytes) else file.bytes()
        signatures = signatures or [signed(sign(ours, content))]
        return {"export_bin": content, "export_sig": signature_list(*signatures)}

    everybody = "apple android cwa google microg nl"
    but_android = "apple cwa google microg"
    case("a file that everybody takes", files(usual), everybody, strict="valid")

    infos = [INFO | {"verification_key_version": "v2"}, INFO]
    rotated = File(usual.keys, infos=infos)
    both = [signed(sign(other, rotated.bytes()), infos[0]), signed(sign(ours, rotated.bytes()), infos[1])]
    swapped = File(usual.keys, infos=infos[::-1])
    first = [signed(sign(ours, swapped.bytes()), infos[1]), signed(sign(other, swapped.bytes()), infos[0])]
    several = ["Reader", "SeveralSigners"]
    case("the first signature by a key that is not trusted", files(rotated, *both), "android cwa google nl", several, strict="valid")
    case("the second signature by a key that is not trusted", files(swapped, *first), "apple android cwa google nl", several, strict="valid")
    case(
        "two signatures under the trusted key",
        files(rotated, *(signed(sign(ours, rotated.bytes()), info) for info in infos)), everybody, several, strict="valid",
    )
    broken = [signed(sign(ours, swapped.bytes()), infos[1]), signed(sign(ours, swapped.bytes()) + b"\0", infos[0])]
    case("the second signature in no DER", files(swapped, *broken), "apple android cwa google nl", several)

    def named(**more):
        info = INFO | more
        return File(usual.keys, infos=[info]), info

    def with_info(algorithm=None, **more):
        file, info = named(**more)
        return files(file, signed(sign(ours, file.bytes(), algorithm), info))

    name = ["Reader", "SignatureInfo"]
    case("a signature that does not name the version of its key", with_info(verification_key_version=None), "android cwa google microg nl", name, strict="valid")
    case("the algorithm as the text SHA256withECDSA", with_info(signature_algorithm="SHA256withECDSA"), "apple cwa google", name)
    case("the algorithm as the text ECDSA p-256 SHA-256", with_info(signature_algorithm="ECDSA p-256 SHA-256"), "apple cwa google", name)
    case("no algorithm", with_info(signature_algorithm=None), "apple cwa google", name)
    sha512 = "1.2.840.10045.4.3.4"
    case("SHA-512, and named so", with_info(hashes.SHA512(), signature_algorithm=sha512), "android nl", ["Reader", "WrongDigest"], lenient="invalid")
    case("SHA-256, named as SHA-512", with_info(signature_algorithm=sha512), "apple cwa google", ["Reader", "WrongDigest"])
    case("SHA-512, named as SHA-256", with_info(hashes.SHA512()), "", ["Reader", "WrongDigest"], lenient="invalid")
    beside = INFO | {"verification_key_id": "263"}
    content = usual.bytes()
    case("another name beside the signature than in the file", files(usual, signed(sign(ours, content), beside)), everybody, name)
    case("another batch beside the signature than in the file", files(usual, signed(sign(ours, content), batch_num=1, batch_size=7)), everybody, ["Reader", "Batch"])

    r, s = decode_dss_signature(sign(ours, content))
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    case("r and s side by side", files(usual, signed(raw)), "", ["Reader", "RawSignature"])
    case("signed by another key", files(usual, signed(sign(other, content))), "", ["Reader", "WrongKey"], lenient="invalid")
    case("signed without the header", files(usual, signed(sign(ours, content[16:]))), "", ["Reader", "HeaderUnsigned"], lenient="invalid")

    unsigned = ["Reader", "NoSignature"]
    nobody = {"lenient": "invalid", "never": "invalid"}
    case("no signature, though one is listed", files(usual) | {"export_sig": b""}, "microg", unsigned, **nobody)
    case("no signature, and none is listed", {"export_bin": File(usual.keys, infos=[]).bytes(), "export_sig": b""}, "microg", unsigned, **nobody)
    case("two signatures listed, and one there", files(rotated, both[1]), but_android, name, **nobody)
    case("one signature listed, and two there", files(usual, signed(sign(ours, content)), signed(sign(ours, content))), but_android, name, **nobody)
    case("no signature listed, and one there", files(File(usual.keys, infos=[])), but_android, name, **nobody)

    def batch(num, size):
        file = File(usual.keys, batch_num=num, batch_size=size)
        return files(file, signed(sign(ours, file.bytes()), batch_num=num, batch_size=size))

    case("number 2 of 3", batch(2, 3), everybody, ["Reader", "Batch"], strict="valid")
    case("number 1,000,000 of 1,000,000", batch(1_000_000, 1_000_000), everybody, ["Reader", "Batch"], strict="valid")
    for comment, num, size in [("2 of 1", 2, 1), ("0 of 1", 0, 1), ("1 of 1,000,001", 1, 1_000_001), ("none of 1", None, 1)]:
        case(f"number {comment}", batch(num, size), but_android, ["Reader", "Batch"])
    case("number 1 of nothing", batch(1, None), everybody, ["Reader", "Batch"])
    case("no batch", batch(None, None), everybody, ["Reader", "Batch"])

    def with_key(**more):
        return files(File([usual.keys[0], usual.keys[1] | more]))

    key = ["Reader", "BadKey"]
    case("the second key of 15 bytes", with_key(key_data=rng.randbytes(15).hex()), but_android, key)
    case("the second key of 17 bytes", with_key(key_data=rng.randbytes(17).hex()), but_android, key)
    case("the second key with period 0", with_key(rolling_period=0), but_android, key)
    case("the second key with period 145", with_key(rolling_period=145), but_android, key)
    case("the second key with a negative start", with_key(rolling_start_interval_number=-1), "android cwa google microg nl", key)
    case("the second key with risk level 9", with_key(transmission_risk_level=9), everybody, key)
    case("the second key with a level of 33 bits", with_key(transmission_risk_level=(1 << 32) + 5), "android cwa google microg nl", key)
    case("a key twice", files(File([usual.keys[0]] * 2)), everybody, ["Reader", "Duplicate"])
    case("a start after the end", files(File(usual.keys, start=MIDNIGHT + 3601)), everybody, ["Reader", "Times"])

    header = ["Reader", "Header"]
    unreadable = {"strict": "unreadable", "lenient": "unreadable"}
    body = content[16:]
    for comment, text in [("a tab among the spaces of the header", b"EK Export v1   \t"), ("line ends instead of spaces", b"EK Export v1\r\n\r\n")]:
        test = files(text + body)
        readers = {name: "accepts" if name == "microg" else "refuses" for name in READERS if name != "cwa"}
        verdict = {name: "unreadable" for name in ["strict", "lenient", *READERS]} | {"microg": "valid"}
        group.test(comment, {name: value.hex() for name, value in test.items()}, {"verdict": verdict, "reader": readers}, flags=header)
    settings = number(1, 11) + data(4, b"not keys")
    case("signed content that is no export", files(settings), "cwa", ["Reader"], strict="valid")

    def zipped(members):
        return {"zip": archive(members)}

    pair = [Member("export.bin", content), Member("export.sig", signature_list(signed(sign(ours, content))))]
    third = ["Reader", "ThirdMember"]
    case("an archive of two members", zipped(pair), "apple android cwa google microg", ["Reader"], strict="valid")
    case("an archive with content.sig", zipped([*pair, Member("content.sig", b"CMS")]), "apple cwa google nl", third)
    case("an archive with another third member", zipped([*pair, Member("readme.txt", b"")]), "apple cwa google", third)
    forged = Member("export.bin", File([drawn_key(rng)]).bytes())
    twice = ["Reader", "DuplicateMember"]
    silent = {"never": "unreadable", "unknown": ("apple", "android", "microg", "nl")} | unreadable
    case("a forged export.bin before the signed one", zipped([forged, *pair]), "cwa", twice, **silent)
    case("a forged export.bin after the signed one", zipped([*pair, forged]), "google", twice, **silent)
    hidden = {"never": "unreadable", "unknown": READERS} | unreadable
    last = Member("export.bin", forged.packed)
    case("a last export.bin that the central directory does not list", {"zip": archive([*pair, last], hidden=[last])}, "", ["Reader", "HiddenMember"], **hidden)


def add_explanations(collection):
    """Mistakes of producers, and a piece of the one line that names each. What was signed instead is made here, from the parts of the file."""
    rng = random.Random("explanations")
    ours, other = private_key("signing key"), private_key("another signing key")
    group = collection.group("export.explanation", {"public_key_pem": public_pem(ours), "other_public_key_pem": public_pem(other)})

    def case(comment, given, *says, flags=("SignedInstead",)):
        group.test(comment, {name: value.hex() for name, value in given.items()}, {"says": list(says)}, flags=list(flags))

    def signature_over(what, algorithm=None, key=ours):
        return {"export_bin": content, "export_sig": signature_list(signed(sign(key, what, algorithm)))}

    def written(der_bytes):
        return {"export_bin": content, "export_sig": signature_list(signed(der_bytes))}

    file = File([drawn_key(rng, n, transmission_risk_level=5) for n in range(2)])
    content = file.bytes()
    body = content[16:]
    whole, no_header = "over the whole file", "over the file without its 16-byte header"
    case("signed without the header", signature_over(body), no_header, flags=["HeaderUnsigned"])
    case("signed the header alone", signature_over(HEADER), "over the 16-byte header alone")
    case("signed nothing", signature_over(b""), "over nothing")
    case("SHA-512", signature_over(content, hashes.SHA512()), whole, "SHA-512 instead of SHA-256", flags=["WrongDigest"])
    case("SHA-384", signature_over(content, hashes.SHA384()), whole, "SHA-384 instead of SHA-256", flags=["WrongDigest"])
    case("SHA-512 without the header", signature_over(body, hashes.SHA512()), no_header, "SHA-512", flags=["WrongDigest"])
    digest = hashlib.sha256(content)
    case("the digest signed like a message", signature_over(digest.digest()), whole, "SHA-256 twice: its digest was signed", flags=["WrongDigest"])
    case("the digest as text signed like a message", signature_over(digest.hexdigest().encode()), whole, "in hexadecimal", flags=["WrongDigest"])

    r, s = decode_dss_signature(sign(ours, content))
    side_by_side = "64 raw bytes, r and s side by side, instead of DER"
    case("r and s side by side", written(r.to_bytes(32, "big") + s.to_bytes(32, "big")), side_by_side, flags=["RawSignature"])
    r_body, s_body = decode_dss_signature(sign(ours, body))
    raw_body = r_body.to_bytes(32, "big") + s_body.to_bytes(32, "big")
    case("r and s side by side, without the header", written(raw_body), side_by_side, no_header, flags=["RawSignature", "HeaderUnsigned"])
    fine = sign(ours, content)
    case("a length in the long form", written(b"\x30\x81" + fine[1:]), "not a DER sequence", whole, flags=["Der"])
    case("a zero behind the signature", written(fine + b"\0"), "1 bytes follow", whole, flags=["Der"])
    high = s if s >> 255 else ORDER - s
    unsigned = der(r, high, lambda value: value.to_bytes((value.bit_length() + 7) // 8, "big"))
    case("integers without the zero that makes them positive", written(unsigned), "between 1 and the order", whole, flags=["Der"])
    padded = der(r, s, lambda value: b"\0" + integer(value))
    case("integers with a zero too many", written(padded), "not in its shortest form", whole, flags=["Der"])

    def algorithm_as(text):
        info = INFO | {"signature_algorithm": text}
        made = File(file.keys, infos=[info]).bytes()
        return {"export_bin": made, "export_sig": signature_list(signed(sign(ours, made), info))}

    for text in ["SHA256withECDSA", "ECDSA p-256 SHA-256"]:
        case(f"the algorithm as the text {text}", algorithm_as(text), f'named as the text "{text}"', OID, flags=["SignatureInfo"])
    early = {"app_bundle_id": "org.example.en", "android_package": "v1", "verification_key_version": "262", "verification_key_id": OID}
    made = File(file.keys, infos=[early]).bytes()
    case(
        "names with the field numbers of May 2020", {"export_bin": made, "export_sig": signature_list(signed(sign(ours, made), early))},
        "the field numbers of May 2020", flags=["SignatureInfo"],
    )

    def rewritten(what, published, signed_instead, says):
        for where, start in [("", 0), (", without the header", 16)]:
            given = {"export_bin": published, "export_sig": signature_list(signed(sign(ours, signed_instead[start:])))}
            more = ["without its 16-byte header"] if start else []
            case(f"{what}{where}", given, says, *more)

    rewritten("another order of fields", HEADER + file.tail() + file.head(), content, "over the message written anew in canonical order")
    rewritten("before the signature infos were known", content, File(file.keys, infos=[]).bytes(), "over the message before its signature infos were written")
    short = File([{name: value for name, value in key.items() if name != "rolling_period"} for key in file.keys]).bytes()
    rewritten("with the default period left out", content, short, "over the message with default values left out")
    rewritten("with the default period written", short, content, "over the message with default values written")
    ascending = sorted(file.keys, key=lambda key: key["key_data"])
    descending = File(ascending[::-1]).bytes()
    rewritten("before the keys were put in another order", descending, File(ascending).bytes(), "over the message with its keys sorted")

    packed = Member("export.bin", content, method=8)

    def zipped(what, *more):
        return {"zip": archive([packed, Member("export.sig", signature_list(signed(sign(ours, what)))), *more])}

    case("signed as it is compressed", zipped(packed.packed), "over export.bin as it is compressed")
    case("signed another member", zipped(b"a manifest", Member("manifest.txt", b"a manifest")), "over the member manifest.txt", flags=["ThirdMember"])
    case("signed by a key that nobody knows", signature_over(content, key=other), flags=["WrongKey"])
    case("another file's signature", signature_over(File([drawn_key(rng)]).bytes()), flags=["WrongKey"])


def add_submissions(collection):
    now = MIDNIGHT + 14 * 3600
    group = collection.group("export.submission", {"now": now, "profile": "cwa"})
    rng = random.Random("submissions")

    def key(days_ago=1, **more):
        return drawn_key(rng, days_ago - 1, **({"transmission_risk_level": 5} | more))

    def payload(keys, padding=b"", origin="DE", visited=("DE",), kind=0):
        return (
            b"".join(data(1, key_message(k)) for k in keys) + data(2, padding or None) + b"".join(data(3, c) for c in visited)
            + data(4, origin) + number(5, 1) + number(7, kind)
        )

    def accepted(comment, keys, kept=None, flags=(), future=0, too_old=0, body=None):
        kept = keys if kept is None else kept
        expected = {"keys": kept, "dropped_future": future, "dropped_too_old": too_old}
        group.test(comment, {"payload": (body or payload(keys)).hex()}, expected, flags=flags)

    def refused(comment, body, error, flags):
        body = body if isinstance(body, bytes) else payload(body)
        group.test(comment, {"payload": body.hex()}, result="invalid", error=error, flags=flags)

    week = [key(day) for day in range(1, 8)]
    accepted("one key", [key()])
    accepted("a week, padded", week, body=payload(week, rng.randbytes(200)))
    accepted("14 keys", [key(day) for day in range(1, 15)])
    accepted("the key of the current day", [key(0)])
    accepted("a short key", [key(rolling_period=1)], flags=["ShortPeriod"])
    accepted("two keys of one day", [key(1, rolling_period=100), key(1)])
    accepted("days since onset instead of a level", [key(transmission_risk_level=None, days_since_onset_of_symptoms=-15)])
    twice = key(3)
    accepted("the same key twice, word for word", [twice, twice], [twice], ["Duplicate"])
    # At 14:00, a key that began 15 days ago at midnight ended 14 days and 14 hours ago; one cut short at 14:00 of its day, 14 days before.
    kept, old, tomorrow = key(1), key(15), key(-1)
    accepted("a key that ended more than 14 days ago", [kept, old], [kept], ["TooOld"], too_old=1)
    last, gone = key(14, rolling_period=84), key(14, rolling_period=83)
    accepted("keys that ended 14 days ago, and ten minutes more", [last, gone], [last], ["TooOld"], too_old=1)
    accepted("a key of tomorrow", [kept, tomorrow], [kept], ["Future"], future=1)
    accepted("keys from both ends", [old, tomorrow, kept], [kept], ["Future", "TooOld"], future=1, too_old=1)
    refused("no keys", [], "keys", ["KeyCount"])
    refused("nothing but padding", data(2, rng.randbytes(100)), "keys", ["KeyCount"])
    refused("15 keys", [key(day) for day in range(0, 15)], "keys", ["KeyCount"])
    refused("only keys that are left out", [old, tomorrow], "keys", ["Future", "TooOld"])
    for comment, more in [
        ("15 bytes", {"key_data": rng.randbytes(15).hex()}), ("17 bytes", {"key_data": rng.randbytes(17).hex()}), ("no bytes", {"key_data": ""}),
    ]:
        refused(f"key data of {comment}", [key(), key() | more], "key", ["WrongLength"])
    for period in [0, 145, -1]:
        refused(f"rolling period {period}", [key(rolling_period=period)], "key", ["RollingPeriod"])
    refused("a start in the middle of a day", [key(rolling_start_interval_number=START - 143)], "key", ["NotAtMidnight"])
    refused("a negative start", [key(rolling_start_interval_number=-144)], "key", ["NotAtMidnight"])
    for level in [-1, 9]:
        refused(f"transmission risk level {level}", [key(transmission_risk_level=level)], "key", ["BadKey"])
    for days in [-16, 4001]:
        refused(f"{days} days since onset", [key(days_since_onset_of_symptoms=days)], "key", ["BadKey"])
    refused("neither level nor days", [key(transmission_risk_level=None)], "key", ["BadKey"])
    refused("the same key with another level", [twice, twice | {"transmission_risk_level": 6}], "key", ["Contradiction"])
    whole = payload([key()])
    refused("cut short", whole[:20], "payload", ["Truncated"])
    refused("a key as a number", number(1, 5), "payload", ["WireFormat"])
    refused("text", b"not a message", "payload", ["WireFormat"])
    refused("another origin", payload([key()], origin="FR"), "countries", ["Country"])
    refused("a country that does not exist", payload([key()], visited=["DE", "XX"]), "countries", ["Country"])
