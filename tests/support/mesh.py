"""A mesh for a test: a control plane with ports of its own, sidecars and gateways, all in one
temporary directory."""
import json
import pathlib
import signal
import textwrap

from support import http
from support.paths import PROXY, SENNIT
from support.ports import free_port
from support.process import Process
from support.wait import until


class Mesh:
    def __init__(self, directory: pathlib.Path):
        self.directory = directory
        self.config = directory / "mesh"
        self.config.mkdir(parents=True, exist_ok=True)
        self.state = directory / "state"
        self.grpc, self.secure, self.http = free_port(), free_port(), free_port()
        self.processes: list[Process] = []
        self.control = None

    def write(self, name: str, yaml: str):
        """Writes a configuration file the way editors do: whole, then renamed."""
        fresh = self.directory / (name + ".new")
        fresh.write_text(textwrap.dedent(yaml))
        fresh.rename(self.config / name)

    def start_control(self, *flags) -> "Mesh":
        self.control = self.start("control", SENNIT, "control", "--config", self.config, "--state", self.state,
                                  "--grpc-addr", f"127.0.0.1:{self.grpc}",
                                  "--secure-grpc-addr", f"127.0.0.1:{self.secure}",
                                  "--http-addr", f"127.0.0.1:{self.http}", *flags)
        self.wait_control()
        return self

    def wait_control(self):
        def ready():
            assert self.control.running(), self.control.output()
            return http.request("127.0.0.1", self.http, "/ready").status == 200
        until(ready, 20, "the control plane")

    def start(self, name: str, *arguments, env=None, cwd=None) -> Process:
        process = Process(arguments, self.directory / f"{name}.log", env=env, cwd=cwd)
        self.processes.append(process)
        return process

    def common(self):
        return ["--control", f"127.0.0.1:{self.secure}", "--http-control", f"127.0.0.1:{self.http}",
                "--state", self.state]

    def run(self, group: str, *command, flags=(), proxy=None) -> "Workload":
        """`sennit run`, until the workload is connected and acknowledged."""
        proxy_flags = ["--proxy", proxy] if proxy else []
        process = self.start(f"run-{group}", SENNIT, "run", "--workload-group", group, *self.common(),
                             *proxy_flags, *flags, "--", *command)
        return Workload(self, group, process)

    def gateway(self, name="ingressgateway", labels="istio=ingressgateway", flags=(), proxy=None) -> "Workload":
        proxy_flags = ["--proxy", proxy] if proxy else []
        process = self.start(f"gateway-{name}", SENNIT, "gateway", name, "--labels", labels, *self.common(),
                             *proxy_flags, *flags)
        return Workload(self, name, process)

    def proxies(self) -> dict:
        answer = http.request("127.0.0.1", self.http, "/debug/syncz")
        return {p["name"]: p for p in answer.json()["proxies"]}

    def synced(self, name: str):
        def check():
            proxy = self.proxies()[name]
            return proxy["types"] and all(t["status"] == "SYNCED" for t in proxy["types"].values()) and proxy
        return until(check, 30, f"{name} to be synced")

    def diagnostics(self) -> list:
        return http.request("127.0.0.1", self.http, "/debug/diagnostics").json()["diagnostics"]

    def close(self):
        for process in reversed(self.processes):
            if process.running():
                process.popen.send_signal(signal.SIGTERM)
        for process in reversed(self.processes):
            try:
                process.stop(timeout=20)
            except AssertionError:
                process.kill()


class Workload:
    def __init__(self, mesh: Mesh, name: str, process: Process):
        self.mesh, self.name, self.process = mesh, name, process

    def ready(self) -> "Workload":
        def check():
            assert self.process.running(), self.process.output()
            return self.mesh.synced(self.name)
        self.status = until(check, 60, f"{self.name} to be ready")
        self.admin_host, port = self.status["admin"].split(":")
        self.admin_port = int(port)
        return self

    def admin(self, path: str, method="GET"):
        return http.request(self.admin_host, self.admin_port, path, method=method)

    def metrics(self, prefix: str) -> list[tuple[str, dict, float]]:
        return parse_metrics(self.admin("/stats/prometheus").body.decode(), prefix)

    def listeners(self) -> dict[str, tuple[str, int]]:
        statuses = json.loads(self.admin("/listeners?format=json").body)["listener_statuses"]
        return {s["name"]: (s["local_address"]["socket_address"]["address"],
                            s["local_address"]["socket_address"]["port_value"]) for s in statuses}


def parse_metrics(text: str, prefix: str):
    samples = []
    for line in text.splitlines():
        if not line.startswith(prefix):
            continue
        name, _, rest = line.partition("{")
        labels = {}
        if rest:
            body, _, value = rest.rpartition("}")
            for pair in filter(None, body.split('",')):
                key, _, text_value = pair.partition('="')
                labels[key.strip(",")] = text_value.rstrip('"')
        else:
            name, _, value = line.partition(" ")
        samples.append((name, labels, float(value)))
    return samples
