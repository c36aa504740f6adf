"""tinysns.v1.Sns.Write and List: exactly once, in order, several in flight."""

import asyncio
from pathlib import Path

import grpc
import pytest

from tests.sns.support import Member, NativeTimeline, Writer, failure, members, until
from tinysns.domain.writes import SESSION_WINDOW
from tinysns.rpc.errors import info
from tinysns.wire.v1 import sns_pb2
from tinysns.wire.v1.sns_pb2 import Command, Follow, Login, Post, Unfollow


async def test_outcomes(master: Member) -> None:
    writer = Writer(master, 7)
    for write in (
        {"login": Login(user="ann")},
        {"login": Login(user="ann")},
        {"login": Login(user="bob")},
        {"follow": Follow(user="ann", target="bob")},
        {"follow": Follow(user="ann", target="bob")},
        {"follow": Follow(user="ann", target="nobody")},
        {"unfollow": Unfollow(user="ann", target="ann")},
        {"unfollow": Unfollow(user="ann", target="bob")},
        {"unfollow": Unfollow(user="ann", target="bob")},
        {"post": Post(author="nobody", texts=["x"])},
    ):
        await writer.send(writer.command(**write))
    answers = await writer.answers(10)
    assert [answer.number for answer in answers] == list(range(1, 11))
    assert [sns_pb2.Outcome.Name(answer.outcome) for answer in answers] == [
        "DONE",
        "WELCOME_BACK",
        "DONE",
        "DONE",
        "ALREADY_FOLLOWING",
        "UNKNOWN_USER",
        "INVALID_TARGET",
        "DONE",
        "NOT_FOLLOWING",
        "UNKNOWN_USER",
    ]
    assert [a.position for a in answers] == sorted({a.position for a in answers})
    await writer.end()


async def test_invalid_is_answered_with_a_sentence_and_does_not_use_up_the_number(master: Member) -> None:
    writer = Writer(master, 7)
    await writer.send(writer.command(login=Login(user="ann")))
    for bad in (Post(author="ann"), Post(author="ann", texts=[""]), Post(author="no name", texts=["x"])):
        await writer.send(Command(session=7, number=2, post=bad))
    await writer.send(Command(session=7, number=2))
    await writer.send(Command(session=7, number=3, post=Post(author="ann", texts=["too early"])))
    await writer.send(Command(session=7, number=2, post=Post(author="ann", texts=["good"])))
    done, *bad, gap, good = await writer.answers(7)
    assert (done.outcome, good.outcome) == (sns_pb2.DONE, sns_pb2.DONE)
    assert [answer.outcome for answer in bad] == [sns_pb2.INVALID] * 4
    assert all(answer.detail for answer in bad)
    assert (gap.outcome, gap.expected) == (sns_pb2.GAP, 2)


async def test_a_lost_predecessor_is_a_gap_for_all_behind_it_and_all_go_in_again_in_order(master: Member) -> None:
    await master.login("ann", "bob")
    await master.follow("bob", "ann")
    writer = Writer(master, 7)
    commands = [writer.command(post=Post(author="ann", texts=[str(i)])) for i in range(20)]
    lost = 5
    for command in commands[:lost] + commands[lost + 1 :]:
        await writer.send(command)
    answers = await writer.answers(19)
    assert {(a.outcome, a.expected) for a in answers[lost:]} == {(sns_pb2.GAP, lost + 1)}
    for command in commands:  # some of them were executed: those get their first answers again
        await writer.send(command)
    again = await writer.answers(20)
    assert [a.number for a in again] == list(range(1, 21))
    assert all(a.outcome == sns_pb2.DONE for a in again)
    assert [a.position for a in again[:lost]] == [a.position for a in answers[:lost]]
    async with NativeTimeline(master, "bob") as timeline:
        assert await timeline.read(20) == [str(i) for i in range(20)]


async def test_after_a_broken_stream_the_same_numbers_take_effect_once(tmp_path: Path) -> None:
    async with members(tmp_path, 2) as (one, two):
        await one.login("ann", "bob")
        await one.follow("bob", "ann")
        first = Writer(one, 7)
        commands = [first.command(post=Post(author="ann", texts=[f"{i}.{j}" for j in range(3)])) for i in range(30)]
        for command in commands:
            await first.send(command)
        first.call.cancel()
        second = Writer(two, 7)
        for command in commands:
            await second.send(command)
        assert [a.outcome for a in await second.answers(30)] == [sns_pb2.DONE] * 30
        await second.end()
        async with NativeTimeline(two, "bob") as timeline:
            assert await timeline.read(90) == [f"{i}.{j}" for i in range(30) for j in range(3)]


