"""How often processes make the disk keep something, counted by the kernel (perf, tracepoints of system calls)."""

import shutil
import subprocess
from collections.abc import Sequence

_CALLS = ("fsync", "fdatasync", "sync_file_range", "msync")


def count_fsyncs(pids: Sequence[int], seconds: float) -> int | None:
    """All of them together within this span, which takes as long; None: that cannot be known on this machine."""
    perf = shutil.which("perf")
    if perf is None:
        return None
    events = ",".join(f"syscalls:sys_enter_{call}" for call in _CALLS)
    processes = ",".join(map(str, pids))
    command = (perf, "stat", "-x", ";", "-e", events, "-p", processes, "--", "sleep", f"{seconds:g}")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    counts = [line.split(";")[0] for line in done.stderr.splitlines() if "sys_enter_" in line]
    if done.returncode or len(counts) != len(_CALLS) or not all(count.isdigit() for count in counts):
        return None
    return sum(map(int, counts))
