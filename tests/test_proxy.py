"""sennit-proxy alone, from a bootstrap file: the protocols, the admin port, bad input."""
import json
import socket
import subprocess

import pytest
import yaml

from support import http
from support.http import Backend
from support.paths import ENVOY, PROXY
from support.ports import free_port
from support.process import Process
from support.wait import until

HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = {"name": "envoy.filters.http.router",
          "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def cluster(name, *ports, **fields):
    return {"name": name, "type": "STATIC", "connect_timeout": "1s",
            "load_assignment": {"cluster_name": name, "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": address(p)}} for p in ports]}]}, **fields}


def http_listener(port, routes, **hcm):
    return {"name": "http", "address": address(port), "filter_chains": [{"filters": [{
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {"@type": HCM, "stat_prefix": "in", "http_filters": [ROUTER], "route_config": {
            "name": "r", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]}, **hcm}}]}]}


class Proxy:
    def __init__(self, scratch, listeners, clusters, program=PROXY):
        self.admin_port = free_port()
        self.path = scratch / "bootstrap.yaml"
        self.path.write_text(yaml.safe_dump({
            "node": {"id": "node", "cluster": "cluster"}, "admin": {"address": address(self.admin_port)},
            "static_resources": {"listeners": listeners, "clusters": clusters}}))
        self.process = Process([program, "-c", self.path, "--concurrency", "2"], scratch / "proxy.log")
        def ready():
            assert self.process.running(), self.process.output()
            return self.admin("/ready").status == 200
        until(ready, 20, "the proxy")

    def admin(self, path, method="GET"):
        return http.request("127.0.0.1", self.admin_port, path, method)

    def counter(self, name) -> int:
        for line in self.admin("/stats").body.decode().splitlines():
            if line.startswith(name + ": "):
                return int(line.split(": ")[1])
        return 0


@pytest.fixture
def simple(scratch, backend):
    port = free_port()
    proxy = Proxy(scratch, [http_listener(port, [{"match": {"prefix": "/"}, "route": {"cluster": "up"}}])],
                  [cluster("up", backend.port)])
    proxy.port = port
    yield proxy
    proxy.process.kill()


def test_requests_and_bodies_both_ways(simple):
    answer = http.request("127.0.0.1", simple.port, "/a?b=c", "POST", {"x-a": "1"}, b"y" * 300_000)
    seen = answer.json()
    assert (answer.status, seen["path"], seen["body"], seen["headers"]["x-a"]) == (200, "/a?b=c", 300_000, "1")
    assert "x-request-id" in seen["headers"]
    answer = http.request("127.0.0.1", simple.port, "/", headers={"x-body-bytes": "3000000"})
    assert len(answer.body) == 3_000_000
    until(lambda: simple.counter("cluster.up.upstream_rq_total") == 2, 5, "the counters")


def test_http2_and_http1_downstream(simple):
    import httpx
    with httpx.Client(http1=False, http2=True) as client:
        answers = [client.get(f"http://127.0.0.1:{simple.port}/h2") for _ in range(3)]
    assert [a.status_code for a in answers] == [200] * 3
    assert answers[0].http_version == "HTTP/2"


@pytest.mark.parametrize("request_bytes", [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
])
def test_ambiguous_requests_are_refused_and_the_connection_closed(simple, request_bytes):
    with socket.create_connection(("127.0.0.1", simple.port), timeout=5) as client:
        client.sendall(request_bytes)
        data = b""
        while block := client.recv(65536):
            data += block
    assert data.startswith(b"HTTP/1.1 400 "), data


def test_weighted_clusters_and_retries(scratch):
    backends = [Backend(name) for name in ("a", "b")]
    port, dead = free_port(), free_port()
    routes = [
        {"match": {"prefix": "/split"}, "route": {"weighted_clusters": {"clusters": [
            {"name": "a", "weight": 75}, {"name": "b", "weight": 25}]}}},
        {"match": {"prefix": "/retry"}, "route": {"cluster": "half", "retry_policy": {
            "retry_on": "connect-failure", "num_retries": 5,
            "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"}}],
            "host_selection_retry_max_attempts": 5}}},
        {"match": {"prefix": "/slow"}, "route": {"cluster": "a", "timeout": "0.1s"}},
        {"match": {"prefix": "/gone"}, "direct_response": {"status": 410, "body": {"inline_string": "gone"}}},
    ]
    proxy = Proxy(scratch, [http_listener(port, routes)],
                  [cluster("a", backends[0].port), cluster("b", backends[1].port), cluster("half", backends[0].port, dead)])
    try:
        seen = [http.request("127.0.0.1", port, "/split").json()["backend"] for _ in range(200)]
        assert 110 <= seen.count("a") <= 190  # 150 expected; six standard deviations
        assert {http.request("127.0.0.1", port, "/retry").status for _ in range(20)} == {200}
        slow = http.request("127.0.0.1", port, "/slow", headers={"x-delay": "1"})
        assert (slow.status, slow.body) == (504, b"upstream request timeout")
        assert http.request("127.0.0.1", port, "/gone").body == b"gone"
        missing = http.request("127.0.0.1", port, "/nothing")
        assert missing.status == 404
    finally:
        proxy.process.kill()
        for backend in backends:
            backend.close()


