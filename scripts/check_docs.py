#!/usr/bin/env python3
"""Fails where a document names a file that is not there: links, and names like `src/http/codec.h`."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
NAME = re.compile(r"`((?:src|docs|tests|examples|scripts|bench|third_party|protos|cmake)/[\w./{},*-]+)`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def expand(name: str) -> list[str]:
    """`a/{b,c}.h` names two files."""
    match = re.match(r"(.*)\{([^}]*)\}(.*)", name)
    return [match[1] + part + match[3] for part in match[2].split(",")] if match else [name]


def main() -> int:
    findings = []
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for number, line in enumerate(document.read_text().splitlines(), 1):
            names = [(ROOT, n) for found in NAME.findall(line) for n in expand(found)]
            names += [(document.parent, link) for link in LINK.findall(line)]
            for base, name in names:
                if not (base / name).exists() and not list(base.glob(name)):
                    findings.append(f"{document.relative_to(ROOT)}:{number}: {name} is not there")
    print("\n".join(findings), end="\n" if findings else "")
    return 1 if findings else 0


sys.exit(main())
