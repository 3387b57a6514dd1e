"""Free ports. Each pytest worker has a range of its own, so that a port found free by one is not
taken by another before it is used."""
import itertools
import os
import socket

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
# Below the kernel's ephemeral range (32768 and up), above what services use.
_candidates = itertools.cycle(range(20000 + 1500 * (_worker % 8), 20000 + 1500 * (_worker % 8) + 1500))


def free_port(host: str = "127.0.0.1") -> int:
    for port in _candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")
