"""The course's timeline: a backlog of 20, then live posts, and what is refused."""

import asyncio

import grpc
import pytest

from tests.sns.support import START_NS, CourseTimeline, Member, failure, until
from tinysns.domain.names import MAX_TEXT_BYTES
from tinysns.wire.csce438.sns_pb2 import Message


async def test_backlog_is_the_newest_20_and_a_later_follower_sees_fewer(master: Member) -> None:
    await master.login("author", "early", "late")
    await master.follow("early", "author")
    await master.post("author", *(f"p{i}\n" for i in range(25)))
    await master.follow("late", "author")
    await master.post("author", "p25\n", "p26\n")
    async with CourseTimeline(master, "early") as early, CourseTimeline(master, "late") as late:
        await master.post("author", "live\n")
        assert await early.read(21) == [*(f"p{i}\n" for i in range(26, 6, -1)), "live\n"]
        assert await late.read(3) == ["p26\n", "p25\n", "live\n"]


async def test_a_post_carries_author_time_and_its_text_as_it_came(master: Member) -> None:
    await master.login("author", "reader")
    await master.follow("reader", "author")
    async with CourseTimeline(master, "reader") as reader:
        await master.post("author", "ä\0\r\n")
        got = await asyncio.wait_for(reader.call.read(), 60)
    assert (got.username, got.msg) == ("author", "ä\0\r\n")
    assert got.timestamp.ToNanoseconds() >= START_NS


async def test_set_stream_with_a_newline_is_a_post(master: Member) -> None:
    await master.login("author", "reader")
    await master.follow("reader", "author")
    await master.post("author", "Set Stream\n", "Set Stream")
    async with CourseTimeline(master, "reader") as reader:
        assert await reader.read(2) == ["Set Stream", "Set Stream\n"]


async def test_ten_users_see_each_other_live_in_one_order_and_never_themselves(master: Member) -> None:
    users = [f"u{i}" for i in range(10)]
    await master.login(*users)
    for user in users:
        await master.follow(user, *(other for other in users if other != user))
    streams = [await CourseTimeline(master, user).__aenter__() for user in users]
    for n in range(5):
        for stream in streams:
            await stream.say(f"{stream.user} {n}\n")
    seen = await asyncio.gather(*(stream.read(45) for stream in streams))
    await master.post("u0", "last\n")
    for stream, texts in zip(streams[1:], seen[1:], strict=True):
        assert await stream.read(1) == ["last\n"]
        assert not [text for text in texts if text.startswith(stream.user + " ")]
        # Two readers agree on the order of what both see.
        own, first = f"{stream.user} ", "u0 "
        assert [t for t in texts if not t.startswith(first)] == [t for t in seen[0] if not t.startswith(own)]
    for stream in streams:
        stream.call.cancel()


async def test_follow_and_unfollow_count_for_an_open_stream(master: Member) -> None:
    await master.login("author", "reader", "other")
    await master.follow("reader", "other")
    async with CourseTimeline(master, "reader") as reader:
        await master.post("author", "before\n")
        await master.follow("reader", "author")
        await master.post("author", "while\n")
        await master.unfollow("reader", "author")
        await master.post("author", "after\n")
        await master.post("other", "end\n")
        assert await reader.read(2) == ["while\n", "end\n"]


@pytest.mark.parametrize("text", ["Set Stream\n", "", "hello\n"])
async def test_wrong_first_message(master: Member, text: str) -> None:
    await master.login("ann")
    call = master.course.Timeline(timeout=60)
    await call.write(Message(username="ann", msg=text))
    error = await failure(call)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "Set Stream" in error.details()


async def test_no_first_message(master: Member) -> None:
    call = master.course.Timeline(timeout=60)
    await call.done_writing()
    assert (await failure(call)).code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_unknown_user(master: Member) -> None:
    call = master.course.Timeline(timeout=60)
    await call.write(Message(username="nobody", msg="Set Stream"))
    error = await failure(call)
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert "nobody" in error.details()


@pytest.mark.parametrize(
    ("message", "word"),
    [
        (Message(username="bob", msg="as somebody else\n"), "'bob'"),
        (Message(username="ann", msg=""), "0"),
        (Message(username="ann", msg="x" * (MAX_TEXT_BYTES + 1)), str(MAX_TEXT_BYTES)),
    ],
)
async def test_a_bad_post_ends_the_stream_and_those_before_it_are_stored(
    master: Member, message: Message, word: str
) -> None:
    await master.login("ann", "bob", "reader")
    await master.follow("reader", "ann", "bob")
    async with CourseTimeline(master, "ann") as ann:
        await ann.say("good\n")
        await ann.call.write(message)
        error = await failure(ann.call)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert word in error.details()
    async with CourseTimeline(master, "reader") as reader:
        assert await reader.read(1) == ["good\n"]


async def test_more_posts_than_may_wait_arrive_in_order(master: Member) -> None:
    await master.login("author", "reader")
    await master.follow("reader", "author")
    texts = [f"{i}\n" for i in range(1000)]
    async with CourseTimeline(master, "reader") as reader:
        master.submitter.stop_applying()
        posting = asyncio.create_task(master.post("author", *texts))
        await asyncio.sleep(0.05)
        master.submitter.go_on()
        await posting
        assert await reader.read(1000) == texts


async def test_open_streams_are_counted_and_end_when_the_master_stops_serving(master: Member) -> None:
    await master.login("author", "reader")
    await master.follow("reader", "author")
    async with CourseTimeline(master, "reader") as reader, CourseTimeline(master, "author") as author:
        assert master.counters.open_streams == 2
        await author.say("one\n")
        assert await reader.read(1) == ["one\n"]
        assert master.counters.posts_delivered == 1
        master.submitter.refuse("the disk has stalled")
        for stream in (reader, author):
            error = await failure(stream.call)
            assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "the disk has stalled")
    # Clients hear of the end before the handlers have ended.
    await until(lambda: master.counters.open_streams == 0, "all streams have ended")
    assert master.hub.subscriptions == 0
