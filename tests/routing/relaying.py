"""A relay on loopback in front of doubles of masters: real gRPC servers that can refuse, hang, die and lose answers."""

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine
from random import Random
from types import TracebackType
from typing import Any, Self

import grpc

from tests.integration.service import free_ports
from tinysns.domain.writes import Answer, Outcome
from tinysns.routing import servicer
from tinysns.routing.relay import Relay
from tinysns.rpc.call_id import CallId
from tinysns.rpc.channels import SMALL_WINDOWS, open_channel
from tinysns.rpc.errors import abort
from tinysns.rpc.server import Server
from tinysns.runtime.tasks import Tasks
from tinysns.storage.sessions import Sessions
from tinysns.wire.v1 import router_pb2

Context = Any  # grpc.aio.ServicerContext[bytes, bytes]
LOGIN, LIST, TIMELINE = "/csce438.SNSService/Login", "/csce438.SNSService/List", "/csce438.SNSService/Timeline"
HOLD_SECONDS = 0.8


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Looks often, with a deadline, at what other tasks do."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        await asyncio.sleep(0.002)


class State:
    """What all masters share: executed writes, by the rules of the real sessions."""

    def __init__(self) -> None:
        self.sessions = Sessions()
        self.executed: list[bytes] = []

    def write(self, call_id: CallId, raw: bytes) -> Outcome:
        answer = self.sessions.recall(call_id.session, call_id.number, 1)
        if answer is None:
            self.executed.append(raw)
            answer = Answer(Outcome.DONE)
            self.sessions.remember(call_id.session, call_id.number, 1, answer)
        return answer.outcome


class Master:
    """Answers any method of any service; a write is `b"bad ..."` to be refused at the door."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.address = ""
        self.calls: list[tuple[str, bytes, CallId | None]] = []
        self.deadlines: list[float | None] = []
        self.streams: list[Context] = []
        self.sent = 0
        self.checks = 0  # health checks that were answered
        self.over = 0  # calls that hung, and streams, which are no more
        self.refusing: Callable[[Context], Coroutine[Any, Any, None]] | None = None
        self.loses_answers = False
        self.ends_streams: Callable[[Context], Coroutine[Any, Any, None]] | None = None
        self.running = asyncio.Event()  # cleared: hung
        self.running.set()
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        self._server.add_generic_rpc_handlers((self,))
        port = self._server.add_insecure_port(self.address or "127.0.0.1:0")
        self.address = f"127.0.0.1:{port}"
        await self._server.start()

    async def kill(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.stop(None)
        self.running.set()

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any]":
        """As a gRPC handler of all methods."""
        method = details.method
        if method in ("/csce438.SNSService/Timeline", "/hw2.MessengerServer/Chat"):
            return grpc.stream_stream_rpc_method_handler(self._timeline)

        async def unary(raw: bytes, context: Context) -> bytes:
            await self.running.wait()
            if method == "/grpc.health.v1.Health/Check":
                self.checks += 1
                return b""
            return await self._unary(method, raw, context)

        return grpc.unary_unary_rpc_method_handler(unary)

    async def _unary(self, method: str, raw: bytes, context: Context) -> bytes:
        call_id = CallId.from_metadata(context.invocation_metadata())
        self.calls.append((method, raw, call_id))
        self.deadlines.append(context.time_remaining())
        if self.refusing is not None:
            await self.refusing(context)
        if call_id is not None and not raw.startswith(b"bad"):
            outcome = self.state.write(call_id, raw)
            if outcome is not Outcome.DONE:
                await abort(
                    context, grpc.StatusCode.FAILED_PRECONDITION, outcome.name, "no", definite=outcome is Outcome.GAP
                )
        if self.loses_answers:
            await self._forever()
        return b"reply to " + raw

    async def _forever(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.over += 1

    async def _timeline(self, _: object, context: Context) -> None:
        """Says the first message again, then each one; to b"flood" it writes for ever, to b"deaf" it never listens."""
        try:
            first = await context.read()
            self.calls.append(("stream", first, None))
            self.deadlines.append(context.time_remaining())
            await self.running.wait()
            if self.refusing is not None:
                await self.refusing(context)
            self.streams.append(context)
            await context.send_initial_metadata(())
            await self._talk(first, context)
        finally:
            self.over += 1

    async def _talk(self, first: bytes, context: Context) -> None:
        if self.ends_streams is not None:
            await self.ends_streams(context)
        elif first == b"flood":
            while True:
                await context.write(bytes(64 * 1024))
                self.sent += 1
        elif first == b"deaf":
            await asyncio.Event().wait()
        else:
            await self._echo(first, context)

    async def _echo(self, raw: bytes, context: Context) -> None:
        while raw is not grpc.aio.EOF:
            await context.write(raw)
            raw = await context.read()
        await context.write(b"you have ended your side")


class Relayed:
    """`async with Relayed(3) as relayed`: a relay that knows so many masters; the first one leads."""

    def __init__(self, masters: int = 2, policy: str = "available", hold_seconds: float = HOLD_SECONDS) -> None:
        self.state = State()
        self.masters = [Master(self.state) for _ in range(masters)]
        self.routing = servicer.Routing(servicer.Self("h1", (), policy, 0), 60.0, Random(1))
        self.crashes: list[BaseException] = []
        self.tasks = Tasks(self.crashes.append)
        sessions = itertools.count(101)
        self.relay = Relay(self.routing, self.tasks, hold_seconds, lambda: next(sessions))
        self.server = Server(SMALL_WINDOWS)

    async def __aenter__(self) -> Self:
        self.server.grpc.add_generic_rpc_handlers(self.relay.handlers())
        address = f"127.0.0.1:{free_ports(1)[0]}"
        await self.server.start([address], self.relay.names)
        self.relay.start()
        self.relay.connect()
        for master in self.masters:
            await master.start()
            self.say(master)
        async with asyncio.timeout(60):
            while not all(self.relay._masters.ready(m.address) for m in self.masters):
                await self.relay._masters.changed(1.0)
        self.channel = open_channel(address, SMALL_WINDOWS)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.channel.close()
        for master in self.masters:
            await master.kill()
        await self.server.stop(0)
        await self.tasks.stop()
        assert not self.crashes

    def say(self, master: Master, **more: int) -> None:
        """The master reports to the router."""
        state = router_pb2.MasterState(name=master.address, incarnation=1, serving=True, term=1, **more)
        state.rank = self.masters.index(master) + 1
        state.leader = self.masters[0].address
        self.routing.heard(router_pb2.Message(text=master.address, state=state), state.rank)

    async def call(self, method: str, raw: bytes, deadline_seconds: float | None = 60, **more: Any) -> bytes:
        return await self.channel.unary_unary(method)(raw, timeout=deadline_seconds, **more)

    def stream(self, deadline_seconds: float | None = None) -> "grpc.aio.StreamStreamCall[bytes, bytes]":
        return self.channel.stream_stream(TIMELINE)(timeout=deadline_seconds)
