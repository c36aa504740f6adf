"""frozen_python: the leader's Python stands still for 2 s; do writers on other masters notice?

That needs a build whose master has a hook for it, which no release has. A master that has it catches SIGUSR2 and
then keeps its Python (not its other threads) from running for 2 s; that it catches the signal shows in /proc.
"""

import os
import signal
import time
from pathlib import Path

from chaos.bench.loopback import processes
from chaos.bench.loopback.gaps import wait_ms
from chaos.bench.loopback.session import Session
from chaos.bench.loopback.traffic import judge
from chaos.checks.delivery import judge_delivery
from chaos.history import Recorder, read_all
from chaos.traffic.reread import reread

_HOOK = signal.SIGUSR2
_FREEZE_SECONDS = 2.0
_CALM_SECONDS = 1.0


def stop_python(pid: int) -> bool:
    """Lets the Python of that master stand still for 2 s, from now on; False: its build has no hook for that."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, mask = line.partition(":")
        if name == "SigCgt" and int(mask, 16) >> (_HOOK - 1) & 1:
            os.kill(pid, _HOOK)
            return True
    return False


def frozen_python(session: Session) -> None:
    """One freeze: new terms, and the longest wait of a writer on a standby. Raises Lost."""
    cluster = session.cluster
    leader, standby = cluster.leader(), cluster.standby()
    name, folder = session.new_run("frozen")
    history = folder / "history/writer-1.jsonl"
    routers = ",".join(cluster.inventory.router_addresses)
    writer = processes.start_module(
        "chaos.bench.loopback.standby_writer", name, routers, standby.host.master, str(history)
    )
    try:
        processes.ask(writer)
        time.sleep(_CALM_SECONDS)
        asked_ns = time.monotonic_ns()
        available = stop_python(leader.pid)
        if available:
            time.sleep(_FREEZE_SECONDS + _CALM_SECONDS)
        processes.ask(writer, "stop")
    finally:
        processes.end([writer])
    if not available:
        sentence = f"frozen_python: not available, the build of {session.cluster.checkout.label} has no hook for it"
        session.sink.note(sentence)
        session.say(sentence)
        return
    for host in cluster.inventory.masters:
        recorder = Recorder(folder / f"history/reread-{host.name}.jsonl")
        reread(cluster.inventory.router_addresses, f"{name}-reader", host.master, recorder)
    writers, readers = read_all(folder)
    judge(name, judge_delivery(writers, readers), folder)
    answers = sorted(write.answered_ns for write in writers[0].acknowledged)
    waited = wait_ms(answers, asked_ns, until_ns=asked_ns + int((_FREEZE_SECONDS + _CALM_SECONDS / 2) * 1e9))
    terms = cluster.leader().term - leader.term
    session.sink.add("frozen_python_new_terms", "", [terms])
    session.sink.add("frozen_python_write_gap", "ms", [waited])
    session.say(f"frozen_python: {terms} new terms, a writer on a standby waited {waited:.0f} ms")
