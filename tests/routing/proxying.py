"""A proxy on loopback in front of doubles of masters: real gRPC servers that can refuse, hang, die and lose answers.

Those here know unary calls only. Streams are tested in front of the doubles of tests/client.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from types import TracebackType
from typing import Any, Protocol, Self

import grpc

from tests.integration.service import free_ports
from tinysns.domain.writes import Answer, Outcome
from tinysns.routing import servicer
from tinysns.routing.proxy import Proxy
from tinysns.rpc.call_id import CallId
from tinysns.rpc.channels import SMALL_WINDOWS, open_channel
from tinysns.rpc.errors import abort
from tinysns.rpc.server import Server
from tinysns.runtime.tasks import Tasks
from tinysns.storage.sessions import Sessions
from tinysns.wire.v1 import router_pb2

Context = Any  # grpc.aio.ServicerContext[bytes, bytes]
LOGIN, LIST = "/csce438.SNSService/Login", "/csce438.SNSService/List"
HOLD_SECONDS = 0.8


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
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
        self.over = 0  # calls that hung, which are no more
        self.refusing: Callable[[Context], Coroutine[Any, Any, None]] | None = None
        self.loses_answers = False
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

        async def unary(raw: bytes, context: Context) -> bytes:
            await self.running.wait()
            if method == "/grpc.health.v1.Health/Check":
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


class Place(Protocol):
    """A master, or a double of one."""

    address: str


class Router:
    """A router with a proxy, as part of this process. It knows these masters; the first one leads."""

    def __init__(self, policy: str = "available") -> None:
        self.routing = servicer.Routing(servicer.Self("h1", (), policy, 0), 60.0, Random(1))
        self.crashes: list[BaseException] = []
        self.tasks = Tasks(self.crashes.append)
        sessions = itertools.count(101)
        self.proxy = Proxy(self.routing, self.tasks, HOLD_SECONDS, lambda: next(sessions))
        self.server = Server(SMALL_WINDOWS)

    async def start(self, masters: Sequence[Place]) -> None:
        """Returns once it is connected to all masters."""
        self.masters = masters
        self.server.grpc.add_generic_rpc_handlers(self.proxy.handlers())
        address = f"127.0.0.1:{free_ports(1)[0]}"
        await self.server.start([address], self.proxy.names)
        self.proxy.start()
        self.proxy.connect()
        for master in masters:
            self.say(master)
        async with asyncio.timeout(5):
            while not all(self.proxy._masters.ready(m.address) for m in masters):
                await self.proxy._masters.changed(1.0)
        self.channel = open_channel(address, SMALL_WINDOWS)

    async def stop(self) -> None:
        await self.channel.close()
        await self.server.stop(0)
        await self.tasks.stop()
        assert not self.crashes

    def say(self, master: Place, **more: int) -> None:
        """The master reports to the router."""
        state = router_pb2.MasterState(name=master.address, incarnation=1, serving=True, term=1, **more)
        state.rank = self.masters.index(master) + 1
        state.leader = self.masters[0].address
        self.routing.heard(router_pb2.Message(text=master.address, state=state), state.rank)


class Proxied:
    """`async with Proxied(3) as proxied`: a router in front of so many masters that answer unary calls."""

    def __init__(self, masters: int = 2) -> None:
        self.state = State()
        self.masters = [Master(self.state) for _ in range(masters)]
        self.router = Router()

    async def __aenter__(self) -> Self:
        for master in self.masters:
            await master.start()
        await self.router.start(self.masters)
        self.channel = self.router.channel
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for master in self.masters:
            await master.kill()
        await self.router.stop()

    async def call(self, method: str, raw: bytes, deadline_seconds: float | None = 10, **more: Any) -> bytes:
        return await self.channel.unary_unary(method)(raw, timeout=deadline_seconds, **more)
