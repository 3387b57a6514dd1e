"""The whole path, as a user starts it: `sennit up` on the bookinfo example."""
import json
import shutil

import pytest

from support import http
from support.load import Load
from support.mesh import Mesh, parse_metrics
from support.paths import BOOKINFO, ENVOY, SENNIT
from support.ports import free_port
from support.wait import until

WORKLOADS = {"details-v1", "ratings-v1", "reviews-v1", "reviews-v2", "reviews-v3", "productpage-v1"}


class Bookinfo(Mesh):
    """A copy of the example with a gateway port of its own, under `sennit up`."""

    def __init__(self, directory, *flags):
        super().__init__(directory)
        self.example = directory / "bookinfo"
        shutil.copytree(BOOKINFO, self.example, ignore=shutil.ignore_patterns(".sennit", "__pycache__"))
        self.port = free_port("0.0.0.0")
        gateway = self.example / "mesh" / "gateway.yaml"
        gateway.write_text(gateway.read_text().replace("number: 8080", f"number: {self.port}"))
        # Application ports that no other test uses.
        workloads = self.example / "mesh" / "workloads.yaml"
        text = workloads.read_text()
        for port in range(9181, 9187):
            text = text.replace(f"http: {port}", f"http: {free_port()}")
        workloads.write_text(text)
        self.up = self.start("up", SENNIT, "up", self.example, "--state", self.state,
                             "--grpc-addr", f"127.0.0.1:{self.grpc}", "--secure-grpc-addr", f"127.0.0.1:{self.secure}",
                             "--http-addr", f"127.0.0.1:{self.http}", *flags)

    def ready(self):
        def answers():
            assert self.up.running(), self.up.output()
            return http.request("127.0.0.1", self.port, "/productpage").status == 200
        until(answers, 90, "the product page")
        return self

    def versions(self, count: int) -> dict:
        seen = {}
        for _ in range(count):
            answer = http.request("127.0.0.1", self.port, "/api/v1/products/0")
            assert answer.status == 200, answer.body
            version = answer.json()["reviews"]["version"]
            seen[version] = seen.get(version, 0) + 1
        return seen

    def metrics(self, name: str):
        """istio_requests_total of one proxy."""
        host, port = self.proxies()[name]["admin"].split(":")
        text = http.request(host, int(port), "/stats/prometheus").body.decode()
        return [(labels, value) for _, labels, value in parse_metrics(text, "istio_requests_total")]


@pytest.fixture
def bookinfo(scratch):
    example = Bookinfo(scratch)
    yield example.ready()
    example.close()


def test_traffic_flows_split_as_written_and_encrypted(bookinfo):
    assert set(bookinfo.proxies()) == WORKLOADS | {"ingressgateway"}
    seen = bookinfo.versions(200)
    # 90/10: with 200 draws, 4.5 standard deviations either way.
    assert set(seen) <= {"v1", "v3"} and 1 <= seen.get("v3", 0) <= 40, seen

    def counted():
        requests = bookinfo.metrics("reviews-v1")
        labels, value = next((l, v) for l, v in requests if l["reporter"] == "destination")
        assert labels["connection_security_policy"] == "mutual_tls"
        assert labels["source_workload"] == "productpage-v1"
        assert labels["source_principal"] == "spiffe://cluster.local/ns/default/sa/bookinfo-productpage"
        assert labels["destination_service"] == "reviews.default.svc.cluster.local"
        assert labels["destination_service_name"] == "reviews"
        assert labels["destination_version"] == "v1"
        assert labels["response_code"] == "200" and labels["request_protocol"] == "http"
        return value >= seen["v1"]
    until(counted, 10, "reviews-v1's own count")

    def counted_by_caller():
        requests = bookinfo.metrics("productpage-v1")
        labels, value = next((l, v) for l, v in requests
                             if l["reporter"] == "source" and l["destination_workload"] == "reviews-v1")
        assert labels["destination_canonical_service"] == "reviews"
        return value >= seen["v1"]
    until(counted_by_caller, 10, "productpage's count of reviews-v1")


def test_a_canary_moves_within_a_second_and_loses_nothing(bookinfo):
    import time
    with Load("127.0.0.1", bookinfo.port, "/api/v1/products/0",
              identify=lambda body: json.loads(body)["reviews"]["version"]) as load:
        until(lambda: load.total() > 40, 20, "some traffic")
        process = bookinfo.start("apply", SENNIT, "apply", "-f", bookinfo.example / "canary.yaml", "--state",
                                 bookinfo.state, "--http-control", f"127.0.0.1:{bookinfo.http}")
        assert process.wait() == 0, process.output()
        applied = time.monotonic()
        until(lambda: load.seen and load.seen[-1][0] > applied + 1.5, 20, "traffic after the canary")
        results = load.stop()
    assert set(results) == {200}, results
    assert {version for at, version in load.seen if at > applied + 1.0} == {"v3"}


def test_editing_the_file_does_the_same(bookinfo):
    reviews = bookinfo.example / "mesh" / "reviews.yaml"
    text = reviews.read_text().replace("weight: 90", "weight: 0").replace("weight: 10\n", "weight: 100\n")
    fresh = reviews.with_suffix(".new")
    fresh.write_text(text)
    fresh.rename(reviews)
    until(lambda: bookinfo.versions(10) == {"v3": 10}, 5, "reviews v3 alone")


def test_ending_it_leaves_nothing_behind(scratch):
    example = Bookinfo(scratch)
    try:
        example.ready()
        pids = [int(line.split("/")[2]) for line in _processes_mentioning(str(scratch))]
        assert len(pids) >= 9  # up, control, six workloads, the gateway
    finally:
        example.close()
    until(lambda: not _processes_mentioning(str(scratch)), 10, "every process to be gone")
    assert not list((example.state / "run").glob("*.json"))


def _processes_mentioning(text: str) -> list[str]:
    import pathlib
    found = []
    for cmdline in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in cmdline.read_bytes().decode(errors="replace"):
                found.append(str(cmdline))
        except OSError:
            pass
    return found


@pytest.mark.parametrize("flags", [
    pytest.param(["--proxy", f"envoy={ENVOY}"], id="all-envoy"),
    pytest.param(["--proxy-of", f"reviews-v1=envoy={ENVOY}", "--proxy-of", f"productpage-v1=envoy={ENVOY}"], id="mixed"),
])
def test_real_envoy_carries_the_same_traffic(scratch, flags):
    example = Bookinfo(scratch, *flags)
    try:
        example.ready()
        seen = example.versions(100)
        assert set(seen) <= {"v1", "v3"} and seen["v1"] > 60, seen
        agents = {name: p["proxy"] for name, p in example.proxies().items()}
        assert agents["productpage-v1"] == "envoy", agents
        # Encrypted: the policy is STRICT, so a plaintext request to a sidecar's inbound port is refused.
        until(lambda: all(t["status"] == "SYNCED" for p in example.proxies().values() for t in p["types"].values()),
              20, "every proxy to have taken its configuration")
    finally:
        example.close()


def test_certificates_rotate_under_traffic_without_a_failed_request(scratch):
    example = Bookinfo(scratch, "--certificate-lifetime", "4")
    try:
        example.ready()
        issued = example.state / "issued.jsonl"
        before = len(issued.read_text().splitlines())
        with Load("127.0.0.1", example.port, "/productpage") as load:
            until(lambda: len(issued.read_text().splitlines()) > before + 14, 30, "two rotations of each")
            results = load.stop()
        assert set(results) == {200}, results
    finally:
        example.close()