async def test_no_more_than_the_window_is_in_flight(master: Member) -> None:
    await master.login("ann")
    submitted = 0
    submit = master.submitter.submit

    def counting(command):
        nonlocal submitted
        submitted += 1
        return submit(command)

    master.submitter.submit = counting
    master.submitter.stop_applying()
    writer = Writer(master, 7)

    async def send() -> None:
        for _ in range(3 * SESSION_WINDOW):
            await writer.post("ann", ["x"])

    sending = asyncio.create_task(send())
    await until(lambda: submitted >= SESSION_WINDOW, "the window is full")
    await asyncio.wait((sending,), timeout=0.1)
    assert submitted == SESSION_WINDOW
    master.submitter.go_on()
    answers = await writer.answers(3 * SESSION_WINDOW)
    await sending
    assert [a.number for a in answers] == list(range(1, 3 * SESSION_WINDOW + 1))
    assert {a.outcome for a in answers} == {sns_pb2.DONE}
    await writer.end()


async def test_a_broken_message_ends_the_stream_after_the_answers_before_it(master: Member) -> None:
    call = master.channel.stream_stream("/tinysns.v1.Sns/Write", response_deserializer=sns_pb2.Answers.FromString)(
        timeout=60
    )
    await call.write(Command(session=7, number=1, login=Login(user="ann")).SerializeToString())
    await call.write(b"\xff\xff")
    assert [a.outcome for a in (await call.read()).answers] == [sns_pb2.DONE]
    error = await failure(call)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "tinysns.v1.Command" in error.details()


async def test_a_second_session_on_a_stream_is_refused(master: Member) -> None:
    writer = Writer(master, 7)
    await writer.send(Command(session=7, number=1, login=Login(user="ann")))
    await writer.send(Command(session=8, number=1, login=Login(user="bob")))
    assert (await failure(writer.call)).code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("in_flight", [True, False])
async def test_a_master_that_stops_serving_ends_the_stream_indefinite(master: Member, in_flight: bool) -> None:
    writer = Writer(master, 7)
    await writer.send(writer.command(login=Login(user="ann")))
    await writer.answers(1)
    master.submitter.stop_applying()
    if in_flight:
        await writer.post("ann", ["x"])
        await asyncio.sleep(0.02)
    master.submitter.refuse("the disk is full")
    error = await failure(writer.call)
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "the disk is full")
    assert info(error) == ("NOT_SERVING", False)


async def test_without_a_deadline_a_write_and_a_read_are_held_for_a_while_only(tmp_path: Path) -> None:
    async with members(tmp_path, hold_seconds=0.1) as (master,):
        await master.login("ann")
        master.submitter.stop_applying()
        writer = Writer(master, 7)
        writer.call = master.sns.Write()
        await writer.post("ann", ["x"])
        for call in (
            writer.call,
            master.sns.List(sns_pb2.ListRequest(user="ann")),
            master.sns.Timeline(sns_pb2.TimelineRequest(user="ann")),
        ):
            error = await failure(call)
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert "0.1 s" in error.details()


async def test_list(master: Member) -> None:
    await master.login("cem", "ann", "bob")
    await master.follow("ann", "bob", "cem")
    await master.follow("bob", "ann")
    before = master.counters.local_reads
    reply = await master.sns.List(sns_pb2.ListRequest(user="ann"), timeout=60)
    assert list(reply.users) == ["ann", "bob", "cem"]
    assert list(reply.followers) == ["ann", "bob"]
    assert list(reply.following) == ["bob", "cem"]
    assert master.counters.local_reads == before + 1
    error = await failure(master.sns.List(sns_pb2.ListRequest(user="nobody"), timeout=60))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_list_on_a_member_that_lags_waits_for_what_was_answered_elsewhere(tmp_path: Path) -> None:
    async with members(tmp_path, 2) as (one, two):
        two.submitter.stop_applying()
        await one.login("ann")
        listing = asyncio.ensure_future(two.sns.List(sns_pb2.ListRequest(user="ann"), timeout=60))
        await asyncio.sleep(0.02)
        two.submitter.go_on()
        assert list((await listing).users) == ["ann"]
