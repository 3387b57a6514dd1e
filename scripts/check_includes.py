#!/usr/bin/env python3
"""Fails on an include that goes against the arrows: base <- net <- tls, http <- proxy, and
base <- mesh <- cli. The proxy and the control plane share base, the protos and the wire."""
import pathlib
import re
import sys

SRC = pathlib.Path(__file__).resolve().parents[1] / "src"
# A room, and the rooms that it may include (itself goes without saying).
MAY_USE = {
    "base": set(),
    "net": {"base"},
    "tls": {"base", "net"},
    "http": {"base", "net"},
    "proxy": {"base", "net", "tls", "http"},
    "xds": {"base"},
    "pki": {"base"},
    "process": {"base"},
    "identity": {"base", "pki", "xds"},
    "mesh": {"base", "pki", "xds"},
    "cli": {"base", "mesh", "identity", "process", "pki", "xds"},
}
# Tests may start the other side of a wire.
TESTS_MAY_USE = {"identity": {"mesh"}}


def main() -> int:
    findings = []
    for path in sorted(SRC.rglob("*.[ch]*")):
        room = path.relative_to(SRC).parts[0]
        if room not in MAY_USE:
            if len(path.relative_to(SRC).parts) > 1:
                findings.append(f"{path.relative_to(SRC.parent)}: room {room} is not in scripts/check_includes.py")
            continue
        allowed = MAY_USE[room] | {room}
        if path.stem.endswith("_test"):
            allowed |= TESTS_MAY_USE.get(room, set())
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'#include "([^/"]+)/', line)
            if match and match.group(1) not in allowed:
                findings.append(f"{path.relative_to(SRC.parent)}:{number}: {room} must not include {match.group(1)}")
    print("\n".join(findings), end="\n" if findings else "")
    return 1 if findings else 0


sys.exit(main())
