#!/usr/bin/env python3
"""Writes what `cmd/match.in/received.jsonl` says in the other forms of sightings, into `cmd/sightings.in`. Needs Python alone.

A second writer of these forms, so that what the command line reads is not only what it writes itself.
"""

import json
import pathlib
import sqlite3
import struct

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE.parent / "cmd" / "sightings.in"
LINES = (HERE.parent / "cmd" / "match.in" / "received.jsonl").read_text(encoding="utf-8").splitlines()
HEARD = [(bytes.fromhex(line["rpi"]), bytes.fromhex(line["aem"]), line["rssi_dbm"], line["seen_at"]) for line in map(json.loads, LINES)]


def scan_csv():
    """Rows of one moment each, with an address and a place that nothing may show."""
    rows = ["StartTime;EndTime;RPI;AEM;MaxRSSI;BDADDR;LAT;LON;Altitude;Speed"]
    for rpi, aem, rssi, seen_at in HEARD:
        rows.append(f"{seen_at};{seen_at};{rpi.hex().upper()};{aem.hex()};{rssi};7A:5E:C2:E7:00:01;52.5163;13.3777;34;1.3")
    # A phone whose clock was set back.
    rows.append(f"{seen_at};{seen_at - 60};{rpi.hex()};{aem.hex()};-60;7A:5E:C2:E7:00:01;;;;")
    return "\n".join(rows) + "\n"


def database(path, statements, rows):
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA page_size = 512")
    connection.executescript(statements)
    for statement, values in rows:
        connection.executemany(statement, values)
    connection.commit()
    connection.execute("VACUUM")
    connection.close()


def ramble(path):
    devices = {}
    for rpi, aem, _, _ in HEARD:
        devices.setdefault((rpi, aem), len(devices) + 1)
    database(
        path,
        """CREATE TABLE android_metadata (locale TEXT);
        CREATE TABLE devices (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, address TEXT, service_data TEXT);
        CREATE TABLE locations (id INTEGER PRIMARY KEY AUTOINCREMENT, device_id INTEGER, rssi INTEGER, timestamp INTEGER,
            latitude REAL, longitude REAL);""",
        [
            ("INSERT INTO android_metadata VALUES (?)", [("de_DE",)]),
            (
                "INSERT INTO devices VALUES (?, NULL, '7A:5E:C2:E7:00:01', ?)",
                [(number, f"fd6f:{(rpi + aem).hex()}") for (rpi, aem), number in devices.items()] + [(90, "180f:64"), (91, None)],
            ),
            (
                "INSERT INTO locations VALUES (NULL, ?, ?, ?, 52.5163, 13.3777)",
                [(devices[rpi, aem], rssi, seen_at) for rpi, aem, rssi, seen_at in HEARD]
                + [(90, -60, 1585821630), (91, -60, 1585821630), (91, -61, 1585821635)],
            ),
        ],
    )


def microg(path):
    rows = [(rpi, aem, seen_at * 1000 + 250, rssi, 0) for rpi, aem, rssi, seen_at in HEARD]
    # An identifier without metadata, and one with more than that.
    rows += [(b"\1" * 16, b"", 1585821630000, -60, 0), (b"\2" * 16, b"\3" * 6, 1585821630000, -60, 5000)]
    database(
        path,
        """CREATE TABLE advertisements (rpi BLOB NOT NULL, aem BLOB NOT NULL, timestamp INTEGER NOT NULL, rssi INTEGER NOT NULL,
            duration INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (rpi, timestamp));
        CREATE INDEX index_advertisements_timestamp ON advertisements(timestamp);""",
        [("INSERT INTO advertisements VALUES (?, ?, ?, ?, ?)", rows)],
    )


# Captures. Layouts: Bluetooth Core Specification, volume 4 part E 7.7.65 (HCI) and volume 6 part B 2 (link layer);
# tcpdump.org's list of link types; the Internet draft of pcapng.

ADDRESS = bytes.fromhex("0100e7c25e7a")


def advertising_data(rpi, aem, flags=True):
    service = bytes.fromhex("03036ffd17166ffd") + rpi + aem
    return bytes.fromhex("02011a") + service if flags else service


