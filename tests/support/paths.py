"""Where the programs under test and their peers are."""
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SENNIT_BUILD", ROOT / "build" / "release"))
SENNIT = BUILD / "sennit"
PROXY = BUILD / "sennit-proxy"
ENVOY = pathlib.Path(sys.executable).parent / "envoy"
BOOKINFO = ROOT / "examples" / "bookinfo"
