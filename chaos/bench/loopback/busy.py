"""busy: two processes that do nothing but compute, beside 500 posts/s: does the service take slowness for a fault?"""

import re
import sys
import time
from contextlib import ExitStack

from chaos.bench.loopback import processes
from chaos.bench.loopback.session import Session
from chaos.bench.loopback.traffic import lone_posts
from chaos.cluster import ClusterView
from chaos.loop import complete
from tinysns.client import Client

_HOGS = 2
_EVERY_MS = 2.0
_HOG = "while True: pass"
_BLAMES_DISK = re.compile(r"check that disk|has not returned for|disk (is )?(slow|stall)", re.IGNORECASE)
_HEALTHY_SECONDS = 120.0


def busy(session: Session) -> None:
    """One value each, of the whole scenario. Raises Lost if a post was."""
    cluster, seconds = session.cluster, session.effort.busy_minutes * 60
    session.say(f"busy: {_HOGS} hogs beside 500 posts/s for {seconds:g} s")
    before = cluster.wait_healthy()
    sizes = {name: path.stat().st_size for name, path in cluster.logs().items()}
    with ExitStack() as stack:
        run = stack.enter_context(lone_posts(session, "busy", _EVERY_MS, cluster.standby().host.master))
        complete(_log_in(session, run.name))  # follows nobody: its streams cost next to nothing
        masters = [host.master for host in cluster.inventory.masters]
        watcher = processes.start_module("chaos.bench.loopback.streams", run.name, *masters)
        stack.callback(processes.end, [watcher])
        processes.ask(watcher)
        hogs = [processes.start((sys.executable, "-c", _HOG)) for _ in range(_HOGS)]
        stack.callback(processes.end, hogs)
        time.sleep(seconds)
        ended = int(processes.ask(watcher, "ended"))
        processes.end(hogs)
    after = cluster.wait_healthy(_HEALTHY_SECONDS)
    blamed = 0
    for name, path in cluster.logs().items():
        with path.open("rb") as log:
            log.seek(sizes[name])
            blamed += sum(bool(_BLAMES_DISK.search(line)) for line in log.read().decode(errors="replace").splitlines())
    restarts = sum(a.pid != b.pid for a, b in zip(before.masters, after.masters, strict=True))
    posts = len(run.writers[0].acknowledged)
    for name, value in (
        ("busy_leader_changes", _term(after) - _term(before)),
        ("busy_streams_ended", ended),
        ("busy_disk_blamed", blamed),
        ("busy_masters_restarted", restarts),
        ("busy_posts_per_second", posts / seconds),
    ):
        session.sink.add(name, "", [value])
    waits = [(w.answered_ns - w.invoked_ns) / 1e6 for w in run.writers[0].acknowledged]
    session.sink.add("busy_write_ms", "ms", waits)
    session.say(
        f"busy: {_term(after) - _term(before)} new terms, {ended} streams ended, the disk blamed {blamed} times,"
        f" {restarts} masters restarted, {posts / seconds:.0f} posts/s"
    )


async def _log_in(session: Session, user: str) -> None:
    async with Client(session.cluster.inventory.router_addresses) as client:
        await client.session().login(user)


def _term(view: ClusterView) -> int:
    return max(master.term for master in view.masters)