def le_meta(subevent, *reports):
    parameters = bytes([subevent, len(reports)]) + b"".join(reports)
    return bytes([0x3E, len(parameters)]) + parameters


def report(data, rssi):
    """Of an LE Advertising Report: ADV_NONCONN_IND from a random address."""
    return bytes([3, 1]) + ADDRESS + bytes([len(data)]) + data + struct.pack("<b", rssi)


def extended_report(data, rssi, event_type=0x10):
    """Of an LE Extended Advertising Report: legacy PDU, 1 Mbit/s, no other PHY, no SID."""
    head = struct.pack("<HB6sBBBbbHB6s", event_type, 1, ADDRESS, 1, 0, 0xFF, 127, rssi, 0, 0, bytes(6))
    return head + bytes([len(data)]) + data


def crc24(pdu):
    """x^24 + x^10 + x^9 + x^6 + x^4 + x^3 + x + 1 from 0x555555, bit by bit as they are sent, sent from the highest place on."""
    register = 0x555555
    for byte in pdu:
        for place in range(8):
            feedback = (register >> 23) ^ (byte >> place & 1)
            register = register << 1 & 0xFFFFFF ^ (0x00065B if feedback else 0)
    return int(f"{register:024b}"[::-1], 2).to_bytes(3, "little")


def packet(data, pdu_type=2):
    """From the access address on; 0x40: the address is random."""
    pdu = bytes([0x40 | pdu_type, 6 + len(data)]) + ADDRESS + data
    return struct.pack("<I", 0x8E89BED6) + pdu + crc24(pdu)


def with_header(data, rssi, flags=0x0C13):
    """De-whitened, with signal power, reference access address, and a checksum that is right."""
    return struct.pack("<BbbBIH", 37, rssi, -128, 0, 0x8E89BED6, flags) + data


def nordic(data, rssi, version, kind, flags=1):
    lengths = struct.pack("<H", 10 + len(data)) if version == 3 else bytes([6, 10 + len(data)])
    return bytes([5]) + lengths + struct.pack("<BHBBBBBHI", version, 7, kind, 10, flags, 37, -rssi, 0, 100) + data


