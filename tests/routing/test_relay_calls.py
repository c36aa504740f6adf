"""Unary calls through the relay: they reach a master whatever dies meanwhile, take effect once, and come back as they
are."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.descriptor import ServiceDescriptor
from google.rpc import error_details_pb2, status_pb2

from tests.routing.relaying import HOLD_SECONDS, LIST, LOGIN, Relayed, until
from tinysns.client.masters import Pace
from tinysns.routing import relay_calls
from tinysns.rpc.call_id import CallId
from tinysns.rpc.errors import abort, info
from tinysns.wire.csce438 import sns_pb2
from tinysns.wire.hw2 import messenger_pb2


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, too, no try is given up but by who asks for `impatient`."""
    monkeypatch.setattr(relay_calls, "TRY_SECONDS", 60.0)


@pytest.fixture
def impatient(_patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_calls, "TRY_SECONDS", 0.2)


@pytest.fixture
async def relayed() -> AsyncIterator[Relayed]:
    async with Relayed(2) as relayed:
        yield relayed


async def not_serving(context: Any) -> None:
    await abort(context, grpc.StatusCode.UNAVAILABLE, "NOT_SERVING", "no contact with a leader", definite=False)


@pytest.mark.parametrize(
    ("service", "writes", "reads"),
    [
        ("csce438.SNSService", ("Login", "Follow", "UnFollow"), ("List", "GetFollowerInfo")),
        ("hw2.MessengerServer", ("Login", "Join", "Leave"), ("List",)),
    ],
)
async def test_both_interfaces_are_passed_on_and_only_writes_get_an_id(
    relayed: Relayed, service: str, writes: tuple[str, ...], reads: tuple[str, ...]
) -> None:
    for name in (*writes, *reads):
        raw = f"\x00 {service} {name}".encode()
        assert await relayed.call(f"/{service}/{name}", raw) == b"reply to " + raw
    assert not relayed.masters[1].calls, "the primary serves them all"
    assert [method for method, _, _ in relayed.masters[0].calls] == [f"/{service}/{n}" for n in (*writes, *reads)]
    assert [bool(call_id) for _, _, call_id in relayed.masters[0].calls] == [True] * len(writes) + [False] * len(reads)


@pytest.mark.parametrize(
    "service",
    [
        sns_pb2.DESCRIPTOR.services_by_name["SNSService"],
        messenger_pb2.DESCRIPTOR.services_by_name["MessengerServer"],
    ],
)
async def test_no_method_of_the_interfaces_is_forgotten(relayed: Relayed, service: ServiceDescriptor) -> None:
    for method in service.methods:
        call = relayed.channel.stream_stream(f"/{service.full_name}/{method.name}")()
        await call.write(b"anything")
        await call.done_writing()
        assert await call.read(), method.full_name


async def test_calls_one_after_the_other_are_numbered_in_one_session(relayed: Relayed) -> None:
    for number in (1, 2, 3):
        await relayed.call(LOGIN, b"ann")
        assert relayed.masters[0].calls[-1][2] == CallId(101, number)


async def test_calls_at_the_same_time_have_sessions_of_their_own(relayed: Relayed) -> None:
    for _ in range(3):
        await asyncio.gather(*(relayed.call(LOGIN, f"user {i}".encode()) for i in range(20)))
    ids = [call_id for _, _, call_id in relayed.masters[0].calls]
    assert len(set(ids)) == 60
    assert len({i.session for i in ids}) <= 20, "sessions are used again"
    assert len(relayed.state.executed) == 60


async def test_a_write_whose_answer_is_lost_with_its_master_is_tried_on_the_next_one_and_takes_effect_once(
    relayed: Relayed,
) -> None:
    first, second = relayed.masters
    first.loses_answers = True
    calling = asyncio.create_task(relayed.call(LOGIN, b"ann"))
    await until(lambda: relayed.state.executed)
    await first.kill()
    assert await calling == b"reply to ann"
    assert first.calls == second.calls, "the same bytes, with the same id"
    assert relayed.state.executed == [b"ann"]


@pytest.mark.parametrize("method", [LOGIN, LIST])
async def test_a_hung_master_costs_a_try_and_no_call(relayed: Relayed, impatient: None, method: str) -> None:
    relayed.masters[0].running.clear()
    assert await relayed.call(method, b"ann") == b"reply to ann", "long before the deadline of the call"
    assert not relayed.masters[0].calls


