"""Unary calls through the proxy: they reach a master whatever dies meanwhile, take effect once, and come back as they
are."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.descriptor import ServiceDescriptor
from google.rpc import error_details_pb2, status_pb2

from tests.routing.proxying import HOLD_SECONDS, LIST, LOGIN, Proxied, until
from tinysns.rpc.call_id import CallId
from tinysns.rpc.errors import abort, info
from tinysns.wire.csce438 import sns_pb2
from tinysns.wire.hw2 import messenger_pb2


@pytest.fixture
async def proxied() -> AsyncIterator[Proxied]:
    async with Proxied(2) as proxied:
        yield proxied


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
    proxied: Proxied, service: str, writes: tuple[str, ...], reads: tuple[str, ...]
) -> None:
    for name in (*writes, *reads):
        raw = f"\x00 {service} {name}".encode()
        assert await proxied.call(f"/{service}/{name}", raw) == b"reply to " + raw
    assert not proxied.masters[1].calls, "the primary serves them all"
    assert [method for method, _, _ in proxied.masters[0].calls] == [f"/{service}/{n}" for n in (*writes, *reads)]
    assert [bool(call_id) for _, _, call_id in proxied.masters[0].calls] == [True] * len(writes) + [False] * len(reads)


@pytest.mark.parametrize(
    "service",
    [
        sns_pb2.DESCRIPTOR.services_by_name["SNSService"],
        messenger_pb2.DESCRIPTOR.services_by_name["MessengerServer"],
    ],
)
async def test_no_method_of_the_interfaces_is_forgotten(proxied: Proxied, service: ServiceDescriptor) -> None:
    for method in service.methods:
        call = proxied.channel.stream_stream(f"/{service.full_name}/{method.name}")()
        await call.write(b"anything")
        await call.done_writing()
        with contextlib.suppress(grpc.aio.AioRpcError):  # that is no opening of a timeline
            async for _ in call:
                pass
        assert await call.code() is not grpc.StatusCode.UNIMPLEMENTED, method.full_name


async def test_calls_one_after_the_other_are_numbered_in_one_session(proxied: Proxied) -> None:
    for number in (1, 2, 3):
        await proxied.call(LOGIN, b"ann")
        assert proxied.masters[0].calls[-1][2] == CallId(101, number)


async def test_calls_at_the_same_time_have_sessions_of_their_own(proxied: Proxied) -> None:
    for _ in range(3):
        await asyncio.gather(*(proxied.call(LOGIN, f"user {i}".encode()) for i in range(20)))
    ids = [call_id for _, _, call_id in proxied.masters[0].calls]
    assert len(set(ids)) == 60
    assert len({i.session for i in ids}) <= 20, "sessions are used again"
    assert len(proxied.state.executed) == 60


async def test_a_write_whose_answer_is_lost_with_its_master_is_tried_on_the_next_one_and_takes_effect_once(
    proxied: Proxied,
) -> None:
    first, second = proxied.masters
    first.loses_answers = True
    calling = asyncio.create_task(proxied.call(LOGIN, b"ann"))
    await until(lambda: proxied.state.executed)
    await first.kill()
    assert await calling == b"reply to ann"
    assert first.calls == second.calls, "the same bytes, with the same id"
    assert proxied.state.executed == [b"ann"]


@pytest.mark.parametrize("method", [LOGIN, LIST])
async def test_a_hung_master_costs_a_try_and_no_call(proxied: Proxied, method: str) -> None:
    proxied.masters[0].running.clear()
    async with asyncio.timeout(1):
        assert await proxied.call(method, b"ann") == b"reply to ann"


async def test_a_master_that_does_not_serve_is_left_for_the_next_one_at_once(proxied: Proxied) -> None:
    proxied.masters[0].refusing = not_serving
    async with asyncio.timeout(0.15):
        assert await proxied.call(LOGIN, b"ann") == b"reply to ann"


async def test_a_call_waits_for_a_master_that_comes_back(proxied: Proxied) -> None:
    for master in proxied.masters:
        await master.kill()
    calling = asyncio.create_task(proxied.call(LOGIN, b"ann", deadline_seconds=None))
    await asyncio.sleep(0.1)
    await proxied.masters[1].start()
    assert await calling == b"reply to ann"


async def test_behind_a_write_that_was_refused_at_the_door_the_next_one_begins_a_new_session(proxied: Proxied) -> None:
    await proxied.call(LOGIN, b"good")
    await proxied.call(LOGIN, b"bad name")
    assert await proxied.call(LOGIN, b"next") == b"reply to next"
    ids = [call_id for master in proxied.masters for _, _, call_id in master.calls]
    assert ids == [CallId(101, 1), CallId(101, 2), CallId(101, 3), CallId(102, 1)]
    assert proxied.state.executed == [b"good", b"next"]


async def forget_sessions(proxied: Proxied) -> None:
    await proxied.call(LOGIN, b"first")
    proxied.state.sessions.__init__()  # type: ignore[misc]


async def test_a_forgotten_session_is_replaced_if_the_write_was_tried_once(proxied: Proxied) -> None:
    await forget_sessions(proxied)
    assert await proxied.call(LOGIN, b"second") == b"reply to second"
    assert proxied.state.executed == [b"first", b"second"]


async def test_a_session_that_is_forgotten_during_retries_is_an_error_that_says_so(proxied: Proxied) -> None:
    await forget_sessions(proxied)
    proxied.masters[0].refusing = not_serving
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await proxied.call(LOGIN, b"second")
    assert info(failed.value) == ("SESSION_EXPIRED", False)
    assert await proxied.call(LOGIN, b"third") == b"reply to third"
    assert proxied.state.executed == [b"first", b"third"]


async def test_an_id_that_the_caller_gave_is_kept(proxied: Proxied) -> None:
    mine = CallId(7, 1)
    assert await proxied.call(LOGIN, b"ann", metadata=mine.to_metadata()) == b"reply to ann"
    assert await proxied.call(LOGIN, b"ann", metadata=mine.to_metadata()) == b"reply to ann"
    assert proxied.state.executed == [b"ann"]
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await proxied.call(LOGIN, b"ann", metadata=CallId(7, 3).to_metadata())
    assert info(failed.value) == ("GAP", True)
    await proxied.call(LOGIN, b"bob")
    assert proxied.masters[0].calls[-1][2] == CallId(101, 1), (
        "the proxy does not go on in a session that is not its own"
    )


async def test_an_id_that_is_none_is_refused(proxied: Proxied) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await proxied.call(LOGIN, b"ann", metadata=(("tinysns-session", "ann"), ("tinysns-number", "1")))
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info(failed.value) == ("BAD_ID", True)


async def test_a_status_comes_back_as_it_is_with_its_details(proxied: Proxied) -> None:
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.Help(links=[error_details_pb2.Help.Link(url="ftp://example", description="ünï")]))
    code, sentence = grpc.StatusCode.RESOURCE_EXHAUSTED, "all in all tøø much"
    details = status_pb2.Status(code=code.value[0], message=sentence, details=[detail]).SerializeToString()
    trailing = (("grpc-status-details-bin", details), ("more", "than that"))

    async def refuse(context: Any) -> None:
        await context.abort(code, sentence, trailing)

    proxied.masters[0].refusing = refuse
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await proxied.call(LIST, b"ann")
    assert (failed.value.code(), failed.value.details()) == (code, sentence)
    assert dict(failed.value.trailing_metadata()) == dict(trailing)
    assert not proxied.masters[1].calls


async def test_a_session_whose_call_failed_is_left_behind(proxied: Proxied) -> None:
    async def refuse(context: Any) -> None:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")

    proxied.masters[0].refusing = refuse
    with pytest.raises(grpc.aio.AioRpcError):
        await proxied.call(LOGIN, b"ann")
    proxied.masters[0].refusing = None
    await proxied.call(LOGIN, b"bob")
    assert proxied.masters[0].calls[-1][2] == CallId(102, 1)


@pytest.mark.parametrize(("method", "sent", "effect"), [(LIST, True, True), (LOGIN, True, False), (LOGIN, False, True)])
async def test_a_call_without_a_deadline_ends_after_the_hold_time_and_says_whether_it_may_have_had_an_effect(
    proxied: Proxied, method: str, sent: bool, effect: bool
) -> None:
    for master in proxied.masters:
        if sent:
            master.refusing = not_serving
        else:
            await master.kill()
    begin = asyncio.get_running_loop().time()
    with pytest.raises(grpc.aio.AioRpcError, match=r"no master has answered this call within 0\.8 s") as failed:
        await proxied.call(method, b"ann", deadline_seconds=None)
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert info(failed.value) == ("NO_MASTER", effect)
    assert HOLD_SECONDS - 0.1 <= asyncio.get_running_loop().time() - begin < HOLD_SECONDS + 1


async def test_a_deadline_is_the_callers_and_no_try_outlives_it(proxied: Proxied) -> None:
    for master in proxied.masters:
        master.loses_answers = True
    begin = asyncio.get_running_loop().time()
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await proxied.call(LOGIN, b"ann", deadline_seconds=0.5)
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert 0.4 < asyncio.get_running_loop().time() - begin < 1
    tries = [call for master in proxied.masters for call in master.calls]
    await until(lambda: sum(master.over for master in proxied.masters) == len(tries))
    assert len(set(tries)) == 1, "all with the same id"


async def test_a_call_that_is_cancelled_ends_on_its_master_too_and_its_session_is_left_behind(proxied: Proxied) -> None:
    master = proxied.masters[0]
    master.loses_answers = True
    calling = proxied.channel.unary_unary(LOGIN)(b"ann")
    await until(lambda: master.calls)
    calling.cancel()
    await until(lambda: master.over)
    tried = len(master.calls)
    master.loses_answers = False
    await proxied.call(LOGIN, b"bob")
    assert master.calls[tried:] == [(LOGIN, b"bob", CallId(102, 1))]


async def test_a_newborn_router_holds_calls_until_it_hears_of_a_master() -> None:
    async with Proxied(0) as proxied:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await proxied.call(LOGIN, b"ann", deadline_seconds=None)
        assert info(failed.value) == ("NO_MASTER", True)
