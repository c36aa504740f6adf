"""Clients of the course's interfaces as anybody can make them: from the proto files alone, with nothing of the service.

protoc compiles the files into a folder that is gone at once; messages and stubs are made from its output, in a pool of
descriptors of their own, because those of the service, loaded by other tests of this process, have the same names.
"""

import asyncio
import functools
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PROTO = Path(__file__).parents[2] / "proto/tinysns/wire"
CALL_SECONDS = 120.0
SET_STREAM = "Set Stream"


@dataclass(frozen=True)
class Interface:
    """What who writes such a client reads in the proto file, and in the course's handout."""

    package: str
    service: str
    follow: str
    unfollow: str
    timeline: str
    users: str
    """field of a ListReply"""
    others: str
    """field of a ListReply: the followers, or those whom one follows"""
    line_end: str
    """what a client puts behind a line that was typed"""

    def __str__(self) -> str:
        return self.package


SNS = Interface("csce438", "SNSService", "Follow", "UnFollow", "Timeline", "all_users", "followers", "\n")
MESSENGER = Interface("hw2", "MessengerServer", "Join", "Leave", "Chat", "all_rooms", "joined_rooms", "")


class User:
    """One user of one interface, with a connection of its own to one address."""

    def __init__(self, interface: Interface, address: str, name: str) -> None:
        self.interface, self.name = interface, name
        self.channel = grpc.aio.insecure_channel(address, options=(("grpc.use_local_subchannel_pool", 1),))

    async def close(self) -> None:
        await self.channel.close()

    async def call(self, method: str, *arguments: str) -> Any:
        """The reply. Raises grpc.aio.AioRpcError."""
        request, answer = _messages(self.interface, method)
        stub = self.channel.unary_unary(
            self._path(method), request_serializer=request.SerializeToString, response_deserializer=answer.FromString
        )
        return await stub(request(username=self.name, arguments=arguments), timeout=CALL_SECONDS)

    async def login(self) -> str:
        return str((await self.call("Login")).msg)

    async def follow(self, target: str) -> str:
        return str((await self.call(self.interface.follow, target)).msg)

    async def unfollow(self, target: str) -> str:
        return str((await self.call(self.interface.unfollow, target)).msg)

    async def list(self) -> tuple[list[str], list[str]]:
        reply = await self.call("List")
        return list(getattr(reply, self.interface.users)), list(getattr(reply, self.interface.others))

    def stream(self) -> "Stream":
        """A timeline on which nothing has been said yet."""
        message, _ = _messages(self.interface, self.interface.timeline)
        stub = self.channel.stream_stream(
            self._path(self.interface.timeline),
            request_serializer=message.SerializeToString,
            response_deserializer=message.FromString,
        )
        return Stream(self, message, stub())

    @asynccontextmanager
    async def timeline(self) -> AsyncIterator["Stream"]:
        """In timeline mode: what is posted from now on is seen."""
        stream = self.stream()
        try:
            await stream.write(SET_STREAM)
            await asyncio.wait_for(stream.call.initial_metadata(), CALL_SECONDS)
            yield stream
        finally:
            stream.call.cancel()

    async def post(self, *lines: str) -> None:
        """Enters timeline mode, posts, and leaves in order; returns when all are stored."""
        async with self.timeline() as stream:
            await stream.type(*lines)
            await stream.call.done_writing()
            async with asyncio.timeout(CALL_SECONDS):
                async for _ in stream.call:
                    pass

    def _path(self, method: str) -> str:
        return f"/{self.interface.package}.{self.interface.service}/{method}"


class Stream:
    """A timeline, as a client without a deadline has it open."""

    def __init__(self, user: User, message: Any, call: grpc.aio.StreamStreamCall) -> None:
        self._user, self._message, self.call = user, message, call

    async def write(self, text: str, user: str | None = None) -> None:
        """Sends just this."""
        await self.call.write(self._message(username=self._user.name if user is None else user, msg=text))

    async def type(self, *lines: str) -> None:
        """Posts lines as the interactive client does."""
        for line in lines:
            await self.write(line + self._user.interface.line_end)

    async def read(self, count: int) -> list[tuple[str, str]]:
        """(author, line without its end) of the next posts; each has a time."""
        posts = []
        for _ in range(count):
            message = await asyncio.wait_for(self.call.read(), CALL_SECONDS)
            assert message is not grpc.aio.EOF, f"the stream ended after {posts}"
            assert message.timestamp.seconds > 0
            end = self._user.interface.line_end
            assert message.msg.endswith(end)
            posts.append((message.username, message.msg.removesuffix(end)))
        return posts

    async def failure(self) -> grpc.aio.AioRpcError:
        """The error with which it ends."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                async for _ in self.call:
                    pass
        except grpc.aio.AioRpcError as e:
            return e
        raise AssertionError("the stream ended without an error")


@functools.cache
def _pool() -> descriptor_pool.DescriptorPool:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "descriptors"
        files = ["csce438/sns.proto", "hw2/messenger.proto"]
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", "--include_imports"]
        subprocess.run([*command, f"--descriptor_set_out={output}", *files], check=True)
        compiled = descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in compiled.file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


@functools.cache
def _messages(interface: Interface, method: str) -> tuple[Any, Any]:
    """Classes of what goes in and what comes out."""
    service = _pool().FindServiceByName(f"{interface.package}.{interface.service}")
    found = service.FindMethodByName(method)
    return message_factory.GetMessageClass(found.input_type), message_factory.GetMessageClass(found.output_type)
