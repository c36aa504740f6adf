"""Servers' handlers of raw messages: the type of their context, and how they receive and parse."""

from typing import TypeAlias, TypeVar, cast

import grpc
from google.protobuf.message import DecodeError, Message

from tinysns.rpc.errors import CallFailed

M = TypeVar("M", bound=Message)

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"


async def receive(context: Context) -> bytes | None:
    """The next message of the client's stream; None: the client has ended its side."""
    raw = await context.read()
    return None if cast(object, raw) is grpc.aio.EOF else raw  # the stubs know nothing of EOF


def parse(kind: type[M], data: bytes) -> M:
    """The message in these bytes. Raises CallFailed."""
    try:
        return kind.FromString(data)
    except DecodeError:
        raise CallFailed(
            grpc.StatusCode.INVALID_ARGUMENT,
            "BROKEN_MESSAGE",
            f"what was sent is not a {kind.DESCRIPTOR.full_name} whose texts are valid UTF-8; send UTF-8, with stubs"
            " made from the service's own proto file",
        ) from None
