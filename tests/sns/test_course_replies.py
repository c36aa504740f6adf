"""What the course's calls answer, word for word."""

from pathlib import Path

import grpc
import pytest

from tests.course_replies import CASES, REPLIES, UNFOLLOW
from tests.sns.support import Chat, CourseTimeline, Member, NativeTimeline, failure, members, until
from tinysns.course.texts import DIALECTS
from tinysns.rpc.errors import info
from tinysns.sns import course
from tinysns.wire.csce438.sns_pb2 import Reply, Request
from tinysns.wire.hw2 import messenger_pb2

JOIN = {"Follow": "Join", "UnFollow": "Leave"}

# By service: what it calls the methods, and the dialects of its replies.
SERVICES = {
    "csce438.SNSService": ({}, tuple(REPLIES)),
    "csce662.SNSService": ({}, ("fall2023",)),
    "hw2.MessengerServer": (JOIN, ("hw2",)),
    "hw4.MessengerServer": (JOIN, ("hw2",)),
}


@pytest.mark.parametrize(
    ("service", "dialect"), [(service, dialect) for service, (_, spoken) in SERVICES.items() for dialect in spoken]
)
async def test_replies(tmp_path: Path, service: str, dialect: str) -> None:
    """The dialect that was chosen counts for csce438 only."""
    names, spoken = SERVICES[service]
    async with members(tmp_path, dialect=DIALECTS[dialect if len(spoken) > 1 else "spring2019"]) as (master,):
        for number, case in enumerate(CASES):
            prefix = f"{number}."
            await master.login(prefix + "ann", prefix + "bob", prefix + "cem")
            await master.follow(prefix + "ann", prefix + "bob")
            user = case.user.format(prefix)
            request = Request(username=user, arguments=[a.format(prefix) for a in case.arguments])
            reply = await ask(master, f"/{service}/{names.get(case.call, case.call)}", request)
            assert reply == REPLIES[dialect][case.reply].format(user), case


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_unfollow_in_another_spelling_has_its_own_words(tmp_path: Path, dialect: str) -> None:
    async with members(tmp_path, dialect=DIALECTS[dialect]) as (master,):
        await master.login("ann", "bob")
        await master.follow("ann", "bob")
        for target, reply in (("bob", "unfollowed"), ("bob", "unfollow not followed"), ("cem", "unfollow unknown")):
            request = Request(username="ann", arguments=[target])
            assert await ask(master, "/csce438.SNSService/Unfollow", request) == UNFOLLOW[reply]


async def test_ping_says_whether_this_master_serves(master: Member) -> None:
    assert await ask(master, "/csce438.SNSService/Ping", Request()) == ""
    master.submitter.refuse("the disk is full")
    error = await failure(master.course.Ping(Request(), timeout=10))
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "the disk is full")


async def test_with_a_single_login_who_has_a_timeline_open_is_refused_in_the_words_of_the_family(
    tmp_path: Path,
) -> None:
    words = {"csce438": "you have already joined", "csce662": "FAILURE_ALREADY_EXISTS"}
    async with members(tmp_path, dialect=DIALECTS["fall2022"], single_login=True) as (master,):
        await master.login("ann", "bob")
        for timeline in (CourseTimeline, Chat, NativeTimeline):
            async with timeline(master, "ann"):
                for package, refusal in words.items():
                    assert await ask(master, f"/{package}.SNSService/Login", Request(username="ann")) == refusal
                assert await ask(master, "/csce438.SNSService/Login", Request(username="bob")) == "Welcome Back bob"
            await until(lambda: master.counters.open_streams == 0, "the timeline is closed")
            assert await ask(master, "/csce438.SNSService/Login", Request(username="ann")) == "Welcome Back ann"


async def ask(master: Member, path: str, request: Request) -> str:
    """The reply's text; all services have one wire form."""
    raw = await master.channel.unary_unary(path)(request.SerializeToString(), timeout=10)
    return Reply.FromString(raw).msg


async def test_login_can_be_repeated_before_every_command(master: Member) -> None:
    await master.login("ann", "bob")
    async with CourseTimeline(master, "ann"):
        assert (await master.course.Login(Request(username="ann"), timeout=10)).msg == "Welcome Back ann"
    for text in ("Follow Successful", "Follow Failed -- Already Following User"):
        for user in ("ann", "ann", "bob"):
            assert (await master.course.Login(Request(username=user), timeout=10)).msg == f"Welcome Back {user}"
        assert (await master.course.Follow(Request(username="ann", arguments=["bob"]), timeout=10)).msg == text


