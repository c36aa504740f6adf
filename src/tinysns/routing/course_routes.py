"""The routing calls of the course's families: other names and other messages for what the one routing table knows.

A client of the course asks once where its server is, and believes the answer for as long as it runs. Where it is sent
is decided for all families, and for tinysns.v1.Router/GetAvailable, by Routing.for_course_client.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message

from tinysns.domain.addresses import BadAddress
from tinysns.routing.servicer import NOBODY_YET, RouterService, Routing
from tinysns.routing.table import Refused
from tinysns.rpc.errors import CallFailed, abort
from tinysns.rpc.raw import Context, parse
from tinysns.wire.csce438 import coordinator_pb2, sns_pb2
from tinysns.wire.csce662 import coordinator_pb2 as coordinator662_pb2
from tinysns.wire.hw2 import master_pb2
from tinysns.wire.tsnsr import router_pb2 as tsnsr_pb2
from tinysns.wire.v1 import router_pb2

ServerInfo: TypeAlias = coordinator_pb2.ServerInfo | coordinator662_pb2.ServerInfo


@dataclass(frozen=True, slots=True)
class Where:
    """A client asks where to go. What it asks with matters to nobody."""

    answer: Callable[[str, str], Message]
    """of two addresses: the one to use, and the one for when that fails; the same twice if there is only one"""
    nowhere: Message | None = None
    """the answer while there is none; None: the call fails"""


@dataclass(frozen=True, slots=True)
class Announce:
    """A server says that it exists."""

    address: Callable[[bytes], str]
    """"address:port" in a request; empty: it gives none, and only wants to be answered. Raises CallFailed."""
    answer: Callable[[str, bool], Message]
    """of the address, and whether it was taken"""


@dataclass(frozen=True, slots=True)
class Alive:
    """A server says that it exists for as long as the stream lasts, in messages of tinysns.v1.Router's wire form."""


def _host_and_port(address: str) -> tuple[str, str]:
    host, _, port = address.rpartition(":")
    return host, port


def _server_info(kind: type[ServerInfo]) -> Callable[[str, str], Message]:
    def answer(address: str, _: str) -> Message:
        host, port = _host_and_port(address)
        return kind(serverID=1, hostname=host, port=port, type="master")  # clients take the id 0 for none

    return answer


def _address_of(kind: type[ServerInfo]) -> Callable[[bytes], str]:
    def address(raw: bytes) -> str:
        info = parse(kind, raw)
        return f"{info.hostname}:{info.port}" if info.hostname or info.port else ""

    return address


CALLS: dict[tuple[str, str], Where | Announce | Alive] = {
    ("tsnsr.snsRoute", "AddMaster"): Announce(
        lambda raw: parse(tsnsr_pb2.Message, raw).text,
        lambda address, taken: tsnsr_pb2.Response(
            result=tsnsr_pb2.Response.SUCCESS if taken else tsnsr_pb2.Response.FAILURE, msg=address
        ),
    ),
    ("tsnsr.snsRoute", "GetAvailable"): Where(
        lambda address, _: tsnsr_pb2.Response(result=tsnsr_pb2.Response.SUCCESS, msg=address),
        tsnsr_pb2.Response(result=tsnsr_pb2.Response.FAILURE),  # without a word: clients take any for an address
    ),
    ("tsnsr.snsRoute", "DualPing"): Alive(),
    ("csce438.SNSRouter", "GetConnectInfo"): Where(lambda first, second: sns_pb2.Reply(msg=f"{first},{second}")),
    ("csce438.CoordService", "GetServer"): Where(_server_info(coordinator_pb2.ServerInfo)),
    ("csce438.CoordService", "Heartbeat"): Announce(
        _address_of(coordinator_pb2.ServerInfo), lambda _, taken: coordinator_pb2.Confirmation(status=taken)
    ),
    ("csce662.CoordService", "GetServer"): Where(_server_info(coordinator662_pb2.ServerInfo)),
    ("csce662.CoordService", "Heartbeat"): Announce(
        _address_of(coordinator662_pb2.ServerInfo), lambda _, taken: coordinator662_pb2.Confirmation(status=taken)
    ),
    ("hw2.MasterServer", "ConnectionPoint"): Where(lambda address, _: master_pb2.ConnectionReply(location=address)),
}
"""By service and method; the services to which they lead are in course/interfaces.py."""


class CourseRouting:
    """Serves CALLS. `own`: this router's own calls."""

    names = tuple(dict.fromkeys(service for service, _ in CALLS))
    """of the gRPC services, for reflection"""

    def __init__(self, routing: Routing, own: RouterService) -> None:
        self._routing = routing
        self._own = own

    def handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        """To be added to the server."""
        methods: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = {}
        for (service, name), call in CALLS.items():
            methods.setdefault(service, {})[name] = self._handler(call)
        return tuple(grpc.method_handlers_generic_handler(*service) for service in methods.items())

    def where(self) -> tuple[str, str] | None:
        """Where to send a client, and where it may go when that fails; None while there is nowhere.

        Both are the same if there is only one. A client of a router that proxies may go to the next one of the list.
        """
        first = self._routing.for_course_client()
        if not first:
            return None
        me = self._routing.me
        line = me.routers if first == me.proxy else self._routing.line()
        place = line.index(first) if first in line else -1
        return first, next(iter((*line[place + 1 :], *line)), first)

    def _handler(self, call: Where | Announce | Alive) -> "grpc.RpcMethodHandler[Any, Any]":
        match call:
            case Where(answer, nowhere):

                async def ask(_: bytes, context: Context) -> bytes:
                    if addresses := self.where():
                        return answer(*addresses).SerializeToString()
                    if nowhere is None:
                        await abort(context, grpc.StatusCode.UNAVAILABLE, "NO_MASTER", NOBODY_YET)
                    return nowhere.SerializeToString()

                return grpc.unary_unary_rpc_method_handler(ask)
            case Announce():

                async def announce(raw: bytes, context: Context) -> bytes:
                    return await self._announced(call, raw, context)

                return grpc.unary_unary_rpc_method_handler(announce)
            case Alive():
                return grpc.stream_stream_rpc_method_handler(
                    self._own.DualPing, router_pb2.Message.FromString, router_pb2.Message.SerializeToString
                )

    async def _announced(self, call: Announce, raw: bytes, context: Context) -> bytes:
        try:
            address, taken = call.address(raw), True
            if address:
                self._own.register(router_pb2.Message(text=address))
        except CallFailed as e:
            await abort(context, e.code, e.reason, str(e))
        except BadAddress as e:
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "BAD_ADDRESS", str(e))
        except Refused:
            taken = False
        return call.answer(address, taken).SerializeToString()
