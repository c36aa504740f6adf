"""idle_*: what the nine processes cost while nobody does anything; and how far that is true of this machine."""

import time

from chaos.bench.loopback import accounting
from chaos.bench.loopback.cluster import is_master
from chaos.bench.loopback.session import Session

_CALM_SECONDS = 3.0  # what the start or earlier measures left to do


def idle(session: Session) -> None:
    """One value for each span; CPU in per cent of one core.

    `others_cpu_percent` is what all else on this machine used meanwhile: much of it, and no figure of the run is worth
    a lot, unless it is a ratio to another commit.
    """
    pids = session.cluster.pids()
    time.sleep(_CALM_SECONDS)
    begin, before, machine_before = time.monotonic(), accounting.usages(pids), accounting.machine_cpu_ns()
    time.sleep(session.effort.idle_seconds)
    seconds, used = time.monotonic() - begin, accounting.between(before, accounting.usages(pids))
    machine_ns = accounting.machine_cpu_ns() - machine_before
    cpu = {name: found.cpu_ns / 1e9 / seconds * 100 for name, found in used.items()}
    switches = {name: found.switches / seconds for name, found in used.items()}
    session.sink.add("idle_cpu_percent", "% of core", [sum(cpu.values())], parts=cpu)
    session.sink.add("idle_switches_per_second", "1/s", [sum(switches.values())], parts=switches)
    others = machine_ns / 1e9 / seconds * 100 - sum(cpu.values())
    session.sink.add("others_cpu_percent", "% of core", [max(0.0, others)])
    resident = [accounting.resident_bytes(pid) / 2**20 for name, pid in pids.items() if is_master(name)]
    session.sink.add("idle_master_mib", "MiB", resident)
    session.say(f"idle: {sum(cpu.values()):.1f} % of a core, {sum(switches.values()):,.0f} context switches a second")
