"""What the four bookinfo services share: a small HTTP server, calls that carry the trace headers,
and where to find another service. Only the standard library."""

import http.client
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# A mesh can join the calls of one request into one trace only if each service passes these on.
TRACE_HEADERS = (
    "x-request-id", "traceparent", "tracestate", "baggage",
    "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags", "b3",
    "x-ot-span-context", "x-cloud-trace-context", "end-user",
)

_connections = threading.local()


def address_of(name: str) -> tuple[str, int]:
    """Kubernetes' own environment variables, which `sennit run` sets as well."""
    prefix = name.upper().replace("-", "_")
    return os.environ[f"{prefix}_SERVICE_HOST"], int(os.environ[f"{prefix}_SERVICE_PORT"])


def _connection(name: str) -> http.client.HTTPConnection:
    """One kept-alive connection per thread and service."""
    pool = _connections.__dict__.setdefault("pool", {})
    if name not in pool:
        host, port = address_of(name)
        pool[name] = http.client.HTTPConnection(host, port, timeout=10)
    return pool[name]


def call(name: str, path: str, incoming) -> tuple[int, object]:
    """GET http://NAME/PATH with the trace headers of the incoming request; (status, JSON or None)."""
    headers = {h: incoming[h] for h in TRACE_HEADERS if h in incoming}
    headers["host"] = name
    for last_try in (False, True):
        connection = _connection(name)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            _connections.pool.pop(name).close()
            if last_try:
                return 503, None
            continue  # a kept connection may have been closed while it was idle: once more, fresh
        return response.status, json.loads(body) if response.status == 200 else None


def serve(name: str, routes) -> None:
    """Runs until killed. `routes(path, headers)` gives (status, JSON-able) or (status, html str)."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self):
            status, body = routes(self.path, self.headers)
            html = isinstance(body, str)
            data = body.encode() if html else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "text/html; charset=utf-8" if html else "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass  # the sidecar keeps the access log

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    port = int(os.environ.get("PORT", "9080"))
    # 127.0.0.1 only: others reach this service through its sidecar.
    server = Server((os.environ.get("BIND", "127.0.0.1"), port), Handler)
    print(f"{name} listens on port {port}", flush=True)
    server.serve_forever()
