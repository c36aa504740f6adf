"""Servers' handlers of raw messages: the type of their context, and how they receive."""

from typing import TypeAlias, cast

import grpc

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"


async def receive(context: Context) -> bytes | None:
    """The next message of the client's stream; None: the client has ended its side."""
    raw = await context.read()
    return None if cast(object, raw) is grpc.aio.EOF else raw  # the stubs know nothing of EOF
