"""A proxyless gRPC client gets its endpoints and routes from `sennit control`."""
import concurrent.futures
import json
import subprocess
import sys
import textwrap

import grpc
import pytest

from support.ports import free_port
from support.process import Process


class Echo:
    """A gRPC server whose one unary method answers with the server's name."""

    def __init__(self, name: str):
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        handler = grpc.unary_unary_rpc_method_handler(lambda request, context: name.encode())
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Echo", {"Say": handler})])
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()


CLIENT = textwrap.dedent("""
    import sys, grpc
    channel = grpc.insecure_channel("xds:///echo.default.svc.cluster.local:7070")
    say = channel.unary_unary("/test.Echo/Say")
    print(" ".join(say(b"", timeout=20, wait_for_ready=True).decode() for _ in range(int(sys.argv[1]))))
""")


@pytest.fixture
def servers():
    servers = {name: Echo(name) for name in ("v1", "v2")}
    yield servers
    for server in servers.values():
        server.server.stop(0)


def test_a_grpc_client_resolves_xds_targets(mesh, scratch, servers):
    endpoints = "".join(f"""
            - address: 127.0.0.1
              ports: {{grpc: {server.port}}}
              labels: {{app: echo, version: {name}}}""" for name, server in servers.items())
    mesh.write("echo.yaml", f"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: echo}}
        spec:
          hosts: [echo.default.svc.cluster.local]
          location: MESH_EXTERNAL
          resolution: STATIC
          ports: [{{number: 7070, name: grpc, protocol: GRPC}}]
          endpoints:{endpoints}
        """)
    mesh.write("rule.yaml", """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: echo}
        spec:
          host: echo.default.svc.cluster.local
          subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
        """)
    mesh.start_control()
    bootstrap = scratch / "grpc-bootstrap.json"
    bootstrap.write_text(json.dumps({
        "xds_servers": [{"server_uri": f"127.0.0.1:{mesh.grpc}", "channel_creds": [{"type": "insecure"}],
                         "server_features": ["xds_v3"]}],
        "node": {"id": "sidecar~10.0.0.1~client.default~default.svc.cluster.local",
                 "metadata": {"GENERATOR": "grpc", "NAMESPACE": "default", "INSTANCE_IPS": "10.0.0.1"}}}))

    def said(count: int) -> list[str]:
        result = subprocess.run([sys.executable, "-c", CLIENT, str(count)], capture_output=True, text=True, timeout=60,
                                env={"GRPC_XDS_BOOTSTRAP": str(bootstrap), "PATH": "/usr/bin"})
        assert result.returncode == 0, result.stderr[-2000:]
        return result.stdout.split()

    assert set(said(40)) == {"v1", "v2"}
    mesh.write("route.yaml", """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: echo}
        spec:
          hosts: [echo.default.svc.cluster.local]
          http:
          - route: [{destination: {host: echo.default.svc.cluster.local, subset: v2}}]
        """)
    from support.wait import until
    until(lambda: set(said(10)) == {"v2"}, 30, "the route to v2")
