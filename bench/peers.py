"""The proxies that are measured, each configured for the same work on one worker: take requests on
one port, pass them to one backend. sennit-proxy and Envoy share one bootstrap, with and without the
filters that an Istio sidecar has."""
import dataclasses
import json
import os
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
TYPES = "type.googleapis.com/"


@dataclasses.dataclass
class Work:
    """One kind of traffic: the protocols of either side."""
    name: str
    downstream: str  # "h1" or "h2"
    upstream: str
    tls: bool = False


WORKS = {w.name: w for w in (
    Work("h1", "h1", "h1"),
    Work("h2-h1", "h2", "h1"),
    Work("h2-h2", "h2", "h2"),
)}


def any_of(kind: str, **fields) -> dict:
    return {"@type": TYPES + kind, **fields}


def address(port: int) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


ISTIO_LOG = ('[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% '
             '%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% '
             '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %ROUTE_NAME%\n')


def istio_filters(sennit: bool) -> list:
    """What istiod puts into a sidecar's chain; the filters that only Istio's build and sennit-proxy
    have are left out for plain Envoy, which has grpc_stats, cors and fault for a like amount of work."""
    filters = [{"name": "envoy.filters.http.grpc_stats",
                "typed_config": any_of("envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
                                       emit_filter_state=True, stats_for_all_methods=False)}]
    if sennit:
        filters.append({"name": "istio.alpn", "typed_config": any_of(
            "istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig",
            alpn_override=[{"upstream_protocol": "HTTP11", "alpn_override": ["istio-http/1.1", "istio", "http/1.1"]}])})
    filters += [
        {"name": "envoy.filters.http.fault", "typed_config": any_of("envoy.extensions.filters.http.fault.v3.HTTPFault")},
        {"name": "envoy.filters.http.cors", "typed_config": any_of("envoy.extensions.filters.http.cors.v3.Cors")},
        {"name": "envoy.filters.http.rbac", "typed_config": any_of(
            "envoy.extensions.filters.http.rbac.v3.RBAC",
            rules={"action": "DENY", "policies": {"internal": {
                "permissions": [{"url_path": {"path": {"prefix": "/internal/"}}}], "principals": [{"any": True}]}}})},
    ]
    if sennit:
        filters.append({"name": "istio.stats", "typed_config": any_of("stats.PluginConfig")})
    return filters


def bootstrap(work: Work, listen: int, backend: int, admin: int, istio: bool, sennit: bool) -> dict:
    """A sidecar's outbound listener: twenty routes before the one that is taken."""
    routes = [{"match": {"path": f"/exact/{i}"}, "route": {"cluster": "backend"}} for i in range(19)]
    routes.append({"match": {"prefix": "/"}, "name": "default", "route": {
        "cluster": "backend", "timeout": "0s",
        "retry_policy": {"retry_on": "connect-failure,refused-stream", "num_retries": 2}}})
    hcm = any_of(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="outbound", codec_type="AUTO", generate_request_id=True, use_remote_address=False,
        route_config={"name": "routes", "virtual_hosts": [{"name": "backend", "domains": ["*"], "routes": routes}]},
        http_filters=(istio_filters(sennit) if istio else []) + [
            {"name": "envoy.filters.http.router", "typed_config": any_of("envoy.extensions.filters.http.router.v3.Router")}])
    if istio:
        hcm["access_log"] = [{"name": "envoy.access_loggers.file", "typed_config": any_of(
            "envoy.extensions.access_loggers.file.v3.FileAccessLog", path="/dev/null",
            log_format={"text_format_source": {"inline_string": ISTIO_LOG}})}]
    cluster = {"name": "backend", "type": "STATIC", "connect_timeout": "5s", "lb_policy": "LEAST_REQUEST",
               "circuit_breakers": {"thresholds": [{"max_connections": 100000, "max_pending_requests": 100000,
                                                    "max_requests": 100000, "max_retries": 100000}]},
               "load_assignment": {"cluster_name": "backend", "endpoints": [
                   {"lb_endpoints": [{"endpoint": {"address": address(backend)}}]}]},
               "metadata": {"filter_metadata": {"istio": {"services": [
                   {"host": "backend.default.svc.cluster.local", "name": "backend", "namespace": "default"}]}}}}
    if work.upstream == "h2":
        cluster["typed_extension_protocol_options"] = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": any_of(
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            explicit_http_config={"http2_protocol_options": {}})}
    return {
        "node": {"id": "sidecar~127.0.0.1~client.default~default.svc.cluster.local", "cluster": "client.default",
                 "metadata": {"NAMESPACE": "default", "WORKLOAD_NAME": "client", "LABELS": {"app": "client"}}},
        "admin": {"address": address(admin)},
        "static_resources": {
            "listeners": [{"name": "outbound", "address": address(listen), "traffic_direction": "OUTBOUND",
                           "filter_chains": [{"filters": [
                               {"name": "envoy.filters.network.http_connection_manager", "typed_config": hcm}]}]}],
            "clusters": [cluster]}}


