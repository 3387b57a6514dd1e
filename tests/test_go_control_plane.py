"""A stranger's control plane, Envoy's own go-control-plane, drives sennit-proxy."""
import json
import subprocess

import pytest

from support import http
from support.golang import build
from support.paths import PROXY
from support.ports import free_port
from support.process import Process
from support.wait import until


def bootstrap(mode: str, xds: int, admin: int) -> dict:
    grpc = [{"envoy_grpc": {"cluster_name": "xds"}}]
    kind = "DELTA_GRPC" if mode.startswith("delta") else "GRPC"
    api = {"api_type": kind, "transport_api_version": "V3", "grpc_services": grpc}
    if mode in ("ads", "delta-ads"):
        source = {"resource_api_version": "V3", "ads": {}}
        dynamic = {"ads_config": api, "lds_config": source, "cds_config": source}
    else:
        source = {"resource_api_version": "V3", "api_config_source": api}
        dynamic = {"lds_config": source, "cds_config": source}
    return {
        "node": {"id": "test", "cluster": "test"},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}},
        "dynamic_resources": dynamic,
        "static_resources": {"clusters": [{
            "name": "xds", "type": "STATIC", "connect_timeout": "1s",
            "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}}}},
            "load_assignment": {"cluster_name": "xds", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {
                "socket_address": {"address": "127.0.0.1", "port_value": xds}}}}]}]}}]}}


@pytest.mark.parametrize("mode", ["ads", "delta-ads", "xds", "delta"])
def test_go_control_plane_drives_the_proxy(mode, scratch, backend):
    program = build("go_control_plane")
    xds, listen, admin = free_port(), free_port(), free_port()
    server = subprocess.Popen([program, "-port", str(xds), "-listen", str(listen), "-mode", mode,
                               "-backend", f"127.0.0.1:{backend.port}"], stdin=subprocess.PIPE, text=True)
    (scratch / "bootstrap.json").write_text(json.dumps(bootstrap(mode, xds, admin)))
    proxy = Process([PROXY, "-c", scratch / "bootstrap.json", "--concurrency", "2"], scratch / "proxy.log")
    try:
        until(lambda: http.request("127.0.0.1", listen, "/a").json()["path"] == "/first/a", 20, "the first snapshot")
        server.stdin.write("/second/\n")
        server.stdin.flush()
        until(lambda: http.request("127.0.0.1", listen, "/a").json()["path"] == "/second/a", 10, "the second snapshot")
        # The last configuration goes on serving without a control plane.
        server.kill()
        server.wait()
        assert http.request("127.0.0.1", listen, "/a").json()["path"] == "/second/a"
    finally:
        proxy.stop()
        server.kill()
        server.wait()
