"""What the course's calls answer, word for word."""

from pathlib import Path

import grpc
import pytest

from tests.course_replies import CASES, REPLIES, Case
from tests.sns.support import Member, failure, members, until
from tinysns.rpc.errors import info
from tinysns.sns import course
from tinysns.sns.texts import DIALECTS, SPRING2019
from tinysns.wire.csce438.sns_pb2 import Request
from tinysns.wire.hw2 import messenger_pb2


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dialect", REPLIES)
async def test_reply(tmp_path: Path, dialect: str, case: Case) -> None:
    async with members(tmp_path, dialect=DIALECTS.get(dialect, SPRING2019)) as (master,):
        await master.login("ann", "bob", "cem")
        await master.follow("ann", "bob")
        user, arguments = case.user.format(""), [a.format("") for a in case.arguments]
        if dialect == "hw2":
            name = {"Follow": "Join", "UnFollow": "Leave"}.get(case.call, case.call)
            call = getattr(master.messenger, name)(
                messenger_pb2.Request(username=user, arguments=arguments), timeout=60
            )
        else:
            call = getattr(master.course, case.call)(Request(username=user, arguments=arguments), timeout=60)
        assert (await call).msg == REPLIES[dialect][case.reply].format(user)


async def test_login_can_be_repeated_before_every_command(master: Member) -> None:
    await master.login("ann", "bob")
    for text in ("Follow Successful", "Follow Failed -- Already Following User"):
        for user in ("ann", "ann", "bob"):
            assert (await master.course.Login(Request(username=user), timeout=60)).msg == f"Welcome Back {user}"
        assert (await master.course.Follow(Request(username="ann", arguments=["bob"]), timeout=60)).msg == text


async def test_list_has_all_users_sorted_and_the_followers_with_oneself(master: Member) -> None:
    await master.login("cem", "ann", "bob")
    await master.follow("cem", "ann")
    await master.follow("bob", "cem")
    reply = await master.course.List(Request(username="ann"), timeout=60)
    assert list(reply.all_users) == ["ann", "bob", "cem"]
    assert list(reply.followers) == ["ann", "cem"]


async def test_list_of_an_unknown_user_is_not_found(master: Member) -> None:
    error = await failure(master.course.List(Request(username="nobody"), timeout=60))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert "nobody" in error.details()


async def test_broken_message_is_refused_with_a_sentence(master: Member) -> None:
    call = master.channel.unary_unary("/csce438.SNSService/Login")
    error = await failure(call(b"\xff\xff", timeout=60))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "csce438.Request" in error.details()
    assert info(error) == ("BROKEN_MESSAGE", True)


async def test_a_name_that_is_not_utf8_is_refused_with_a_sentence(master: Member) -> None:
    error = await failure(master.channel.unary_unary("/hw2.MessengerServer/Login")(b"\x0a\x02\xff\xfe", timeout=60))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "UTF-8" in error.details()


@pytest.mark.parametrize("call", ["List", "GetFollowerInfo"])
async def test_an_answer_that_fits_into_no_message_is_an_error_that_says_so(
    master: Member, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    await master.login("ann", "b" * 64)
    monkeypatch.setattr("tinysns.sns.calls.MAX_MESSAGE_BYTES", 64)
    error = await failure(getattr(master.course, call)(Request(username="ann"), timeout=60))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert info(error) == ("TOO_LONG", True)
    assert "64 bytes" in error.details()


async def test_follower_info_that_fits_into_no_message_is_not_even_read(
    master: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    await master.login("ann", "bob")
    monkeypatch.setattr(course, "MAX_MESSAGE_BYTES", 3 * 6 - 1)
    error = await failure(master.course.GetFollowerInfo(Request(), timeout=60))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    monkeypatch.setattr(course, "MAX_MESSAGE_BYTES", 3 * 6)
    assert len((await master.course.GetFollowerInfo(Request(), timeout=60)).info) == 2


async def test_follower_info_of_all_users_sorted_and_with_oneself(master: Member) -> None:
    assert not (await master.course.GetFollowerInfo(Request(), timeout=60)).info
    await master.login("cem", "ann", "bob")
    await master.follow("cem", "ann", "bob")
    await master.follow("bob", "ann")
    await master.follow("ann", "bob")
    await master.unfollow("ann", "bob")
    reply = await master.course.GetFollowerInfo(Request(username="whoever"), timeout=60)
    assert dict(reply.info) == {
        "ann": "followers: ann, bob, cem; following: ann",
        "bob": "followers: bob, cem; following: ann, bob",
        "cem": "followers: cem; following: ann, bob, cem",
    }


async def test_rooms_are_all_users_and_those_joined_are_whom_one_follows_with_oneself(master: Member) -> None:
    await master.login("cem", "ann", "bob")
    await master.follow("bob", "ann", "cem")
    await master.follow("ann", "bob")
    reply = await master.messenger.List(messenger_pb2.Request(username="bob"), timeout=60)
    assert list(reply.all_rooms) == ["ann", "bob", "cem"]
    assert list(reply.joined_rooms) == ["ann", "bob", "cem"]
    reply = await master.messenger.List(messenger_pb2.Request(username="ann"), timeout=60)
    assert list(reply.joined_rooms) == ["ann", "bob"]
    error = await failure(master.messenger.List(messenger_pb2.Request(username="nobody"), timeout=60))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_reads_wait_until_this_master_has_what_was_answered_elsewhere(tmp_path: Path) -> None:
    async with members(tmp_path, 2) as (one, two):
        await one.login("ann", "bob")
        two.submitter.stop_applying()
        await one.follow("ann", "bob")
        calls = [
            two.course.GetFollowerInfo(Request(), timeout=60),
            two.messenger.List(messenger_pb2.Request(username="ann"), timeout=60),
        ]
        await until(lambda: len(two.submitter._barriers) == 2, "both wait")
        two.submitter.go_on()
        assert (await calls[0]).info["bob"] == "followers: ann, bob; following: bob"
        assert list((await calls[1]).joined_rooms) == ["ann", "bob"]


async def test_a_master_that_does_not_serve_says_why(master: Member) -> None:
    master.submitter.refuse("the disk is full")
    write = await failure(master.course.Login(Request(username="ann"), timeout=60))
    assert (write.code(), write.details()) == (grpc.StatusCode.UNAVAILABLE, "the disk is full")
    assert info(write) == ("NOT_SERVING", False)
    read = await failure(master.course.List(Request(username="ann"), timeout=60))
    assert info(read) == ("NOT_SERVING", True)
