"""`content.sig` of Dutch archives: CMS SignedData (RFC 5652), written by hand so that it can be written wrong."""

import datetime
import hashlib
import random

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .envelope import note
from .export import READERS, File, Member, archive, drawn_key, private_key, public_pem, sign, signature_list, signed

note("ContentSig", "AUTHENTICATION", "the second signature of Dutch archives: right, for this content, and by the certificate that was given")
note("Cms", "SIGNATURE_ENCODING", "a CMS message that is another than a detached signature of plain data, or no message at all")
note("ContentBin", "CONSISTENCY", "an archive of content.bin and content.sig is never one of keys")

PROFILES = ["strict", "lenient", *READERS]
SIGNED_DATA, DATA, ENVELOPED = "1.2.840.113549.1.7.2", "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.3"
CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.5"
RSA, ECDSA = "1.2.840.113549.1.1.1", {"sha256": "1.2.840.10045.4.3.2", "sha384": "1.2.840.10045.4.3.3"}
WITH_RSA = {"sha256": "1.2.840.113549.1.1.11", "sha512": "1.2.840.113549.1.1.13"}
DIGESTS = {"sha1": "1.3.14.3.2.26", "sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2", "sha512": "2.16.840.1.101.3.4.2.3"}
ALGORITHMS = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}


# -- keys and certificates -------------------------------------------------------------------------------------------------------------


def prime(name):
    """The first prime from where a hash of the name points to, of 1024 bits."""
    seed = b"".join(hashlib.sha512(f"cwa-test-vectors: {name} {part}".encode()).digest() for part in range(2))
    candidate = int.from_bytes(seed, "big") | 3 << 1022 | 1
    small = [at for at in range(3, 2000, 2) if all(at % factor for factor in range(3, int(at**0.5) + 1, 2))]
    while not (all(candidate % factor for factor in small) and is_prime(candidate) and (candidate - 1) % 65537):
        candidate += 2
    return candidate


def is_prime(number):
    """Miller and Rabin's test."""
    twos = ((number - 1) & -(number - 1)).bit_length() - 1
    odd, rng = (number - 1) >> twos, random.Random("bases")
    for _ in range(40):
        power = pow(rng.randrange(2, number - 1), odd, number)
        if power != 1 and all(pow(power, 1 << at, number) != number - 1 for at in range(twos)):
            return False
    return True


def rsa_key(name):
    p, q = prime(f"{name} p"), prime(f"{name} q")
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public)
    return numbers.private_key()


class Signer:
    """A key with its certificate, issued by a made-up authority."""

    def __init__(self, name, key, authority, serial):
        self.key = key
        text = lambda common: x509.Name([x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "NL"), x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])  # noqa: E731
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        certificate = (
            x509.CertificateBuilder().subject_name(text(name)).issuer_name(text("authority")).public_key(key.public_key()).serial_number(serial)
            .not_valid_before(datetime.datetime(2020, 1, 1)).not_valid_after(datetime.datetime(2030, 1, 1))
            .add_extension(identifier, critical=False).sign(authority, hashes.SHA256())
        )
        self.issuer, self.serial, self.identifier = certificate.issuer.public_bytes(), serial, identifier.digest
        self.der = certificate.public_bytes(serialization.Encoding.DER)
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()

    def sign(self, content, digest):
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(content, padding.PKCS1v15(), ALGORITHMS[digest]())
        return sign(self.key, content, ALGORITHMS[digest]())

    def algorithm(self, digest):
        return RSA if isinstance(self.key, rsa.RSAPrivateKey) else ECDSA[digest]


# -- DER -------------------------------------------------------------------------------------------------------------------------------


