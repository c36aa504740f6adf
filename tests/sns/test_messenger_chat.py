"""The chat of 2017 is the same timeline, in lines without an end; users of both interfaces see each other."""

import asyncio

import grpc
import pytest

from tests.sns.support import START_NS, Chat, CourseTimeline, Member, NativeTimeline, failure
from tinysns.domain.names import MAX_TEXT_BYTES


async def three(master: Member) -> None:
    await master.login("old", "new", "reader")
    await master.follow("old", "new")
    await master.follow("new", "old")
    await master.follow("reader", "old", "new")


async def test_users_of_both_interfaces_see_each_other_as_each_of_them_writes_a_line(master: Member) -> None:
    await three(master)
    async with Chat(master, "old") as old, CourseTimeline(master, "new") as new:
        await old.say("from 2017")
        assert await new.read(1) == ["from 2017\n"]
        await new.say("from 2019\n")
        assert await old.read(1) == ["from 2019"]
        async with Chat(master, "reader") as reader, NativeTimeline(master, "reader") as native:
            assert await reader.read(2) == ["from 2019", "from 2017"]
            assert await native.read(2) == ["from 2017\n", "from 2019\n"]


@pytest.mark.parametrize("text", ["", "Set Stream", "\n", "two\nlines", "end\r", "x" * MAX_TEXT_BYTES])
async def test_a_line_comes_back_as_it_was_said(master: Member, text: str) -> None:
    await three(master)
    async with Chat(master, "old") as old, Chat(master, "reader") as reader:
        await old.say(text)
        got = await asyncio.wait_for(reader.call.read(), 60)
    assert (got.username, got.msg) == ("old", text)
    assert got.timestamp.ToNanoseconds() >= START_NS
    async with Chat(master, "reader") as later:
        assert await later.read(1) == [text]


async def test_a_post_without_a_newline_is_not_shortened(master: Member) -> None:
    await three(master)
    async with CourseTimeline(master, "new") as new, Chat(master, "reader") as reader:
        await new.say("as it is")
        assert await reader.read(1) == ["as it is"]


async def test_backlog_is_the_newest_20(master: Member) -> None:
    await three(master)
    await master.post("new", *(f"p{i}\n" for i in range(25)))
    async with Chat(master, "reader") as reader:
        await master.post("new", "live\n")
        assert await reader.read(21) == [*(f"p{i}" for i in range(24, 4, -1)), "live"]


@pytest.mark.parametrize(
    ("first", "code", "word"),
    [
        (("old", "Set Stream\n"), grpc.StatusCode.INVALID_ARGUMENT, "Set Stream"),
        (("old", "hello"), grpc.StatusCode.INVALID_ARGUMENT, "Set Stream"),
        (("nobody", "Set Stream"), grpc.StatusCode.NOT_FOUND, "nobody"),
    ],
)
async def test_a_wrong_beginning(master: Member, first: tuple[str, str], code: grpc.StatusCode, word: str) -> None:
    await three(master)
    user, text = first
    chat = Chat(master, user)
    await chat.say(text)
    error = await failure(chat.call)
    assert error.code() is code
    assert word in error.details()


@pytest.mark.parametrize(
    ("user", "text", "word"), [("new", "as somebody else", "'new'"), ("old", "x" * (MAX_TEXT_BYTES + 1), "65536")]
)
async def test_a_bad_line_ends_the_chat_and_those_before_it_are_stored(
    master: Member, user: str, text: str, word: str
) -> None:
    await three(master)
    async with Chat(master, "old") as old:
        await old.say("good")
        await old.say(text, user)
        error = await failure(old.call)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert word in error.details()
    async with Chat(master, "reader") as reader:
        assert await reader.read(1) == ["good"]
