"""Sessions: writes that take effect exactly once, in order, on whichever master lives; one stream, several in flight.

    stream ends, or the master refuses    at once to the next master: everything unanswered, in order, same numbers
    silence for try_seconds               the same, and the link is doubted (links.py)
    answer GAP                            a new stream to the same master
    another leader, and it is ready       let the answers come in, then go there: a standby would have to forward

A master holds requests through an election, so a second submit there is no harm and no storm: see masters.Pace.
"""

import asyncio
import math
from collections.abc import Iterable, Sequence
from enum import Enum, auto

import grpc

from tinysns.client import codec
from tinysns.client.errors import Definite, Unreachable, refusal
from tinysns.client.flow import Flow, packed
from tinysns.client.limits import Limits
from tinysns.client.links import Link, cancelled_from_outside
from tinysns.client.masters import Masters, Pace
from tinysns.client.outbox import Item, Next, Outbox
from tinysns.client.waits import Waits
from tinysns.client.writing import WriteStream
from tinysns.domain.names import Refused
from tinysns.domain.writes import SESSION_WINDOW, Answer, Follow, Login, Post, Unfollow, Write, check_write
from tinysns.runtime.tasks import Tasks


class _End(Enum):
    """Why a stream ended, and so which master is next."""

    LOST = auto()  # another one
    AGAIN = auto()  # the same one
    MOVE = auto()  # the first of the route


