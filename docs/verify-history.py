#!/usr/bin/env python3
"""Checks the hashes of a Pinfold history without Pinfold: verify-history.py /var/lib/pinfold/pinfold.db

Prints `ok COUNT`, or `bad SEQ` for the first event that is not what it was. docs/history.md explains the form.
"""

import hashlib
import json
import sqlite3
import sys

COLUMNS = (
    "seq time node boot_id type mount path path_left kind object_id object_type object_name "
    "actor unit operation_id before after"
).split()


def link(previous: bytes, row: sqlite3.Row) -> bytes:
    values = [row[name].hex() if isinstance(row[name], bytes) else row[name] for name in COLUMNS]
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"{previous.hex()}\n{text}".encode()).digest()


def check(database: sqlite3.Connection) -> str:
    database.row_factory = sqlite3.Row
    ends = database.execute("SELECT * FROM store").fetchone()
    seq, previous = ends["event_floor"], ends["event_floor_hash"]
    for row in database.execute("SELECT * FROM event WHERE seq > ? ORDER BY seq", (seq,)):
        seq += 1
        previous = link(previous, row)
        if row["seq"] != seq or row["hash"] != previous:
            return f"bad {seq}"
    if seq != ends["event_seq"]:
        return f"bad {min(seq, ends['event_seq']) + 1}"
    return f"ok {seq - ends['event_floor']}" if previous == ends["event_hash"] else f"bad {seq + 1}"


if __name__ == "__main__":
    verdict = check(sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True))
    print(verdict)
    sys.exit(0 if verdict.startswith("ok") else 1)
