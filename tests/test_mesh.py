"""A small mesh of two workloads: security modes, registration, and configuration that goes wrong."""
import signal
import socket
import ssl
import sys
import textwrap

import pytest

from support import http
from support.load import Load
from support.ports import free_port
from support.wait import until

# Answers on $PORT; GET /call/NAME/PATH calls another service by its environment variables.
APP = textwrap.dedent("""
    import http.client, json, os
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        def do_GET(self):
            if self.path.startswith("/call/"):
                _, _, name, path = self.path.split("/", 3)
                prefix = name.upper().replace("-", "_")
                c = http.client.HTTPConnection(os.environ[prefix + "_SERVICE_HOST"], int(os.environ[prefix + "_SERVICE_PORT"]), timeout=10)
                c.request("GET", "/" + path, headers={"host": name})
                r = c.getresponse()
                status, body = r.status, r.read()
                c.close()
            else:
                status = 200
                body = json.dumps({"name": os.environ["NAME"], "path": self.path,
                                   "headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *_): pass
    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128
    Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
    """)


def group(name: str, port: int, version: str = "v1") -> str:
    return textwrap.dedent(f"""
        apiVersion: networking.istio.io/v1
        kind: WorkloadGroup
        metadata: {{name: {name}-{version}}}
        spec:
          metadata: {{labels: {{app: {name}, version: {version}}}}}
          template:
            serviceAccount: {name}
            ports: {{http: {port}}}
        ---
        apiVersion: v1
        kind: Service
        metadata: {{name: {name}}}
        spec:
          selector: {{app: {name}}}
          ports: [{{name: http, port: 8000, targetPort: http}}]
        """)


def peer_authentication(mode: str) -> str:
    return f"""
        apiVersion: security.istio.io/v1
        kind: PeerAuthentication
        metadata: {{name: default, namespace: istio-system}}
        spec: {{mtls: {{mode: {mode}}}}}
        """


class Pair:
    """`web` calls `store`."""

    def __init__(self, mesh, *control_flags, policy="STRICT"):
        self.mesh = mesh
        self.web_port, self.store_port = free_port(), free_port()
        mesh.write("web.yaml", group("web", self.web_port))
        mesh.write("store.yaml", group("store", self.store_port))
        mesh.write("policy.yaml", peer_authentication(policy))
        mesh.start_control(*control_flags)
        self.store = self.start("store-v1")
        self.web = self.start("web-v1")
        self.store.ready()
        self.web.ready()
        until(lambda: self.call().status == 200, 20, "web to reach store")

    def start(self, name, **arguments):
        return self.mesh.run(name, "env", f"NAME={name}", sys.executable, "-c", APP, **arguments)

    def call(self, path="x"):
        """Through both sidecars: the application of web calls store."""
        return http.request("127.0.0.1", self.web_port, f"/call/store/{path}")

    def store_inbound(self) -> tuple[str, int]:
        """Where store's sidecar takes traffic from others."""
        endpoint = next(s for s in http.request("127.0.0.1", self.mesh.http, "/debug/endpointz").json()["services"]
                        if s["hostname"].startswith("store."))["endpoints"][0]
        return next((host, port) for host, port in self.store.listeners().values()
                    if host == endpoint["address"] and port != 15080)


@pytest.fixture
def pair(mesh):
    return Pair(mesh)


def test_identity_is_proved_end_to_end(pair):
    seen = pair.call("who").json()
    assert seen["name"] == "store-v1" and seen["path"] == "/who"
    xfcc = seen["headers"]["x-forwarded-client-cert"]
    assert "URI=spiffe://cluster.local/ns/default/sa/web" in xfcc
    assert "By=spiffe://cluster.local/ns/default/sa/store" in xfcc


def test_strict_refuses_plaintext_and_permissive_takes_it(mesh):
    pair = Pair(mesh, policy="PERMISSIVE")
    host, port = pair.store_inbound()
    assert http.request(host, port, "/plain").json()["name"] == "store-v1"
    assert "x-forwarded-client-cert" not in http.request(host, port, "/plain").json()["headers"]
    assert "URI=spiffe" in pair.call().json()["headers"]["x-forwarded-client-cert"]
    mesh.write("policy.yaml", peer_authentication("STRICT"))

    def refused():
        try:
            http.request(host, port, "/plain", timeout=3)
        except (OSError, Exception) as error:
            return str(error) or True
        return False
    until(refused, 10, "plaintext to be refused")
    assert pair.call().status == 200


def test_a_foreign_certificate_is_refused(pair, scratch):
    import datetime
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "elsewhere")])
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
                   .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(hours=1))
                   .add_extension(x509.SubjectAlternativeName(
                       [x509.UniformResourceIdentifier("spiffe://cluster.local/ns/default/sa/web")]), False)
                   .sign(key, hashes.SHA256()))
    pem = scratch / "foreign.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["istio-http/1.1", "istio"])
    context.load_cert_chain(pem)
    host, port = pair.store_inbound()
    with pytest.raises((ssl.SSLError, OSError)):
        with socket.create_connection((host, port), timeout=5) as raw, context.wrap_socket(raw) as tls:
            tls.sendall(b"GET / HTTP/1.1\r\nHost: store\r\n\r\n")
            assert tls.recv(100) != b""
            raise AssertionError("the foreign certificate was taken")


