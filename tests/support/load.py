"""A steady stream of requests from a thread, counting what came of each."""
import collections
import http.client
import threading
import time


class Load:
    """Requests one after another on kept-alive connections until stopped."""

    def __init__(self, host, port, path="/", headers=None, workers=2, pause=0.005, identify=None):
        self.results = collections.Counter()   # status or "error: ..." → count
        self.seen = []                         # (time, identify(body)) where identify is given
        self._identify = identify
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(host, port, path, headers or {}, pause), daemon=True)
                         for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def _run(self, host, port, path, headers, pause):
        connection = http.client.HTTPConnection(host, port, timeout=15)
        while not self._stopping.wait(pause):
            try:
                connection.request("GET", path, headers=headers)
                response = connection.getresponse()
                body = response.read()
                outcome = response.status
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                outcome, body = f"error: {error!r}", b""
            with self._lock:
                self.results[outcome] += 1
                if self._identify and outcome == 200:
                    self.seen.append((time.monotonic(), self._identify(body)))
        connection.close()

    def total(self) -> int:
        with self._lock:
            return sum(self.results.values())

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join(20)
        return self.results

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
