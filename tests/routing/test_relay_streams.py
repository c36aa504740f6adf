"""Timelines through the relay: both directions, slow sides, and what their clients see when a master is lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from tests.routing.relaying import Relayed, until
from tinysns.routing import relay_calls, relay_streams
from tinysns.rpc.errors import abort, info

KIB = 1024


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, too, no try is given up."""
    monkeypatch.setattr(relay_calls, "TRY_SECONDS", 60.0)


@pytest.fixture
async def relayed() -> AsyncIterator[Relayed]:
    async with Relayed(2) as relayed:
        yield relayed


async def opened(relayed: Relayed, first: bytes = b"set stream") -> "grpc.aio.StreamStreamCall[bytes, bytes]":
    stream = relayed.stream()
    await stream.write(first)
    await stream.initial_metadata()
    return stream


async def end_of(stream: Any) -> grpc.aio.AioRpcError:
    try:
        while await stream.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as e:
        return e
    raise AssertionError("the stream has ended well")


async def test_messages_pass_in_both_directions_as_they_are_and_the_clients_end_of_its_side_is_passed_on(
    relayed: Relayed,
) -> None:
    stream = await opened(relayed)
    for i in range(50):
        await stream.write(bytes([0, i, 255]))
    await stream.done_writing()
    got = [raw async for raw in stream]
    assert got == [b"set stream", *(bytes([0, i, 255]) for i in range(50)), b"you have ended your side"]
    assert await stream.code() is grpc.StatusCode.OK
    assert not relayed.masters[1].calls, "the primary has it"


async def test_a_stream_whose_client_says_nothing_is_answered_by_a_master_too(relayed: Relayed) -> None:
    stream = relayed.stream()
    await stream.done_writing()
    assert [raw async for raw in stream] == [b"you have ended your side"]


async def test_what_a_master_sent_before_it_ended_the_stream_arrives_before_the_end(relayed: Relayed) -> None:
    async def tell_and_refuse(context: Any) -> None:
        for _ in range(200):
            await context.write(b"post")
        await abort(context, grpc.StatusCode.UNAVAILABLE, "NOT_SERVING", "h1 is stopping", definite=False)

    relayed.masters[0].ends_streams = tell_and_refuse
    stream = await opened(relayed)
    for _ in range(200):
        assert await stream.read() == b"post"
    error = await end_of(stream)
    assert (error.details(), info(error)) == ("h1 is stopping", ("NOT_SERVING", False))


async def test_the_first_message_is_tried_until_a_master_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_calls, "TRY_SECONDS", 1.0)

    async def not_serving(context: Any) -> None:
        await abort(context, grpc.StatusCode.UNAVAILABLE, "NOT_SERVING", "no contact with a leader")

    async with Relayed(4, hold_seconds=60.0) as relayed:
        refusing, hung, dead, well = relayed.masters
        refusing.refusing = not_serving
        hung.running.clear()
        await dead.kill()
        stream = await opened(relayed)
        assert len(refusing.calls) == len(hung.calls) == len(well.calls) == 1
        await until(lambda: hung.over)
        stream.cancel()


async def test_a_refusal_that_any_master_would_repeat_comes_back_at_once_with_its_details(relayed: Relayed) -> None:
    async def refuse(context: Any) -> None:
        await abort(context, grpc.StatusCode.NOT_FOUND, "UNKNOWN_USER", "no user 'ann': log in first")

    relayed.masters[0].refusing = refuse
    stream = relayed.stream()
    await stream.write(b"set stream")
    error = await end_of(stream)
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "no user 'ann': log in first")
    assert info(error) == ("UNKNOWN_USER", True)
    assert not relayed.masters[1].calls


async def test_nobody_takes_the_first_message_until_the_hold_time_is_over(relayed: Relayed) -> None:
    for master in relayed.masters:
        await master.kill()
    stream = relayed.stream()
    await stream.write(b"set stream")
    error = await end_of(stream)
    assert (error.code(), info(error)) == (grpc.StatusCode.UNAVAILABLE, ("NO_MASTER", True))


