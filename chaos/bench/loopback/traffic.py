"""One author and one follower on another master, each a process of its own, judged when they are done."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chaos.bench.loopback.session import Lost, Session
from chaos.checks.delivery import Delivered, judge_delivery
from chaos.errors import CannotRun
from chaos.history import ReaderHistory, Recorder, WriterHistory, read_all, read_writer
from chaos.traffic.processes import Load, Traffic
from chaos.traffic.reread import reread
from chaos.traffic.writer import Pace


@dataclass(slots=True)
class Run:
    """The traffic while it goes on; behind its end the histories, which have lost nothing."""

    name: str
    folder: Path
    traffic: Traffic
    writers: tuple[WriterHistory, ...] = ()
    readers: tuple[ReaderHistory, ...] = ()

    @property
    def pids(self) -> dict[str, int]:
        return self.traffic.pids()

    @property
    def follower(self) -> ReaderHistory:
        return next(reader for reader in self.readers if reader.live)


@contextlib.contextmanager
def lone_posts(session: Session, kind: str, every_ms: float, followed_on: str) -> Iterator[Run]:
    """Posts one by one until the block is left; then every master is read afresh. Raises Lost, CannotRun."""
    name, folder = session.new_run(kind)
    load = Load(writers=1, followers=1, pace=Pace(every_ms))
    inventory = session.cluster.inventory
    with Traffic(folder, name, inventory.router_addresses, load, followed_on) as traffic:
        traffic.start()
        run = Run(name, folder, traffic)
        yield run
        troubles = traffic.stop_writers()
        posted = read_writer(folder / "history/writer-1.jsonl").acknowledged
        troubles += traffic.stop_followers(max((write.position for write in posted), default=0))
    if troubles:
        raise CannotRun(f"{name}: {'; '.join(troubles)}; see {folder}")
    for host in inventory.masters:
        recorder = Recorder(folder / f"history/reread-{host.name}.jsonl")
        if trouble := reread(inventory.router_addresses, traffic.users[0], host.master, recorder):
            raise CannotRun(f"{name}: the master of {host.name} could not be read afresh: {trouble}")
    run.writers, run.readers = read_all(folder)
    judge(name, judge_delivery(run.writers, run.readers), folder)
    session.posts += len(posted)


def judge(name: str, found: Delivered, folder: Path) -> None:
    """Raises Lost if an acknowledged post is missing, doubled or in the wrong place, and CannotRun without any."""
    for what, findings in (
        ("lost", found.lost),
        ("doubled", found.duplicated),
        ("out of order", found.disordered),
        ("received and never written", found.invented),
    ):
        if findings:
            first = findings[0]
            raise Lost(f"{name}: {len(findings)} posts {what}, e.g. {first.text}: {first.sentence}; see {folder}")
    if not found.acknowledged:
        raise CannotRun(f"{name}: not one post was acknowledged; see {folder}")
