"""`sns post USER -`: lines of standard input as posts, in batches, several in flight, none kept waiting."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import BinaryIO

from tinysns.client import Client, Definite, Indefinite, SnsError
from tinysns.client.errors import refusal
from tinysns.domain.names import MAX_BATCH_BYTES, MAX_TEXT_BYTES
from tinysns.domain.writes import Answer, Post

_BATCH_POSTS = 64
_READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Posted:
    count: int
    last_position: int  # of the last batch's first post


async def lines(stream: BinaryIO) -> AsyncIterator[list[str]]:
    """The lines of `stream` as they come, without their ends and without empty ones. Raises Definite."""
    rest, number = b"", 0
    async for chunk in _chunks(stream):
        *complete, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_TEXT_BYTES:
            raise Definite(f"line {number + len(complete) + 1} is longer than a post can be ({MAX_TEXT_BYTES} bytes)")
        yield [text for n, line in enumerate(complete, number + 1) if (text := _decode(line, n))]
        number += len(complete)
    if text := _decode(rest, number + 1):
        yield [text]


async def post_lines(client: Client, user: str, batches: AsyncIterator[list[str]]) -> Posted:
    """Posts them all, in order. Raises SnsError, whose sentence says how many were posted for certain."""
    session = client.session()
    posted, flying = Posted(0, 0), list[tuple[Post, asyncio.Future[Answer]]]()
    try:
        async for texts in batches:
            for batch in _batches(texts):
                await session.room()
                write = Post(user, batch)
                flying.append((write, session.submit(write)))
                while flying and flying[0][1].done():
                    posted = _settle(posted, *flying.pop(0))
        await session.drain()
        while flying:
            posted = _settle(posted, *flying.pop(0))
    except SnsError as e:
        await session.drain()
        for write, answer in flying:
            if answer.exception() is None and refusal(write, answer.result().outcome) is None:
                posted = Posted(posted.count + len(write.texts), answer.result().position)
        unknown = not e.definite or any(isinstance(a.exception(), Indefinite) for _, a in flying)
        kind = Indefinite if unknown else Definite
        raise kind(f"{e}; {posted.count} lines were posted") from None
    return posted


def _settle(posted: Posted, write: Post, answer: "asyncio.Future[Answer]") -> Posted:
    result = answer.result()
    if error := refusal(write, result.outcome):
        raise error
    return Posted(posted.count + len(write.texts), result.position)


def _batches(texts: list[str]) -> list[tuple[str, ...]]:
    """As few as the limits of a batch allow."""
    batches, batch, size = list[tuple[str, ...]](), list[str](), 0
    for text in texts:
        text_bytes = len(text.encode())
        if batch and (len(batch) == _BATCH_POSTS or size + text_bytes > MAX_BATCH_BYTES):
            batches.append(tuple(batch))
            batch, size = [], 0
        batch.append(text)
        size += text_bytes
    return [*batches, tuple(batch)] if batch else batches


def _decode(line: bytes, number: int) -> str:
    try:
        return line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise Definite(f"line {number} is not UTF-8 text") from None


async def _chunks(stream: BinaryIO) -> AsyncIterator[bytes]:
    """Waits on the event loop for pipes and terminals, so that ^C works at once; files never make one wait."""
    try:
        descriptor = stream.fileno()
    except OSError:  # not a real file, as in tests
        yield stream.read()
        return
    waits = not stat.S_ISREG(os.fstat(descriptor).st_mode)
    while chunk := (await _read_when_ready(descriptor) if waits else os.read(descriptor, _READ_BYTES)):
        yield chunk


async def _read_when_ready(descriptor: int) -> bytes:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except PermissionError:  # epoll(7) does not take it, for example /dev/null: it never makes one wait
        return os.read(descriptor, _READ_BYTES)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, _READ_BYTES)