def test_bad_configuration_is_told_and_the_last_good_one_serves(pair):
    mesh = pair.mesh
    route = """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: store}
        spec:
          hosts: [store]
          http:
          - match: [{uri: {prefix: /gone}}]
            directResponse: {status: 410}
          - route: [{destination: {host: store}}]
        """
    mesh.write("route.yaml", route)
    until(lambda: pair.call("gone").status == 410, 10, "the route")
    mesh.write("route.yaml", route.replace("directResponse", "directRespons"))
    problem = until(lambda: next((d for d in mesh.diagnostics() if "directRespons" in d["text"]), None), 10, "the error")
    assert problem["level"] == "error" and problem["line"] == 9 and problem["file"].endswith("route.yaml"), problem
    assert pair.call("gone").status == 410
    # Half-written: not even YAML.
    mesh.write("route.yaml", route[:200] + "\n   ][")
    until(lambda: any(d["file"].endswith("route.yaml") and d["level"] == "error" for d in mesh.diagnostics()), 10, "the error")
    assert pair.call("gone").status == 410
    mesh.write("route.yaml", route.replace("410", "418"))
    until(lambda: pair.call("gone").status == 418, 10, "the mended route")
    assert not [d for d in mesh.diagnostics() if d["level"] == "error"]


def test_cross_checks_warn_with_the_position(pair):
    pair.mesh.write("missing.yaml", """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: missing}
        spec:
          hosts: [store]
          http:
          - route: [{destination: {host: store, subset: v9}}]
        """)
    found = until(lambda: [d for d in pair.mesh.diagnostics() if "v9" in d["text"]], 10, "the warning")
    assert found[0]["line"] == 8 and "subset" in found[0]["text"]


def test_traffic_goes_on_without_the_control_plane_and_after_its_return(pair):
    mesh = pair.mesh
    with Load("127.0.0.1", pair.web_port, "/call/store/x") as load:
        until(lambda: load.total() > 20, 10, "traffic")
        mesh.control.kill()
        before = load.total()
        until(lambda: load.total() > before + 50, 20, "traffic without a control plane")
        mesh.start_control("--deregister-after-ms", "5000")
        until(lambda: len(mesh.proxies()) == 2, 60, "both proxies to come back")
        before = load.total()
        until(lambda: load.total() > before + 50, 20, "traffic after the return")
        results = load.stop()
    assert set(results) == {200}, results


def test_a_workload_joins_and_leaves(pair):
    mesh = pair.mesh

    def endpoints():
        services = http.request("127.0.0.1", mesh.http, "/debug/endpointz").json()["services"]
        return next(s for s in services if s["hostname"].startswith("store."))["endpoints"]
    assert len(endpoints()) == 1
    mesh.write("store2.yaml", group("store", free_port(), "v2").split("---")[0])
    second = pair.start("store-v2")
    second.ready()
    until(lambda: len(endpoints()) == 2, 10, "the second endpoint")
    until(lambda: {pair.call().json()["name"] for _ in range(10)} == {"store-v1", "store-v2"}, 20, "both to answer")
    second.process.stop()
    until(lambda: len(endpoints()) == 1, 15, "the second endpoint to go")
    assert {pair.call().json()["name"] for _ in range(5)} == {"store-v1"}


def test_the_exit_code_and_signals_pass_through(pair):
    mesh = pair.mesh
    mesh.write("job.yaml", group("job", free_port()).split("---")[0])
    job = mesh.run("job-v1", "sh", "-c", "exit 7")
    assert job.process.wait(60) == 7
    mesh.write("trap.yaml", group("trap", free_port()).split("---")[0])
    trap = mesh.run("trap-v1", sys.executable, "-c",
                    "import signal,sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(9)); print('trap is set', flush=True); signal.pause()")
    trap.process.wait_output("trap is set", 60)
    assert trap.process.stop(signal.SIGTERM) == 9


def test_a_workload_group_that_does_not_exist_is_named(mesh):
    mesh.write("a.yaml", group("a", 1234))
    mesh.start_control()
    run = mesh.run("nobody", "true", flags=["--start-timeout", "1"])
    assert run.process.wait(30) == 1
    assert "WorkloadGroup default/nobody" in run.process.output()


def test_a_second_control_plane_on_the_same_ports_says_so(mesh):
    mesh.write("a.yaml", group("a", 1234))
    mesh.start_control()
    from support.paths import SENNIT
    second = mesh.start("second", SENNIT, "control", "--config", mesh.config, "--state", mesh.directory / "other",
                        "--grpc-addr", f"127.0.0.1:{mesh.grpc}", "--secure-grpc-addr", "", "--http-addr", "")
    assert second.wait(20) == 1
    assert str(mesh.grpc) in second.output()
