"""What processes cost, read from the kernel while they run: CPU time, and how often their threads were put to sleep."""

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chaos.errors import CannotRun

_CPU_CLOCK = 2  # CPUCLOCK_SCHED of the whole process; see clock_getcpuclockid(3)
_VOLUNTARY = "voluntary_ctxt_switches:"
_INVOLUNTARY = "nonvoluntary_ctxt_switches:"


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process, since it was started."""

    cpu_ns: int = 0
    wakeups: int = 0  # voluntary context switches: each ends with a thread being woken up
    switches: int = 0  # all context switches

    def since(self, earlier: "Usage") -> "Usage":
        """What was added. Threads that ended in between take their switches along, never their CPU time."""
        return Usage(
            self.cpu_ns - earlier.cpu_ns,
            max(0, self.wakeups - earlier.wakeups),
            max(0, self.switches - earlier.switches),
        )


def cpu_ns(pid: int) -> int:
    """CPU time of all threads of a process, also of those that have ended. Raises OSError if it is gone."""
    return time.clock_gettime_ns((~pid << 3) | _CPU_CLOCK)


def resident_bytes(pid: int) -> int:
    """Memory that a process holds. Raises OSError if it is gone."""
    fields = _fields(Path(f"/proc/{pid}/status"))
    return fields.get("VmRSS:", 0) * 1024


def usage(pid: int) -> Usage:
    """Raises OSError if the process is gone."""
    wakeups = switches = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread may end meanwhile
            fields = _fields(task / "status")
            wakeups += fields.get(_VOLUNTARY, 0)
            switches += fields.get(_VOLUNTARY, 0) + fields.get(_INVOLUNTARY, 0)
    return Usage(cpu_ns(pid), wakeups, switches)


def usages(pids: Mapping[str, int]) -> dict[str, Usage]:
    """Of each process, by the same names. Raises CannotRun if one is gone."""
    found = {}
    for name, pid in pids.items():
        try:
            found[name] = usage(pid)
        except OSError:
            raise CannotRun(f"{name} (process {pid}) ended while it was measured, and nobody had killed it") from None
    return found


def between(earlier: Mapping[str, Usage], later: Mapping[str, Usage]) -> dict[str, Usage]:
    """What each of them used between the two."""
    return {name: found.since(earlier[name]) for name, found in later.items()}


def machine_cpu_ns() -> int:
    """CPU time of all processes and of the kernel, over all cores, to about 10 ms; see proc_stat(5)."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    ticks = sum(map(int, (user, nice, system, irq, softirq)))
    return ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def _fields(path: Path) -> dict[str, int]:
    found = {}
    for line in path.read_text().splitlines():
        words = line.split()
        if len(words) >= 2 and words[1].isdigit():
            found[words[0]] = int(words[1])
    return found
