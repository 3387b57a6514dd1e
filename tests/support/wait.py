"""Waiting for a condition, never for a time."""
import time


def until(condition, timeout: float = 15.0, what: str = ""):
    """The first true value of condition(); raises with `what` and the last error if none comes."""
    deadline = time.monotonic() + timeout
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except (AssertionError, OSError, KeyError, IndexError, ValueError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain for {what or condition}: last was {last!r}")
        time.sleep(0.02)
