"""What a process costs: instructions, CPU time, memory."""
import pathlib
import re
import subprocess


def descendants(pid: int) -> list[int]:
    """A process and its children (nginx and HAProxy work in children)."""
    found = [pid]
    for parent in found:
        for task in pathlib.Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def cpu_ns(pid: int) -> int:
    """CPU time of all threads of a process and its children, from the scheduler's own count."""
    return sum(int(path.read_text().split()[0])
               for process in descendants(pid)
               for path in pathlib.Path(f"/proc/{process}/task").glob("*/schedstat"))


def pss_kb(pid: int) -> int:
    total = 0
    for process in descendants(pid):
        rollup = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text()
        total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.M).group(1))
    return total


def perf_works() -> bool:
    """Virtual machines often have no performance counters."""
    result = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u", "true"], capture_output=True, text=True)
    return result.returncode == 0 and "not supported" not in result.stderr


def perf_instructions(pid: int, command: list[str]) -> tuple[int, int]:
    """(user, kernel) instructions of the process while the command runs."""
    pids = ",".join(map(str, descendants(pid)))
    result = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u,instructions:k", "-p", pids, "--", *command],
                            capture_output=True, text=True, check=True)
    counts = {line.split(",")[2]: int(line.split(",")[0]) for line in result.stderr.splitlines() if "instructions" in line}
    return counts["instructions:u"], counts["instructions:k"]


def callgrind_total(log: str) -> int:
    """All user instructions that callgrind collected, over the process's children too."""
    return sum(int(count) for count in re.findall(r"Collected : (\d+)", log))