def test_tcp_proxy_carries_bytes_and_half_close(scratch):
    port, upstream = free_port(), socket.create_server(("127.0.0.1", 0))
    listener = {"name": "tcp", "address": address(port), "filter_chains": [{"filters": [{
        "name": "envoy.filters.network.tcp_proxy", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "tcp", "cluster": "up"}}]}]}
    proxy = Proxy(scratch, [listener], [cluster("up", upstream.getsockname()[1])])
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            server, _ = upstream.accept()
            server.settimeout(10)
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            assert server.recv(100) == b"hello" and server.recv(100) == b""
            server.sendall(b"answer after half close")
            server.close()
            assert client.recv(100) == b"answer after half close" and client.recv(100) == b""
    finally:
        proxy.process.kill()
        upstream.close()


def test_admin_endpoints(simple):
    http.request("127.0.0.1", simple.port, "/")
    assert simple.admin("/server_info").json()["state"] == "LIVE"
    assert "up::" in simple.admin("/clusters").body.decode()
    assert f"127.0.0.1:{simple.port}" in simple.admin("/listeners").body.decode()
    assert simple.admin("/config_dump").json()["configs"]
    for path in ("/stats/prometheus", "/certs", "/memory", "/stats?format=json", "/help"):
        assert simple.admin(path).status == 200, path
    assert simple.admin("/quitquitquit").status == 405
    assert simple.admin("/quitquitquit", "POST").status == 200
    assert simple.process.wait(10) == 0


def test_a_drain_lets_requests_in_flight_end(simple):
    import threading
    results = []
    thread = threading.Thread(target=lambda: results.append(
        http.request("127.0.0.1", simple.port, "/", headers={"x-delay": "0.7"}).status))
    thread.start()
    until(lambda: simple.counter("cluster.up.upstream_rq_active") == 1, 5, "the request in flight")
    status = simple.process.stop()
    thread.join()
    assert (results, status) == ([200], 0)


def run_once(*arguments):
    return subprocess.run([PROXY, *map(str, arguments)], capture_output=True, text=True, timeout=20)


def test_bad_bootstraps_say_what_is_wrong(tmp_path, backend):
    def written(text):
        path = tmp_path / "bootstrap.yaml"
        path.write_text(text)
        return path
    truncated = run_once("-c", written("static_resources:\n  clusters:\n  - name: [a"), "--mode", "validate")
    assert truncated.returncode == 1 and "bootstrap.yaml:" in truncated.stderr
    unknown = run_once("-c", written("static_resources:\n  clusterz: []\n"), "--mode", "validate")
    assert unknown.returncode == 1 and "clusterz" in unknown.stderr and "bootstrap.yaml:2" in unknown.stderr
    unsupported = run_once("-c", written(yaml.safe_dump({"static_resources": {"clusters": [
        cluster("up", 1, track_cluster_stats={"timeout_budgets": True})]}})), "--mode", "validate")
    assert unsupported.returncode == 1 and "static_resources.clusters[0]" in unsupported.stderr
    assert "track_cluster_stats" in unsupported.stderr
    missing = run_once("-c", tmp_path / "none.yaml")
    assert missing.returncode == 1 and "none.yaml" in missing.stderr


def test_a_port_in_use_is_named(scratch, backend):
    path = scratch / "bootstrap.yaml"
    path.write_text(yaml.safe_dump({"static_resources": {"listeners": [
        http_listener(backend.port, [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}])]}}))
    result = run_once("-c", path)
    assert result.returncode == 1 and str(backend.port) in result.stderr and "use" in result.stderr


def test_the_same_file_runs_envoy(scratch, backend):
    port = free_port()
    proxy = Proxy(scratch, [http_listener(port, [{"match": {"prefix": "/"}, "route": {"cluster": "up"}}])],
                  [cluster("up", backend.port)])
    proxy.process.stop()
    result = subprocess.run([ENVOY, "--mode", "validate", "-c", proxy.path, "--use-dynamic-base-id"],
                            capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