def tlv(tag, *parts):
    body = b"".join(parts)
    length = bytes([len(body)]) if len(body) < 128 else (lambda octets: bytes([128 + len(octets)]) + octets)(len(body).to_bytes((len(body).bit_length() + 7) // 8, "big"))
    return bytes([tag]) + length + body


def oid(text):
    first, second, *rest = (int(part) for part in text.split("."))
    body = b""
    for number in [first * 40 + second, *rest]:
        septets = [number & 127]
        while number := number >> 7:
            septets.insert(0, 128 | number & 127)
        body += bytes(septets)
    return tlv(6, body)


def integer(value):
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def sequence(*parts):
    return tlv(0x30, *parts)


def set_of(*parts, tag=0x31):
    return tlv(tag, *sorted(parts))


def attribute(name, *values):
    return sequence(oid(name), set_of(*values))


def octets(value):
    return tlv(4, value)


def algorithm(name, null=True):
    return sequence(oid(name), tlv(5) if null else b"")


# -- CMS -------------------------------------------------------------------------------------------------------------------------------


def usual_attributes(content, digest, content_type=DATA):
    hashed = hashlib.new(digest, content).digest()
    time = tlv(0x17, b"200701000000Z")
    return [attribute(CONTENT_TYPE, oid(content_type)), attribute(MESSAGE_DIGEST, octets(hashed)), attribute(SIGNING_TIME, time)]


def signer_info(signer, content, digest="sha256", attributes=None, by_key=False, change=lambda signature: signature, key=None, named=None):
    """`attributes` are those that are signed; without any, the content is signed itself. `key` is the holder who really signs."""
    attributes = usual_attributes(content, digest) if attributes is None else attributes
    signature = change((key or signer).sign(set_of(*attributes) if attributes else content, digest))
    sid = tlv(0x80, signer.identifier) if by_key else sequence(signer.issuer, integer(signer.serial))
    return sequence(
        integer(3 if by_key else 1), sid, algorithm(DIGESTS[digest]), set_of(*attributes, tag=0xA0) if attributes else b"",
        algorithm(named or signer.algorithm(digest)), octets(signature),
    )


def cms(*infos, certificates=(), inside=None, content_type=DATA, kind=SIGNED_DATA, digest="sha256"):
    inner = sequence(oid(content_type), tlv(0xA0, octets(inside)) if inside is not None else b"")
    carried = set_of(*certificates, tag=0xA0) if certificates else b""
    message = sequence(integer(1), set_of(algorithm(DIGESTS[digest])), inner, carried, set_of(*infos))
    return sequence(oid(kind), tlv(0xA0, message))


# -- cases -----------------------------------------------------------------------------------------------------------------------------


def add(collection):
    rng = random.Random("content.sig")
    exporter, authority = private_key("signing key"), rsa_key("authority")
    ours, other = Signer("signer", rsa_key("signer"), authority, 7), Signer("another signer", rsa_key("another signer"), authority, 8)
    curve = Signer("signer on a curve", private_key("content.sig"), authority, 1 << 70)
    group = collection.group("export.content_sig", {"public_key_pem": public_pem(exporter)})
    file = File([drawn_key(rng, number) for number in range(2)])
    content = file.bytes()
    pair = [Member("export.bin", content), Member("export.sig", signature_list(signed(sign(exporter, content))))]
    # Who takes an archive with this third member, if nothing is asked of it.
    takes = {"lenient", "apple", "cwa", "google", "nl"}

    def case(comment, members, certificate, valid, flags, kind="exposure_keys", refusal="invalid"):
        given = {"zip": archive(members).hex()}
        if certificate is not None:
            given["certificate_pem"] = certificate.pem
        verdict = {name: "valid" if name in valid else refusal if name in PROFILES[:2] or name == "nl" or kind != "opaque" else "invalid" for name in PROFILES}
        group.test(comment, given, {"kind": kind, "verdict": verdict}, flags=flags)

    def beside(comment, message, certificate=ours, right=False, flags=("ContentSig",)):
        case(comment, [*pair, Member("content.sig", message)], certificate, takes if right else (), list(flags))

    usual = signer_info(ours, content)
    chain = [ours.der, other.der]
    beside("RSA, with signed attributes", cms(usual), right=True)
    beside("RSA, and the certificates along with it", cms(usual, certificates=chain), right=True)
    beside("RSA, without signed attributes", cms(signer_info(ours, content, attributes=[])), right=True)
    beside("RSA, with SHA-512", cms(signer_info(ours, content, "sha512"), digest="sha512"), right=True)
    beside("RSA, the algorithm named together with its digest", cms(signer_info(ours, content, named=WITH_RSA["sha256"])), right=True)
    beside("RSA, the certificate named by its key", cms(signer_info(ours, content, by_key=True)), right=True)
    beside("ECDSA", cms(signer_info(curve, content)), curve, right=True)
    beside("ECDSA, without signed attributes", cms(signer_info(curve, content, attributes=[])), curve, right=True)
    beside("ECDSA, with SHA-384", cms(signer_info(curve, content, "sha384"), digest="sha384"), curve, right=True)
    beside("two signers, one of them asked for", cms(usual, signer_info(curve, content)), curve, right=True)
    case("no certificate is given", [*pair, Member("content.sig", cms(usual))], None, takes, ["ContentSig"])
    case("no certificate is given, and it is no CMS", [*pair, Member("content.sig", b"CMS")], None, takes, ["ContentSig"])
    case("no content.sig, and a certificate is given", pair, ours, (), ["ContentSig"])
    case("no content.sig, and no certificate", pair, None, (takes | {"strict", "android", "microg"}) - {"nl"}, ["ContentSig"])

    changed = bytearray(content)
    changed[-1] ^= 1
    beside("over other content", cms(signer_info(ours, bytes(changed))))
    beside("over other content, without signed attributes", cms(signer_info(ours, bytes(changed), attributes=[])))
    beside("over the content without its header", cms(signer_info(ours, content[16:])))
    beside("by another certificate", cms(usual), other)
    beside("by another kind of key", cms(usual), curve)
    beside("another certificate is named than the one that signed", cms(signer_info(ours, content, key=other)))
    beside("another certificate comes along, and signed", cms(signer_info(other, content), certificates=chain))
    beside("one bit of the signature is changed", cms(signer_info(ours, content, change=lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]))))
    beside("no signature in it", cms())
    wrong = ("Cms",)
    typed, hashed, _ = usual_attributes(content, "sha256")
    beside("signed attributes without the digest of the content", cms(signer_info(ours, content, attributes=[typed])), flags=wrong)
    beside("signed attributes without the type of the content", cms(signer_info(ours, content, attributes=[hashed])), flags=wrong)
    second = attribute(MESSAGE_DIGEST, octets(hashlib.sha256(changed).digest()))
    beside("signed attributes with two digests", cms(signer_info(ours, content, attributes=[typed, hashed, second])), flags=wrong)
    both = attribute(MESSAGE_DIGEST, octets(hashlib.sha256(content).digest()), octets(hashlib.sha256(changed).digest()))
    beside("a signed attribute with two digests", cms(signer_info(ours, content, attributes=[typed, both])), flags=wrong)
    beside("signed attributes of another type of content", cms(signer_info(ours, content, attributes=usual_attributes(content, "sha256", ENVELOPED))), flags=wrong)
    beside("content of another type", cms(usual, content_type=ENVELOPED), flags=wrong)
    beside("the content within the signature", cms(usual, inside=content), flags=wrong)
    beside("other content within the signature, and signed", cms(signer_info(ours, bytes(changed)), inside=bytes(changed)), flags=wrong)
    beside("a message of another kind", cms(usual, kind=ENVELOPED), flags=wrong)
    beside("SHA-1", cms(signer_info(ours, content, "sha1"), digest="sha1"), flags=wrong)
    beside("the algorithm of another digest", cms(signer_info(ours, content, named=WITH_RSA["sha512"])), flags=wrong)
    beside("the algorithm of another kind of key", cms(signer_info(ours, content, named=ECDSA["sha256"])), flags=wrong)
    beside("cut short by one byte", cms(usual)[:-1], flags=wrong)
    beside("a byte behind the end", cms(usual) + b"\0", flags=wrong)
    beside("lengths left open, as in BER", b"\x30\x80" + cms(usual)[4:] + b"\0\0", flags=wrong)
    beside("empty", b"", flags=wrong)
    beside("64 raw bytes", rng.randbytes(64), flags=wrong)
    beside("longer than 64 KiB", cms(usual, certificates=[sequence(octets(rng.randbytes(66000)))]), flags=wrong)

    settings = b'{"manifestVersion":"v4"}'
    alone = ["ContentBin"]

    def content_bin(comment, content, certificate, valid, message=None, refusal="invalid"):
        members = [Member("content.bin", content), Member("content.sig", message or cms(signer_info(ours, content)))]
        case(comment, members, certificate, {"strict", "lenient", "nl"} if valid else (), alone, kind="opaque", refusal=refusal)

    content_bin("content.bin and content.sig", settings, ours, True)
    content_bin("content.bin that is an export of keys", content, ours, True)
    content_bin("content.bin and content.sig, and no certificate", settings, None, False, refusal="untrusted")
    content_bin("content.bin, signed by another", settings, other, False)
    content_bin("content.bin, and the signature of other content", settings, ours, False, message=cms(usual))
