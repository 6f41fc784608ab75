#!/usr/bin/env python3
"""Writes what `cmd/match.in/received.jsonl` says in the other forms of sightings, into `cmd/sightings.in`. Needs Python alone.

A second writer of these forms, so that what the command line reads is not only what it writes itself.
"""

import json
import pathlib
import sqlite3

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


def main():
    OUT.mkdir(exist_ok=True)
    (OUT / "scan.csv").write_text(scan_csv(), encoding="utf-8")
    ramble(OUT / "ramble.db")
    microg(OUT / "microg.db")
    photos = OUT / "photos.db"
    database(photos, "CREATE TABLE photos (id INTEGER PRIMARY KEY, path TEXT);", [])
    # Copied while it was in use: what is in the log is not looked at before it is missed.
    (OUT / "in-use.db").write_bytes(photos.read_bytes())
    (OUT / "in-use.db-wal").write_bytes(b"rows")


if __name__ == "__main__":
    main()