async def test_a_master_that_does_not_serve_is_left_for_the_next_one_at_once(
    relayed: Relayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pause in ("_FIRST_SECONDS", "_LONGEST_SECONDS"):
        monkeypatch.setattr(Pace, pause, 600.0)  # behind the last one; before that there is none
    relayed.masters[0].refusing = not_serving
    assert await relayed.call(LOGIN, b"ann") == b"reply to ann"
    assert [len(master.calls) for master in relayed.masters] == [1, 1]


async def test_a_call_waits_for_a_master_that_comes_back() -> None:
    async with Relayed(2, hold_seconds=60.0) as relayed:
        for master in relayed.masters:
            await master.kill()
        calling = asyncio.create_task(relayed.call(LOGIN, b"ann", deadline_seconds=None))
        await asyncio.sleep(0.1)
        assert not calling.done()
        await relayed.masters[1].start()
        assert await calling == b"reply to ann"


async def test_behind_a_write_that_was_refused_at_the_door_the_next_one_begins_a_new_session(relayed: Relayed) -> None:
    await relayed.call(LOGIN, b"good")
    await relayed.call(LOGIN, b"bad name")
    assert await relayed.call(LOGIN, b"next") == b"reply to next"
    ids = [call_id for master in relayed.masters for _, _, call_id in master.calls]
    assert ids == [CallId(101, 1), CallId(101, 2), CallId(101, 3), CallId(102, 1)]
    assert relayed.state.executed == [b"good", b"next"]


async def forget_sessions(relayed: Relayed) -> None:
    await relayed.call(LOGIN, b"first")
    relayed.state.sessions.__init__()  # type: ignore[misc]


async def test_a_forgotten_session_is_replaced_if_the_write_was_tried_once(relayed: Relayed) -> None:
    await forget_sessions(relayed)
    assert await relayed.call(LOGIN, b"second") == b"reply to second"
    assert relayed.state.executed == [b"first", b"second"]


async def test_a_session_that_is_forgotten_during_retries_is_an_error_that_says_so(relayed: Relayed) -> None:
    await forget_sessions(relayed)
    relayed.masters[0].refusing = not_serving
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await relayed.call(LOGIN, b"second")
    assert info(failed.value) == ("SESSION_EXPIRED", False)
    assert await relayed.call(LOGIN, b"third") == b"reply to third"
    assert relayed.state.executed == [b"first", b"third"]


async def test_an_id_that_the_caller_gave_is_kept(relayed: Relayed) -> None:
    mine = CallId(7, 1)
    assert await relayed.call(LOGIN, b"ann", metadata=mine.to_metadata()) == b"reply to ann"
    assert await relayed.call(LOGIN, b"ann", metadata=mine.to_metadata()) == b"reply to ann"
    assert relayed.state.executed == [b"ann"]
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await relayed.call(LOGIN, b"ann", metadata=CallId(7, 3).to_metadata())
    assert info(failed.value) == ("GAP", True)
    await relayed.call(LOGIN, b"bob")
    assert relayed.masters[0].calls[-1][2] == CallId(101, 1), (
        "the relay does not go on in a session that is not its own"
    )


async def test_an_id_that_is_none_is_refused(relayed: Relayed) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await relayed.call(LOGIN, b"ann", metadata=(("tinysns-session", "ann"), ("tinysns-number", "1")))
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info(failed.value) == ("BAD_ID", True)


async def test_a_status_comes_back_as_it_is_with_its_details(relayed: Relayed) -> None:
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.Help(links=[error_details_pb2.Help.Link(url="ftp://example", description="ünï")]))
    code, sentence = grpc.StatusCode.RESOURCE_EXHAUSTED, "all in all tøø much"
    details = status_pb2.Status(code=code.value[0], message=sentence, details=[detail]).SerializeToString()
    trailing = (("grpc-status-details-bin", details), ("more", "than that"))

    async def refuse(context: Any) -> None:
        await context.abort(code, sentence, trailing)

    relayed.masters[0].refusing = refuse
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await relayed.call(LIST, b"ann")
    assert (failed.value.code(), failed.value.details()) == (code, sentence)
    assert dict(failed.value.trailing_metadata()) == dict(trailing)
    assert not relayed.masters[1].calls


async def test_a_session_whose_call_failed_is_left_behind(relayed: Relayed) -> None:
    async def refuse(context: Any) -> None:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")

    relayed.masters[0].refusing = refuse
    with pytest.raises(grpc.aio.AioRpcError):
        await relayed.call(LOGIN, b"ann")
    relayed.masters[0].refusing = None
    await relayed.call(LOGIN, b"bob")
    assert relayed.masters[0].calls[-1][2] == CallId(102, 1)


@pytest.mark.parametrize(("method", "sent", "effect"), [(LIST, True, True), (LOGIN, True, False), (LOGIN, False, True)])
async def test_a_call_without_a_deadline_ends_after_the_hold_time_and_says_whether_it_may_have_had_an_effect(
    relayed: Relayed, method: str, sent: bool, effect: bool
) -> None:
    for master in relayed.masters:
        if sent:
            master.refusing = not_serving
        else:
            await master.kill()
    begin = asyncio.get_running_loop().time()
    with pytest.raises(grpc.aio.AioRpcError, match=r"no master has answered this call within 0\.8 s") as failed:
        await relayed.call(method, b"ann", deadline_seconds=None)
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert info(failed.value) == ("NO_MASTER", effect)
    assert asyncio.get_running_loop().time() - begin >= HOLD_SECONDS - 0.1


async def test_a_deadline_is_the_callers_and_no_try_outlives_it(relayed: Relayed, impatient: None) -> None:
    for master in relayed.masters:
        master.loses_answers = True
    begin = asyncio.get_running_loop().time()
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await relayed.call(LOGIN, b"ann", deadline_seconds=1.0)
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert asyncio.get_running_loop().time() - begin > 0.9
    await until(lambda: all(master.over == len(master.calls) for master in relayed.masters))
    tries = {call for master in relayed.masters for call in master.calls}
    assert len(tries) == 1, "all with the same id"


async def test_a_call_that_is_cancelled_ends_on_its_master_too_and_its_session_is_left_behind(relayed: Relayed) -> None:
    master = relayed.masters[0]
    master.loses_answers = True
    calling = relayed.channel.unary_unary(LOGIN)(b"ann")
    await until(lambda: master.calls)
    calling.cancel()
    await until(lambda: master.over)
    tried = len(master.calls)
    master.loses_answers = False
    await relayed.call(LOGIN, b"bob")
    assert master.calls[tried:] == [(LOGIN, b"bob", CallId(102, 1))]


async def test_a_newborn_router_holds_calls_until_it_hears_of_a_master() -> None:
    async with Relayed(0) as relayed:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await relayed.call(LOGIN, b"ann", deadline_seconds=None)
        assert info(failed.value) == ("NO_MASTER", True)
