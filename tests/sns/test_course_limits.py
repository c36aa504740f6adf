"""Limits of the course's interfaces: each with a clear error, and nothing lost."""

import asyncio
from pathlib import Path

import grpc
import pytest

from tests.sns.support import Chat, CourseTimeline, Member, Writer, failure, members, until
from tinysns.domain.names import MAX_TEXT_BYTES
from tinysns.rpc.errors import info
from tinysns.sns import fanout
from tinysns.wire.csce438.sns_pb2 import Request
from tinysns.wire.hw2 import messenger_pb2

HOLD_SECONDS = 0.2  # where nothing can be answered
PATIENT_HOLD_SECONDS = 1.0  # where something must be answered within it


@pytest.mark.parametrize("name", ["x", "x" * 64, "Ab_c-9.z", "-", "..."])
async def test_names_that_may_be(master: Member, name: str) -> None:
    assert (await master.course.Login(Request(username=name), timeout=60)).msg == "Login Successful!"
    assert (
        await master.messenger.Login(messenger_pb2.Request(username=name), timeout=60)
    ).msg == f"Welcome Back {name}"


@pytest.mark.parametrize(("text", "longest"), [("x", MAX_TEXT_BYTES), ("ä", MAX_TEXT_BYTES // 2)])
async def test_the_longest_text_and_one_character_more(master: Member, text: str, longest: int) -> None:
    await master.login("ann", "reader")
    await master.follow("reader", "ann")
    async with CourseTimeline(master, "reader") as reader, CourseTimeline(master, "ann") as ann:
        await ann.say(text * longest)
        assert await reader.read(1) == [text * longest]
        await ann.say(text * (longest + 1))
        error = await failure(ann.call)
    assert (error.code(), info(error)[0]) == (grpc.StatusCode.INVALID_ARGUMENT, "REFUSED")
    assert "1 to 65536 bytes" in error.details()


async def test_a_text_that_is_not_utf8_ends_the_stream_and_what_came_before_is_stored(master: Member) -> None:
    await master.login("ann", "reader")
    await master.follow("reader", "ann")
    call = master.channel.stream_stream("/csce438.SNSService/Timeline")(timeout=60)
    for text in (b"Set Stream", b"good\n", b"\xff\xfe\n"):
        await call.write(b"\x0a\x03ann\x12" + bytes([len(text)]) + text)
    error = await failure(call)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "UTF-8" in error.details()
    async with CourseTimeline(master, "reader") as reader:
        assert await reader.read(1) == ["good\n"]


@pytest.mark.parametrize("timeline", [CourseTimeline, Chat])
async def test_a_slow_reader_is_bounded_and_catches_up(
    master: Member, monkeypatch: pytest.MonkeyPatch, timeline: type[CourseTimeline]
) -> None:
    limit = 64 * 1024
    monkeypatch.setattr(fanout, "MAX_QUEUED_BYTES", limit)
    await master.login("ann", "reader")
    await master.follow("reader", "ann")
    writer = Writer(master, 7)
    async with timeline(master, "reader") as slow:
        (subscription,) = master.hub._by_user["reader"]
        most = 0
        for i in range(100):  # 12 MB: more than gRPC takes on its way
            await writer.post("ann", [f"{i}.{j} ".ljust(4000, "x") for j in range(30)])
            await writer.answers(1)
            most = max(most, subscription.queued_bytes)
        assert most <= limit
        texts = await slow.read(3000)
        assert [text.split()[0] for text in texts] == [f"{i}.{j}" for i in range(100) for j in range(30)]
        await until(lambda: subscription.collecting, "the reader is live again")
        await master.post("ann", "live\n")
        assert [text.strip() for text in await slow.read(1)] == ["live"]


@pytest.mark.parametrize("method", ["Login", "Follow", "UnFollow", "List", "GetFollowerInfo"])
async def test_a_call_without_a_deadline_waits_for_a_leader_so_long_and_no_longer(tmp_path: Path, method: str) -> None:
    async with members(tmp_path, hold_seconds=HOLD_SECONDS) as (master,):
        await master.login("ann", "bob")
        master.submitter.stop_applying()
        begun = asyncio.get_running_loop().time()
        error = await failure(getattr(master.course, method)(Request(username="ann", arguments=["bob"])))
        assert asyncio.get_running_loop().time() - begun >= HOLD_SECONDS
        assert (error.code(), "no leader" in error.details()) == (grpc.StatusCode.UNAVAILABLE, True)
        assert info(error) == ("NOT_SERVING", method in ("List", "GetFollowerInfo"))


async def test_a_timeline_without_a_deadline_opens_or_says_that_it_cannot(tmp_path: Path) -> None:
    async with members(tmp_path, hold_seconds=PATIENT_HOLD_SECONDS) as (master,):
        await master.login("ann", "bob")
        await master.follow("bob", "ann")
        master.submitter.stop_applying()
        waiting = Chat(master, "bob", timeout=None)
        await waiting.say("Set Stream")
        error = await failure(waiting.call)
        assert (error.code(), "no leader" in error.details()) == (grpc.StatusCode.UNAVAILABLE, True)
        master.submitter.go_on()
        async with CourseTimeline(master, "bob", timeout=None) as reader:
            await asyncio.sleep(1.2 * PATIENT_HOLD_SECONDS)  # to be open is not to wait: nothing ends it
            await master.post("ann", "live\n")
            assert await reader.read(1) == ["live\n"]


async def test_a_post_for_which_there_is_no_leader_ends_the_stream_and_is_stored_once_there_is(tmp_path: Path) -> None:
    async with members(tmp_path, hold_seconds=PATIENT_HOLD_SECONDS) as (master,):
        await master.login("ann", "bob")
        await master.follow("bob", "ann")
        async with CourseTimeline(master, "ann", timeout=None) as ann:
            master.submitter.stop_applying()
            await ann.say("held\n")
            error = await failure(ann.call)
        assert (error.code(), info(error)) == (grpc.StatusCode.UNAVAILABLE, ("NOT_SERVING", False))
        master.submitter.go_on()
        async with CourseTimeline(master, "bob") as bob:
            assert await bob.read(1) == ["held\n"]
