"""The driver with a real log and no network."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from raftlog import Group, Log, Write

from tests.replication.cluster import until
from tinysns.replication.driver import Driver, View

STAMP = b"\x10\x01"


class Owner:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, bytes]] = []
        self.applied = 0
        self.compactions = 0

    def send_raft(self, peer: int, packet: bytes) -> None: ...

    def view_changed(self, old: View, new: View) -> None: ...

    def committed(self, entries: Sequence[tuple[int, bytes]], applied_index: int) -> None:
        self.entries += entries
        self.applied = applied_index

    def reads_confirmed(self, reads: Sequence[tuple[bytes, int]]) -> None: ...

    def snapshot_arrived(self, index: int, write: Write) -> None: ...

    def compacted(self) -> None:
        self.compactions += 1


def crash(error: BaseException) -> None:
    raise AssertionError("crashed") from error


async def leading(
    folder: Path, group: Callable[[Log], Group] = lambda log: log.group(1, 1)
) -> tuple[Driver, Owner, Group]:
    """The only member of its group."""
    log = Log.open(str(folder / "log"))
    log.found(1, [1])
    opened, owner = group(log), Owner()
    driver = Driver(log, opened, owner, lambda: STAMP, crash)
    driver.campaign()
    await until(lambda: driver.view.leads, "the only member leads")
    return driver, owner, opened


async def written(driver: Driver, owner: Owner, count: int) -> None:
    for _ in range(count):
        before = owner.applied
        driver.propose([b"\x0a\x00"])
        await until(lambda before=before: owner.applied > before, "committed")


async def test_compacting_where_nothing_is_new_does_nothing(tmp_path: Path) -> None:
    driver, owner, _ = await leading(tmp_path)
    await written(driver, owner, 20)
    for keep in (15, 2, 2):
        driver.compact(owner.applied, keep)
        await asyncio.wait_for(driver.writer.idle(), 60)
    assert owner.compactions == 1
    await written(driver, owner, 5)
    driver.compact(owner.applied, 2)
    await asyncio.wait_for(driver.writer.idle(), 60)
    assert owner.compactions == 2
    driver.writer.close()


async def test_the_log_of_an_installed_state_is_not_cut_before_it_has_reached_the_state(tmp_path: Path) -> None:
    """The state came from another member and is far ahead of what raft has handed out here."""
    driver, owner, group = await leading(tmp_path, lambda log: log.group(1, 1, applied=40, installed=40))
    driver.compact(40, 5)
    await written(driver, owner, 0)
    while group.status().last < 50:
        last = group.status().last
        driver.propose([b"\x0a\x00"])
        await until(lambda last=last: group.status().last > last, "appended")
        driver.compact(40, 5)
    await until(lambda: owner.applied >= 50, "committed")
    driver.compact(40, 5)
    await asyncio.wait_for(driver.writer.idle(), 60)
    assert owner.compactions == 1
    assert group.status().first > 30
    assert [index for index, _ in owner.entries] == list(range(41, owner.applied + 1))
    driver.writer.close()