def nginx(work: Work, listen: int, backend: int) -> str | None:
    if work.upstream == "h2":
        return None  # nginx speaks HTTP/1.1 to its upstreams
    http2 = " http2" if work.downstream == "h2" else ""
    return f"""
worker_processes 1; daemon off; error_log /dev/null; pid nginx.pid;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000;
  upstream backend {{ server 127.0.0.1:{backend}; keepalive 256; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{listen}{http2};
    location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }} }} }}
"""


def haproxy(work: Work, listen: int, backend: int) -> str:
    front = " proto h2" if work.downstream == "h2" else ""
    back = " proto h2" if work.upstream == "h2" else ""
    return f"""
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  http-reuse always
frontend front
  bind 127.0.0.1:{listen}{front}
  default_backend back
backend back
  server one 127.0.0.1:{backend}{back}
"""


def backend_nginx(work: Work, port: int) -> str:
    http2 = " http2" if work.upstream == "h2" else ""
    return f"""
worker_processes 1; daemon off; error_log /dev/null; pid backend.pid;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000; http2_max_concurrent_streams 1000;
  server {{ listen 127.0.0.1:{port}{http2}; location / {{ default_type text/plain; return 200 "{'x' * 1024}"; }} }} }}
"""


def command(peer: str, work: Work, directory: pathlib.Path, listen: int, backend: int, admin: int):
    """The command line of a peer, its configuration written below `directory`; None: cannot do it."""
    def write(name, text):
        path = directory / name
        path.write_text(text)
        return str(path)

    if peer in ("sennit-proxy", "envoy", "envoy-istio"):
        sennit = peer == "sennit-proxy"
        path = write("bootstrap.json", json.dumps(bootstrap(work, listen, backend, admin, peer != "envoy", sennit)))
        program = pathlib.Path(os.environ.get("SENNIT_BUILD", ROOT / "build/release")) / "sennit-proxy" if sennit else pathlib.Path(sys.executable).parent / "envoy"
        quiet = ["--log-level", "error"] + ([] if sennit else ["--use-dynamic-base-id"])
        return [str(program), "-c", path, "--concurrency", "1", *quiet]
    if peer == "nginx":
        text = nginx(work, listen, backend)
        return text and ["nginx", "-p", str(directory), "-c", write("nginx.conf", text)]
    if peer == "haproxy":
        return ["haproxy", "-q", "-db", "-f", write("haproxy.cfg", haproxy(work, listen, backend))]
    if peer == "nghttpx":
        if not shutil.which("nghttpx"):
            return None
        back = f"127.0.0.1,{backend};;proto={'h2' if work.upstream == 'h2' else 'http/1.1'}"
        return ["nghttpx", "--conf=/dev/null", f"-f127.0.0.1,{listen};no-tls", f"-b{back}", "-n1", "-LERROR",
                "--no-ocsp", "--accesslog-file=/dev/null"]
    raise ValueError(peer)


PEERS = ("sennit-proxy", "envoy-istio", "envoy", "nginx", "haproxy", "nghttpx")
