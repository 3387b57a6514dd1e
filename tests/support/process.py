"""Programs under test: started with their output in a file, ended whatever happens."""
import pathlib
import signal
import subprocess

from support.wait import until


class Process:
    def __init__(self, arguments, log: pathlib.Path, env=None, cwd=None):
        self.log = log
        self.arguments = [str(a) for a in arguments]
        with open(log, "ab") as output:
            self.popen = subprocess.Popen(self.arguments, stdout=output, stderr=subprocess.STDOUT,
                                          stdin=subprocess.DEVNULL, env=env, cwd=cwd)

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def running(self) -> bool:
        return self.popen.poll() is None

    def wait_output(self, text: str, timeout: float = 15.0):
        until(lambda: text in self.output(), timeout, f"{text!r} in {self.log}")

    def wait(self, timeout: float = 30.0) -> int:
        return self.popen.wait(timeout)

    def stop(self, number: int = signal.SIGTERM, timeout: float = 15.0) -> int:
        if self.running():
            self.popen.send_signal(number)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"{self.arguments[0]} did not stop in {timeout} s: {self.output()[-2000:]}")

    def kill(self):
        if self.running():
            self.popen.kill()
        self.popen.wait()
