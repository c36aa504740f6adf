"""What the course's calls answer, word for word."""

import grpc
import pytest

from tests.sns.support import Member, failure
from tinysns.rpc.errors import info
from tinysns.wire.csce438.sns_pb2 import Request


@pytest.mark.parametrize(
    ("call", "user", "arguments", "text"),
    [
        ("Login", "new", [], "Login Successful!"),
        ("Login", "ann", [], "Welcome Back ann"),
        ("Login", "no spaces", [], "Invalid Username"),
        ("Login", "", [], "Invalid Username"),
        ("Login", "x" * 65, [], "Invalid Username"),
        ("Follow", "ann", ["cem"], "Follow Successful"),
        ("Follow", "ann", ["bob"], "Follow Failed -- Already Following User"),
        ("Follow", "ann", ["ann"], "Follow Failed -- Already Following User"),
        ("Follow", "ann", ["nobody"], "Follow Failed -- Invalid Username"),
        ("Follow", "ann", ["not a name"], "Follow Failed -- Invalid Username"),
        ("Follow", "ann", [], "Follow Failed -- Invalid Username"),
        ("Follow", "nobody", ["ann"], "Follow Failed -- Invalid Username"),
        ("UnFollow", "ann", ["bob"], "UnFollow Successful"),
        ("UnFollow", "ann", ["cem"], "UnFollow Failed -- Not Following User"),
        ("UnFollow", "ann", ["ann"], "UnFollow Failed -- Invalid Username"),
        ("UnFollow", "ann", ["nobody"], "UnFollow Failed -- Invalid Username"),
        ("UnFollow", "ann", [], "UnFollow Failed -- Invalid Username"),
        ("UnFollow", "nobody", ["ann"], "UnFollow Failed -- Invalid Username"),
    ],
)
async def test_reply(master: Member, call: str, user: str, arguments: list[str], text: str) -> None:
    await master.login("ann", "bob", "cem")
    await master.follow("ann", "bob")
    reply = await getattr(master.course, call)(Request(username=user, arguments=arguments), timeout=10)
    assert reply.msg == text


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


async def test_a_master_that_does_not_serve_says_why(master: Member) -> None:
    master.submitter.refuse("the disk is full")
    write = await failure(master.course.Login(Request(username="ann"), timeout=10))
    assert (write.code(), write.details()) == (grpc.StatusCode.UNAVAILABLE, "the disk is full")
    assert info(write) == ("NOT_SERVING", False)
    read = await failure(master.course.List(Request(username="ann"), timeout=10))
    assert info(read) == ("NOT_SERVING", True)
