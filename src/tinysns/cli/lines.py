"""Lines of standard input as they come: numbered, bounded, and checked only when somebody wants their text."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import BinaryIO

from tinysns.client import Definite
from tinysns.domain.names import MAX_TEXT_BYTES

_READ_BYTES = 64 * 1024
_KEPT_BYTES = MAX_TEXT_BYTES + 2  # enough to tell that it is too long, with a carriage return behind it


@dataclass(frozen=True, slots=True)
class Line:
    """`number` counts from 1, empty lines included. Of a line that is too long, `raw` holds the beginning."""

    number: int
    raw: bytes

    def text(self) -> str:
        """Without the line's end. Raises Definite if no post or command can look like this."""
        raw = self.raw.removesuffix(b"\r")
        if len(raw) > MAX_TEXT_BYTES:
            raise Definite(f"line {self.number} is longer than a post can be ({MAX_TEXT_BYTES} bytes)")
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise Definite(f"line {self.number} is not UTF-8 text") from None


async def lines(stream: BinaryIO) -> AsyncIterator[list[Line]]:
    """All that has come since, again and again; the last line needs no end. Needs little memory for any input."""
    rest, number = b"", 0
    async for chunk in _chunks(stream):
        *complete, rest = (rest + chunk).split(b"\n")
        rest = rest[:_KEPT_BYTES]
        yield [Line(n, raw[:_KEPT_BYTES]) for n, raw in enumerate(complete, number + 1)]
        number += len(complete)
    if rest:
        yield [Line(number + 1, rest)]


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
