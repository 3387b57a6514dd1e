#!/usr/bin/env python3
"""Cost per request of sennit-proxy beside its peers, all on the same work in one run.

    bench/bench.py [--work h1,h2-h1,h2-h2] [--peers a,b] [--requests N] [--json FILE]

Each proxy has one worker and passes requests from h2load to one nginx that answers 1 KB.
  instructions  thousands per request, user + kernel, by `perf stat`. Where the machine has no
                performance counters: user only, by callgrind, as the difference of two runs.
  CPU           microseconds per request, from the scheduler's count of the proxy's threads
  PSS           megabytes, idle after start
Times move with the machine's other work; instructions do not. Everything stays on loopback.
"""
import argparse
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import measure
import peers


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_port(port: int, process: subprocess.Popen, timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with status {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args[0]} does not listen on {port}")


class Running:
    """A process that listens on a port; ended on leaving."""

    def __init__(self, command, port, log=subprocess.DEVNULL):
        self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT if log != subprocess.DEVNULL else log)
        self.pid = self.process.pid
        try:
            wait_port(port, self.process)
        except RuntimeError:
            self.process.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def load_command(work: peers.Work, port: int, requests: int) -> list[str]:
    protocol = ["--h1", "-c", "16"] if work.downstream == "h1" else ["-c", "4", "-m", "8"]
    return ["h2load", "-n", str(requests), *protocol, "-t", "1",
            "-H", "user-agent: bench", "-H", "accept: */*", f"http://127.0.0.1:{port}/api/v1/items?page=2"]


def run_load(work, port, requests) -> None:
    result = subprocess.run(load_command(work, port, requests), capture_output=True, text=True, timeout=600)
    if f"{requests} succeeded" not in result.stdout:
        raise RuntimeError("the load failed: " + result.stdout[-600:])


def instructions_by_callgrind(command, work, port, requests) -> float:
    """User instructions per request: a long run less a short one, so that start and end cancel."""
    totals = []
    for count in (200, 200 + requests):
        with tempfile.TemporaryFile("w+") as log:
            with Running(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--trace-children=yes",
                          *command], port, log):
                run_load(work, port, count)
            log.seek(0)
            totals.append(measure.callgrind_total(log.read()))
    return (totals[1] - totals[0]) / requests


def bench_one(peer, work, backend, options, directory) -> dict | None:
    port = free_port()
    command = peers.command(peer, work, directory, port, backend, free_port())
    if not command:
        return None
    row = {"peer": peer, "work": work.name}
    with Running(command, port) as proxy:
        time.sleep(0.5)  # let start-up work end before memory is read
        row["idle_pss_mb"] = measure.pss_kb(proxy.pid) / 1024
        run_load(work, port, options.requests // 10)  # connections, caches
        before = measure.cpu_ns(proxy.pid)
        run_load(work, port, options.requests)
        row["cpu_us"] = (measure.cpu_ns(proxy.pid) - before) / options.requests / 1000
        if options.perf:
            user, kernel = measure.perf_instructions(proxy.pid, load_command(work, port, options.requests))
            row["user_k"], row["kernel_k"] = user / options.requests / 1000, kernel / options.requests / 1000
    if not options.perf and options.callgrind:
        row["user_k"] = instructions_by_callgrind(command, work, port, 2000) / 1000
    return row


def show(row: dict) -> str:
    user = f"{row['user_k']:8.1f}" if "user_k" in row else "       -"
    kernel = f"{row['kernel_k']:8.1f}" if "kernel_k" in row else "       -"
    return f"{row['work']:<8}{row['peer']:<14}{user}{kernel}{row['cpu_us']:10.1f}{row['idle_pss_mb']:10.1f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", default="h1,h2-h1,h2-h2")
    parser.add_argument("--peers", default=",".join(peers.PEERS))
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--no-callgrind", dest="callgrind", action="store_false",
                        help="skip the slow count where there are no performance counters")
    options = parser.parse_args()
    options.perf = measure.perf_works()
    if not options.perf:
        options.callgrind = options.callgrind and shutil.which("valgrind") is not None
        print("This machine has no performance counters: user instructions "
              + ("by callgrind, kernel ones not counted." if options.callgrind else "are not counted."), flush=True)
    print(f"{'work':<8}{'proxy':<14}{'user k':>8}{'kernel k':>8}{'CPU us':>10}{'PSS MB':>10}", flush=True)
    rows = []
    for work in (peers.WORKS[name] for name in options.work.split(",")):
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            directory = pathlib.Path(scratch)
            backend = free_port()
            config = directory / "backend.conf"
            config.write_text(peers.backend_nginx(work, backend))
            with Running(["nginx", "-p", scratch, "-c", str(config)], backend):
                for peer in options.peers.split(","):
                    row = bench_one(peer, work, backend, options, directory)
                    if row:
                        rows.append(row)
                        print(show(row), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
