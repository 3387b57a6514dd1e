"""Go programs of the tests, built once per machine and shared by the pytest workers."""
import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys

from support.paths import ROOT


def build(name: str) -> pathlib.Path:
    source = ROOT / "tests" / name
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(source.iterdir()))).hexdigest()[:16]
    program = ROOT / "build" / "go" / f"{name}-{digest}"
    program.parent.mkdir(parents=True, exist_ok=True)
    go = pathlib.Path(sys.executable).parent / "go"
    with open(program.parent / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            command = [str(go) if go.exists() else shutil.which("go"), "build", "-o", str(program), "."]
            subprocess.run(command, cwd=source, check=True, timeout=900)
    return program
