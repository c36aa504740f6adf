"""Writes that come with an id take effect once, at whichever masters they are tried."""

from collections.abc import Sequence
from pathlib import Path

import grpc
import pytest

from tests.sns.support import Member, failure, members
from tinysns.rpc.call_id import CallId
from tinysns.rpc.errors import info
from tinysns.wire.csce438.sns_pb2 import Request
from tinysns.wire.hw2 import messenger_pb2


async def call(master: Member, method: str, call_id: CallId, user: str, *arguments: str) -> str:
    request = Request(username=user, arguments=arguments)
    return (await getattr(master.course, method)(request, metadata=call_id.to_metadata(), timeout=10)).msg


async def test_a_retry_at_another_master_gets_the_first_answer(tmp_path: Path) -> None:
    async with members(tmp_path, 2) as (one, two):
        for master in (one, two, one):
            assert await call(master, "Login", CallId(7, 1), "ann") == "Login Successful!"
        assert await call(two, "Login", CallId(7, 2), "ann") == "Welcome Back ann"
        await one.login("bob")
        for master in (one, two):
            assert await call(master, "Follow", CallId(7, 3), "ann", "bob") == "Follow Successful"
            assert await call(master, "UnFollow", CallId(8, 1), "ann", "bob") == "UnFollow Successful"
        assert await call(two, "Follow", CallId(7, 4), "ann", "bob") == "Follow Successful"


async def test_both_interfaces_and_one_session(master: Member) -> None:
    await master.login("ann", "bob")
    request = messenger_pb2.Request(username="ann", arguments=["bob"])
    for method, number, text in (("Join", 1, "Join Successful"), ("Leave", 2, "Leave Successful")):
        for _ in range(2):
            metadata = CallId(7, number).to_metadata()
            assert (await getattr(master.messenger, method)(request, metadata=metadata, timeout=10)).msg == text


async def test_calls_without_an_id_are_each_their_own(master: Member) -> None:
    await master.login("ann", "bob")
    request = Request(username="ann", arguments=["bob"])
    assert (await master.course.Follow(request, timeout=10)).msg == "Follow Successful"
    assert (await master.course.Follow(request, timeout=10)).msg == "Follow Failed -- Already Following User"


async def test_a_gap_is_definite(master: Member) -> None:
    await call(master, "Login", CallId(7, 1), "ann")
    error = await failure(master.course.Login(Request(username="bob"), metadata=CallId(7, 3).to_metadata(), timeout=10))
    assert (error.code(), info(error)) == (grpc.StatusCode.FAILED_PRECONDITION, ("GAP", True))
    assert "number 2" in error.details()
    assert list((await master.course.List(Request(username="ann"), timeout=10)).all_users) == ["ann"]


async def test_an_expired_session_is_indefinite(master: Member) -> None:
    await master.login("ann")
    error = await failure(master.course.Login(Request(username="bob"), metadata=CallId(7, 2).to_metadata(), timeout=10))
    assert (error.code(), info(error)) == (grpc.StatusCode.FAILED_PRECONDITION, ("SESSION_EXPIRED", False))
    assert list((await master.course.List(Request(username="ann"), timeout=10)).all_users) == ["ann"]


@pytest.mark.parametrize(
    "metadata",
    [
        (("tinysns-session", "7"),),
        (("tinysns-session", "0"), ("tinysns-number", "1")),
        (("tinysns-session", "7"), ("tinysns-number", "-1")),
        (("tinysns-session", "x"), ("tinysns-number", "1")),
    ],
)
async def test_a_malformed_id_is_refused_and_nothing_is_written(
    master: Member, metadata: Sequence[tuple[str, str]]
) -> None:
    await master.login("ann")
    error = await failure(master.course.Login(Request(username="bob"), metadata=metadata, timeout=10))
    assert (error.code(), info(error)) == (grpc.StatusCode.INVALID_ARGUMENT, ("BAD_ID", True))
    assert list((await master.course.List(Request(username="ann"), timeout=10)).all_users) == ["ann"]


async def test_a_call_that_is_refused_at_the_door_uses_no_number_up(master: Member) -> None:
    assert await call(master, "Login", CallId(7, 1), "no spaces") == "Invalid Username"
    assert await call(master, "Login", CallId(7, 1), "ann") == "Login Successful!"