async def test_list_has_all_users_sorted_and_the_followers_with_oneself(master: Member) -> None:
    await master.login("cem", "ann", "bob")
    await master.follow("cem", "ann")
    await master.follow("bob", "cem")
    reply = await master.course.List(Request(username="ann"), timeout=10)
    assert list(reply.all_users) == ["ann", "bob", "cem"]
    assert list(reply.followers) == ["ann", "cem"]


async def test_list_of_an_unknown_user_is_not_found(master: Member) -> None:
    error = await failure(master.course.List(Request(username="nobody"), timeout=10))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert "nobody" in error.details()


async def test_broken_message_is_refused_with_a_sentence(master: Member) -> None:
    call = master.channel.unary_unary("/csce438.SNSService/Login")
    error = await failure(call(b"\xff\xff", timeout=10))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "csce438.Request" in error.details()
    assert info(error) == ("BROKEN_MESSAGE", True)


async def test_a_name_that_is_not_utf8_is_refused_with_a_sentence(master: Member) -> None:
    error = await failure(master.channel.unary_unary("/hw2.MessengerServer/Login")(b"\x0a\x02\xff\xfe", timeout=10))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "UTF-8" in error.details()


@pytest.mark.parametrize("call", ["List", "GetFollowerInfo"])
async def test_an_answer_that_fits_into_no_message_is_an_error_that_says_so(
    master: Member, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    await master.login("ann", "b" * 64)
    monkeypatch.setattr("tinysns.sns.calls.MAX_MESSAGE_BYTES", 64)
    error = await failure(getattr(master.course, call)(Request(username="ann"), timeout=10))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert info(error) == ("TOO_LONG", True)
    assert "64 bytes" in error.details()


async def test_follower_info_that_fits_into_no_message_is_not_even_read(
    master: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    await master.login("ann", "bob")
    monkeypatch.setattr(course, "MAX_MESSAGE_BYTES", 3 * 6 - 1)
    error = await failure(master.course.GetFollowerInfo(Request(), timeout=10))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    monkeypatch.setattr(course, "MAX_MESSAGE_BYTES", 3 * 6)
    assert len((await master.course.GetFollowerInfo(Request(), timeout=10)).info) == 2


async def test_follower_info_of_all_users_sorted_and_with_oneself(master: Member) -> None:
    assert not (await master.course.GetFollowerInfo(Request(), timeout=10)).info
    await master.login("cem", "ann", "bob")
    await master.follow("cem", "ann", "bob")
    await master.follow("bob", "ann")
    await master.follow("ann", "bob")
    await master.unfollow("ann", "bob")
    reply = await master.course.GetFollowerInfo(Request(username="whoever"), timeout=10)
    assert dict(reply.info) == {
        "ann": "followers: ann, bob, cem; following: ann",
        "bob": "followers: bob, cem; following: ann, bob",
        "cem": "followers: cem; following: ann, bob, cem",
    }


async def test_rooms_are_all_users_and_those_joined_are_whom_one_follows_with_oneself(master: Member) -> None:
    await master.login("cem", "ann", "bob")
    await master.follow("bob", "ann", "cem")
    await master.follow("ann", "bob")
    reply = await master.messenger.List(messenger_pb2.Request(username="bob"), timeout=10)
    assert list(reply.all_rooms) == ["ann", "bob", "cem"]
    assert list(reply.joined_rooms) == ["ann", "bob", "cem"]
    reply = await master.messenger.List(messenger_pb2.Request(username="ann"), timeout=10)
    assert list(reply.joined_rooms) == ["ann", "bob"]
    error = await failure(master.messenger.List(messenger_pb2.Request(username="nobody"), timeout=10))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_reads_wait_until_this_master_has_what_was_answered_elsewhere(tmp_path: Path) -> None:
    async with members(tmp_path, 2) as (one, two):
        await one.login("ann", "bob")
        two.submitter.stop_applying()
        await one.follow("ann", "bob")
        calls = [
            two.course.GetFollowerInfo(Request(), timeout=10),
            two.messenger.List(messenger_pb2.Request(username="ann"), timeout=10),
        ]
        await until(lambda: len(two.submitter._barriers) == 2, "both wait")
        two.submitter.go_on()
        assert (await calls[0]).info["bob"] == "followers: ann, bob; following: bob"
        assert list((await calls[1]).joined_rooms) == ["ann", "bob"]


async def test_a_master_that_does_not_serve_says_why(master: Member) -> None:
    master.submitter.refuse("the disk is full")
    write = await failure(master.course.Login(Request(username="ann"), timeout=10))
    assert (write.code(), write.details()) == (grpc.StatusCode.UNAVAILABLE, "the disk is full")
    assert info(write) == ("NOT_SERVING", False)
    read = await failure(master.course.List(Request(username="ann"), timeout=10))
    assert info(read) == ("NOT_SERVING", True)