def pcap(link_type, records, order="<", fraction=1_000_000):
    """With the magic of microseconds or nanoseconds."""
    magic = {1_000_000: 0xA1B2C3D4, 1_000_000_000: 0xA1B23C4D}[fraction]
    file = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
    for seen_at, record in records:
        file += struct.pack(order + "IIII", seen_at, fraction * 3 // 4, len(record), len(record)) + record
    return file


def pcapng(order, interfaces, records):
    """`interfaces` are (link type, if_tsresol or None, units per second, if_tsoffset or None), `records` (interface, second, bytes)."""

    def padded(content):
        return content + bytes(-len(content) % 4)

    def option(code, value):
        return struct.pack(order + "HH", code, len(value)) + padded(value)

    def block(kind, content):
        length = 12 + len(content)
        return struct.pack(order + "II", kind, length) + content + struct.pack(order + "I", length)

    file = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    for link_type, resolution, _, offset in interfaces:
        options = b"" if resolution is None else option(9, bytes([resolution]))
        options += b"" if offset is None else option(14, struct.pack(order + "q", offset))
        file += block(1, struct.pack(order + "HHI", link_type, 0, 0) + options + option(0, b""))
    for interface, seen_at, record in records:
        _, _, units, offset = interfaces[interface]
        time = (seen_at - (offset or 0)) * units + units * 3 // 4
        head = struct.pack(order + "IIIII", interface, time >> 32, time & 0xFFFFFFFF, len(record), len(record))
        file += block(6, head + padded(record))
    return file


def btsnoop(data_link, records):
    """`records` are (flags, second, bytes)."""
    file = b"btsnoop\0" + struct.pack(">II", 1, data_link)
    for flags, seen_at, record in records:
        time = seen_at * 1_000_000 + 750_000 + 0x00DCDDB30F2F8000
        file += struct.pack(">IIIIq", len(record), len(record), flags, 0, time) + record
    return file


def captures():
    heard = [(advertising_data(rpi, aem), rssi, seen_at) for rpi, aem, rssi, seen_at in HEARD]
    events = [(seen_at, le_meta(2, report(data, rssi))) for data, rssi, seen_at in heard]
    first, last = HEARD[0][3], HEARD[-1][3]
    headphones = bytes.fromhex("020106050954776f730319c103")
    noise = [
        # A command and its answer, an event of another kind.
        (first, b"\x01" + bytes.fromhex("0c200201 00")),
        (first, b"\x04" + bytes.fromhex("0e0401 0c2000")),
        # Two reports in one event: headphones, and a phone without signal strength.
        (first, b"\x04" + le_meta(2, report(headphones, -70), report(heard[0][0], 127))),
        # The first part of a longer extended advertisement.
        (first, b"\x04" + le_meta(13, extended_report(headphones, -70, 0x20))),
    ]
    extended = [(seen_at, b"\x04" + le_meta(13, extended_report(data, rssi))) for data, rssi, seen_at in heard]
    h4 = [(seen_at, b"\x04" + event) for seen_at, event in events]
    yield "phone.btsnoop", btsnoop(1002, [(seen_at == first and event[0] == 1 and 2 or 3, seen_at, event) for seen_at, event in noise + h4])
    yield "hci.btsnoop", btsnoop(1001, [(2, first, bytes.fromhex("0c20020100"))] + [(3, *event) for event in events])
    yield "monitor.btsnoop", btsnoop(2001, [(2, first, bytes.fromhex("0c20020100"))] + [(3, *event) for event in events])
    yield "h4.pcap", pcap(187, noise + extended)
    yield "h4-direction.pcap", pcap(201, [(seen_at, b"\0\0\0\1" + event) for seen_at, event in h4], order=">")
    yield "monitor.pcap", pcap(254, [(seen_at, struct.pack(">HH", 0, 3) + event) for seen_at, event in events])
    air = [(seen_at, rssi, packet(data)) for data, rssi, seen_at in heard]
    damaged = bytearray(packet(heard[0][0]))
    damaged[-5] ^= 1
    scan_request = packet(ADDRESS, pdu_type=3)
    yield "air.pcap", pcap(251, [(seen_at, data) for seen_at, _, data in air] + [(last, bytes(damaged)), (last, scan_request)])
    # The first interface counts nanoseconds, the second 1024ths of a second from a day on, the third is a network.
    yield "air.pcapng", pcapng(
        "<",
        [(256, 9, 10**9, None), (256, 0x8A, 2**10, 86_400), (1, None, 10**6, None)],
        [(number % 2, seen_at, with_header(data, rssi)) for number, (seen_at, rssi, data) in enumerate(air)]
        + [
            (2, last, bytes(60)),
            (0, last, with_header(bytes(damaged), -60, 0x0413)),
            (0, last, with_header(air[0][2], 0, 0x0C11)),
            (0, last, with_header(scan_request, -60)),
        ],
    )
    yield "air-big-endian.pcapng", pcapng(">", [(256, 9, 10**9, -7_200)], [(0, seen_at, with_header(data, rssi)) for seen_at, rssi, data in air])
    yield "nordic.pcap", pcap(272, [(seen_at, nordic(data, rssi, 3, 2)) for seen_at, rssi, data in air] + [(last, nordic(bytes(damaged), -60, 3, 2, 0))], fraction=10**9)
    yield "nordic-1.pcap", pcap(272, [(seen_at, nordic(data, rssi, 1, 6)) for seen_at, rssi, data in air])


def main():
    OUT.mkdir(exist_ok=True)
    (OUT / "scan.csv").write_text(scan_csv(), encoding="utf-8")
    ramble(OUT / "ramble.db")
    microg(OUT / "microg.db")
    for name, content in captures():
        (OUT / name).write_bytes(content)
    photos = OUT / "photos.db"
    database(photos, "CREATE TABLE photos (id INTEGER PRIMARY KEY, path TEXT);", [])
    # Copied while it was in use: what is in the log is not looked at before it is missed.
    (OUT / "in-use.db").write_bytes(photos.read_bytes())
    (OUT / "in-use.db-wal").write_bytes(b"rows")


if __name__ == "__main__":
    main()