class Session:
    """Made by Client.session(). Writes take effect in the order of the calls. Belongs to one event loop.

    `rests`: when there is nothing to write for `Limits.try_seconds`, its stream ends until there is something again.
    For who has thousands of sessions that are hardly used.
    """

    def __init__(
        self,
        masters: Masters,
        tasks: Tasks,
        limits: Limits,
        waits: Waits,
        outbox: Outbox,
        window: int,
        *,
        rests: bool = False,
    ) -> None:
        if not 1 <= window <= SESSION_WINDOW:
            raise ValueError(f"a window has room for 1 to {SESSION_WINDOW} writes, not {window}")
        self._masters, self._tasks, self._limits, self._outbox, self._window = masters, tasks, limits, outbox, window
        self._pace = Pace(masters)
        self._waiting = waits.waiting("a write")
        self._runner: asyncio.Task[None] | None = None
        self._rests = rests
        self._leave = ""  # the master that the next stream had better not go to
        self._closed = False
        self._room = asyncio.Event()
        self._queue = asyncio.Lock()  # of those who wait for room
        self._stream: WriteStream | None = None

    @property
    def master(self) -> str:
        """The address of the master that writes go to right now, empty while there is none."""
        return self._stream.link.address if self._stream else ""

    async def login(self, user: str) -> Answer:
        """Outcome DONE at the first time, later WELCOME_BACK. Raises SnsError, as all of these do."""
        return await self._call(Login(user))

    async def follow(self, user: str, target: str) -> Answer:
        """Raises Refusal with UNKNOWN_USER or ALREADY_FOLLOWING."""
        return await self._call(Follow(user, target))

    async def unfollow(self, user: str, target: str) -> Answer:
        """Raises Refusal with UNKNOWN_USER, NOT_FOLLOWING or INVALID_TARGET."""
        return await self._call(Unfollow(user, target))

    async def post(self, author: str, texts: Sequence[str]) -> int:
        """Posts all of `texts` or none; returns the position of the first. Raises Refusal with UNKNOWN_USER."""
        return (await self._call(Post(author, tuple(texts)))).position

    async def post_all(self, author: str, texts: Iterable[str]) -> int:
        """Posts any number of texts, in order, in batches of which several are in flight; returns how many.

        Takes from `texts` only while the window has room. Raises SnsError: `posted` in it says how many took effect for
        certain, the first ones; it is Indefinite unless it is certain that none behind those did. Posts that come one
        by one, over time, are better sent with `room` and `submit`.
        """
        flow = Flow(self, author)
        for batch in packed(texts):
            await flow.add(batch)
        return await flow.finish()

    async def _call(self, write: Write) -> Answer:
        _check(write)
        await self.room()
        answer = await self.submit(write)
        if error := refusal(write, answer.outcome):
            raise error
        return answer

    async def room(self, deadline_seconds: float | None = None) -> None:
        """Returns once a `submit` is allowed, in the order of the calls. Raises Unreachable at the deadline."""
        try:
            # The lock is fair: who comes while others wait goes behind them, even if there is room just now.
            async with asyncio.timeout(deadline_seconds or self._limits.deadline_seconds), self._queue:
                while len(self._outbox) >= self._window:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            raise Unreachable(f"the service has not answered earlier writes in time{self._because()}") from None

    def submit(self, write: Write, deadline_seconds: float | None = None) -> "asyncio.Future[Answer]":
        """Sends without waiting for the answers before it. Call it directly behind `await room()`:

            await session.room()  # the window bounds what is in flight, and so slows its source down
            answers.append(session.submit(Post("ada", texts)))

        The future ends with an Answer of any outcome that is final (UNKNOWN_USER too), or with SnsError: Indefinite if
        the deadline passed (10 s if none is given) with the write on its way. Raises Definite for malformed input.
        """
        if self._closed:
            raise Definite("this session is closed")
        if len(self._outbox) >= self._window:
            raise RuntimeError("no room in the window: await session.room() before each submit")
        _check(write)
        loop = asyncio.get_running_loop()
        item = Item(write, loop.create_future())
        seconds = deadline_seconds or self._limits.deadline_seconds
        timer = None if seconds == math.inf else loop.call_later(seconds, self._expire, item)

        def settled(_: object) -> None:
            if timer is not None:
                timer.cancel()
            self._settled()

        item.future.add_done_callback(settled)
        if not self._outbox.awaited:
            self._waiting.begin()
        self._outbox.add(item)
        if self._stream:
            self._stream.pump()
        if self._runner is None or self._runner.done():
            self._runner = self._tasks.start("session", self._run())
        return item.future

    async def drain(self) -> None:
        """Returns once everything submitted is answered or has failed by its deadline (which is why this ends)."""
        while self._outbox.awaited:
            self._room.clear()
            await self._room.wait()

    async def close(self) -> None:
        """Ends the stream; what is not answered fails as indefinite. Await `drain` first to prevent that."""
        self._closed = True
        if self._runner:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
        self.fail("the session was closed before the answer")

    def fail(self, sentence: str) -> None:
        """Nobody will bring the answers any more."""
        self._closed = True
        self._outbox.close(sentence)
        self._settled()

    def _expire(self, item: Item) -> None:
        self._outbox.expire(item, f"the service did not answer a write before its deadline{self._because()}")

    def _settled(self) -> None:
        """Some write was answered, has failed, or is not awaited any more."""
        self._room.set()
        if not self._outbox.awaited:
            self._waiting.end()

    def _because(self) -> str:
        return f" ({self._waiting.reason})" if self._waiting.reason else ""

    async def _run(self) -> None:
        """For as long as there is something to write; the next `submit` begins it again."""
        end = _End.MOVE
        while len(self._outbox):
            same = (self._leave,) if end is _End.AGAIN and self._masters.ready(self._leave) else ()
            link = await self._masters.pick(self._leave, same)
            answered_before = self._pace.answers
            end = await self._write(link)
            self._leave = "" if end is _End.MOVE else link.address
            if end is not _End.MOVE and self._pace.answers == answered_before:
                await self._pace.before_next()

    async def _write(self, link: Link) -> _End:
        try_seconds = self._limits.try_seconds * self._pace.patience
        stream = self._stream = WriteStream(link, self._outbox, self._masters, try_seconds, self._rests)
        try:
            async for answers in stream.call:
                stream.heard()
                self._pace.answered()
                for a in answers.answers:
                    if self._outbox.answered(a.number, codec.decode_answer(a), a.detail) is Next.NEW_STREAM:
                        return _End.AGAIN
                self._waiting.begin()
                self._settled()
                stream.pump()
                if stream.moved:
                    return _End.MOVE
            self._waiting.reason = f"{link.address} ended the stream"
        except grpc.aio.AioRpcError as e:
            self._waiting.reason = f"{link.address}: {e.details() or e.code().name}"
        except asyncio.CancelledError:
            if cancelled_from_outside():
                raise
            if stream.moved:
                return _End.MOVE
            self._waiting.reason = f"{link.address} does not answer"
        finally:
            self._stream = None
            self._room.set()
            stream.close()
        return _End.LOST


def _check(write: Write) -> None:
    """Refuses here what the service would refuse, so that no number is ever given to it. Raises Definite."""
    try:
        check_write(write)
    except Refused as e:
        raise Definite(str(e)) from None
