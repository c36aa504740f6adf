"""Timelines: every post once and in order, whatever dies meanwhile. The cursor is all the state there is."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import grpc

from tinysns.client import calls, codec
from tinysns.client.codec import TimelinePost
from tinysns.client.errors import CursorAhead, Definite
from tinysns.client.links import Link, cancelled_from_outside
from tinysns.client.masters import Masters, Pace
from tinysns.client.waits import Waiting
from tinysns.rpc.errors import info
from tinysns.wire.v1 import sns_pb2

HEARTBEAT_MS = 200
_SILENT_HEARTBEATS = 3
_HELD_SECONDS = 1.0  # a stream that was open for so long was no try in vain, also if nothing came

# Another master would say the same.
_FINAL = (
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,  # an answer that is too long for one message
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
)


def final_error(error: grpc.aio.AioRpcError) -> Definite | None:
    """The error to raise if asking another master is useless, else None."""
    if error.code() not in _FINAL:
        return None
    kind = CursorAhead if info(error)[0] == "CURSOR_AHEAD" else Definite
    return kind(error.details() or error.code().name)


async def batches_of(
    masters: Masters, waiting: Waiting, request: sns_pb2.TimelineRequest, only: Sequence[str]
) -> AsyncGenerator[list[TimelinePost]]:
    """The posts as they come, in batches; an empty one says that nothing more is there right now.

    Ends with what there was, if the request says so. The first batch is the backlog, if the request asks for one.
    Without heartbeats, who calls must see to it that a silent link is doubted: Masters.doubt_timelines.

    A reader that is slow to take a batch stops the stream (gRPC's flow control), so that nothing piles up anywhere.
    Raises Definite for an unknown user, CursorAhead; the cause is what the master said.
    """
    leave, pace = "", Pace(masters)
    while True:
        link = await masters.pick_for_timeline(leave, only)
        stream = _Stream(link, request, pace.patience)
        heard = False
        try:
            async for message in stream.call:
                heard = True
                pace.answered()
                posts = codec.decode_posts(message, request.after_position)
                if posts or message.cursor:  # what comes before that is not wanted, or was had
                    request.after_position = message.cursor or posts[-1].position
                    request.newest, request.backlog = 0, False
                if posts or not message.posts:
                    stream.pause()  # the silence is the reader's now
                    waiting.end()
                    yield posts
                stream.resume()
                waiting.begin()
            if request.until_now:
                return
        except grpc.aio.AioRpcError as e:
            if error := final_error(e):
                raise error from e
            waiting.reason = f"{link.address}: {e.details() or e.code().name}"
        except asyncio.CancelledError:
            if cancelled_from_outside():
                raise
            waiting.reason = f"{link.address} does not answer"
        finally:
            stream.close()
        leave = link.address
        if not heard and not stream.was_held:
            await pace.before_next()


class _Stream:
    """One try: a Timeline stream from one master, given up after a silence."""

    def __init__(self, link: Link, request: sns_pb2.TimelineRequest, patience: int) -> None:
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._heartbeats = bool(request.heartbeat_ms)
        self._silence_seconds = _SILENT_HEARTBEATS * (request.heartbeat_ms or HEARTBEAT_MS) / 1000
        self._patience = patience  # how many times that until the first word: it may have to catch up first
        self._began_at = self._heard_at = self._loop.time()
        self._paused = False
        self.call = calls.timeline(link.channel)(request)
        link.calls.add(self.call)
        link.timelines += 1
        self._watchdog: asyncio.TimerHandle | None = None
        if self._heartbeats or request.backlog:  # else the first word may be long in coming
            self._watchdog = self._loop.call_later(self._silence_seconds * patience, self._watch)

    @property
    def was_held(self) -> bool:
        """Whether it has been open for a while."""
        return self._loop.time() - self._began_at > _HELD_SECONDS

    def pause(self) -> None:
        """Nobody listens: silence means nothing."""
        self._paused = True

    def resume(self) -> None:
        """Something was heard, and somebody listens for more."""
        self._paused = False
        self._patience = 1
        self._heard_at = self._loop.time()
        if not self._heartbeats:
            self._stop_watching()

    def close(self) -> None:
        self._stop_watching()
        self.call.cancel()
        self._link.calls.discard(self.call)
        self._link.timelines -= 1

    def _stop_watching(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None

    def _watch(self) -> None:
        silent_seconds = 0.0 if self._paused else self._loop.time() - self._heard_at
        left_seconds = self._silence_seconds * self._patience - silent_seconds
        if left_seconds <= 0:
            self._link.doubt()
            self.call.cancel()
        else:
            self._watchdog = self._loop.call_later(left_seconds, self._watch)
