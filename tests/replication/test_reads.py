"""Read barriers: one ticket serves many, none is answered too early, none is forgotten."""

import asyncio

import pytest

from tinysns.replication.interface import NotServing
from tinysns.replication.reads import Reads


class Tickets:
    """Stands for the native member: counts what it was asked."""

    def __init__(self) -> None:
        self.last = 0

    def ask(self) -> int:
        self.last += 1
        return self.last


async def waiting(reads: Reads, count: int = 1) -> list[asyncio.Task[None]]:
    """Readers of one turn of the loop, once their ticket was asked for."""
    readers = [asyncio.ensure_future(reads.wait()) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return readers


async def answered(*readers: asyncio.Task[None]) -> int:
    """How many of them are."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return sum(reader.done() and reader.exception() is None for reader in readers)


async def test_one_ticket_serves_all_readers_of_a_turn() -> None:
    tickets = Tickets()
    reads = Reads(tickets.ask)
    readers = await waiting(reads, 3)
    assert tickets.last == 1
    reads.confirmed([1], 10)
    reads.reached(9)
    assert await answered(*readers) == 0
    reads.reached(10)
    assert await answered(*readers) == 3


async def test_a_reader_that_comes_later_has_a_ticket_of_its_own() -> None:
    tickets = Tickets()
    reads = Reads(tickets.ask)
    (first,) = await waiting(reads)
    (late,) = await waiting(reads)
    reads.confirmed([1], 10)
    reads.reached(10)
    assert await answered(first) == 1
    assert await answered(late) == 0
    reads.confirmed([2], 11)
    reads.reached(11)
    assert await answered(late) == 1


async def test_tickets_of_nobody_mean_nothing() -> None:
    tickets = Tickets()
    reads = Reads(tickets.ask)
    (reader,) = await waiting(reads)
    reads.confirmed([7], 1)
    reads.reached(1)
    assert await answered(reader) == 0
    reads.confirmed([7, 1], 1)
    reads.reached(1)
    assert await answered(reader) == 1


async def test_a_reader_that_gives_up_takes_nobody_along() -> None:
    tickets = Tickets()
    reads = Reads(tickets.ask)
    gone, reader = await waiting(reads, 2)
    gone.cancel()
    reads.confirmed([1], 1)
    reads.reached(1)
    assert await answered(reader) == 1


async def test_failed_readers_hear_why() -> None:
    tickets = Tickets()
    reads = Reads(tickets.ask)
    (ripening,) = await waiting(reads)
    reads.confirmed([1], 99)
    reads.reached(1)
    (asked,) = await waiting(reads)
    new = asyncio.ensure_future(reads.wait())
    await asyncio.sleep(0)
    reads.fail(NotServing("the disk of h1 is stalled"))
    for reader in (ripening, asked, new):
        with pytest.raises(NotServing, match="stalled"):
            await reader