async def test_the_death_of_its_master_ends_a_stream_and_the_client_can_open_it_again(relayed: Relayed) -> None:
    stream = await opened(relayed)
    await relayed.masters[0].kill()
    error = await end_of(stream)
    assert (error.code(), info(error)) == (grpc.StatusCode.UNAVAILABLE, ("MASTER_LOST", False))
    assert error.details().endswith("open the timeline again")
    again = await opened(relayed)
    await again.done_writing()
    assert [raw async for raw in again] == [b"set stream", b"you have ended your side"]


@pytest.mark.parametrize("taken_off", [False, True])
async def test_an_idle_stream_ends_when_its_master_hangs(relayed: Relayed, taken_off: bool) -> None:
    stream = await opened(relayed)
    relayed.masters[0].running.clear()
    if taken_off:
        relayed.routing.table.expire(float("inf"))
        relayed.say(relayed.masters[1])
    error = await end_of(stream)
    assert (error.code(), info(error)) == (grpc.StatusCode.UNAVAILABLE, ("MASTER_LOST", False))


async def test_an_idle_stream_stays_on_a_master_that_lives_even_if_the_router_has_lost_it(
    relayed: Relayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_streams, "_DOUBT_SECONDS", 0.2)
    stream = await opened(relayed)
    assert await stream.read() == b"set stream"
    relayed.routing.table.expire(float("inf"))
    relayed.say(relayed.masters[1])
    asked = relayed.masters[0].checks
    await until(lambda: relayed.masters[0].checks >= asked + 3)
    await stream.write(b"still here")
    assert await stream.read() == b"still here"


async def test_a_client_that_does_not_read_stops_its_master_and_nobody_else(relayed: Relayed) -> None:
    master = relayed.masters[0]
    slow = await opened(relayed, b"flood")
    sent = -1
    while sent < master.sent:  # until nothing was sent for a while: only an end of sending cannot be awaited
        sent = master.sent
        await asyncio.sleep(0.3)
    assert sent <= 10, "some windows of 64 KiB are on the way"
    other = await opened(relayed)
    assert await other.read() == b"set stream"
    for _ in range(20 + sent):
        assert len(await slow.read()) == 64 * KIB
    await until(lambda: master.sent >= 20 + sent)


async def test_a_master_that_does_not_read_stops_its_client(relayed: Relayed) -> None:
    stream = await opened(relayed, b"deaf")
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 1000:
            async with asyncio.timeout(0.5):
                await stream.write(bytes(64 * KIB))
            sent += 1
    assert sent < 200, "the master's own windows are larger"


async def test_a_client_that_goes_away_ends_the_stream_on_its_master(relayed: Relayed) -> None:
    for _ in range(2):
        (await opened(relayed)).cancel()
    leaving = await opened(relayed)
    await relayed.channel.close()
    await until(lambda: relayed.masters[0].over == 3)
    del leaving


async def test_the_deadline_of_a_stream_holds_on_its_master_too() -> None:
    async with Relayed(2, hold_seconds=60.0) as relayed:
        stream = relayed.stream(deadline_seconds=1.0)
        await stream.write(b"set stream")
        error = await end_of(stream)
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert 0.0 < (relayed.masters[0].deadlines[0] or 0) < 1.1
        await until(lambda: relayed.masters[0].over)


async def test_a_stopping_router_tells_its_clients_to_open_their_timelines_again(relayed: Relayed) -> None:
    streams = [await opened(relayed) for _ in range(3)]
    relayed.relay.close()
    for stream in streams:
        error = await end_of(stream)
        assert "this router is stopping" in error.details()
        assert info(error) == ("MASTER_LOST", False)


async def test_under_balanced_each_stream_goes_where_the_load_is_least() -> None:
    async with Relayed(3, policy="balanced") as relayed:
        for loaded in range(3):
            for i, master in enumerate(relayed.masters):
                relayed.say(master, open_streams=0 if i == loaded else 5)
            stream = await opened(relayed)
            assert len(relayed.masters[loaded].streams) == 1
            stream.cancel()
