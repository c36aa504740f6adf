"""The session of this process: names for the writes of callers that have no sessions, the course's clients."""

import asyncio
import functools
from collections.abc import Callable

from tinysns.domain.writes import SESSION_WINDOW, Answer, Command, Outcome, Write
from tinysns.replication.interface import NotServing, Submitter


class OwnSession:
    """Numbers writes in the order of `submit`, with at most SESSION_WINDOW in flight.

    A number that was taken must be used: the next ones would be GAPs for ever. So nothing that a caller does takes a
    write back. When one was not executed, or that cannot be known, the session is left behind, and the next write
    begins a new one.
    """

    def __init__(self, submitter: Submitter, new_id: Callable[[], int]) -> None:
        """`new_id` gives random session ids."""
        self._submitter = submitter
        self._new_id = new_id
        self._id = new_id()
        self._last = 0
        self._room = asyncio.Semaphore(SESSION_WINDOW)

    async def submit(self, write: Write) -> Answer:
        """What came of this write. Raises NotServing, indefinite, or Overloaded. Cancelled: the write goes on all the
        same."""
        answer = await self._submit_once(write)
        if answer.outcome is Outcome.SESSION_EXPIRED:
            # Nobody has used the session for long. The write is new, so it was not executed: name it in a new session.
            answer = await self._submit_once(write)
        if answer.outcome in (Outcome.GAP, Outcome.SESSION_EXPIRED):
            raise NotServing("a write before this one was lost, and this one was not executed; try again")
        return answer

    async def _submit_once(self, write: Write) -> Answer:
        await self._room.acquire()
        # No await from here to the submission: a number that is taken is submitted.
        try:
            answer = self._submitter.submit(Command(self._id, self._last + 1, write))
        except BaseException:  # whatever it is: nothing was submitted
            self._room.release()
            raise
        self._last += 1
        answer.add_done_callback(functools.partial(self._ended, self._id))
        return await asyncio.shield(answer)

    def _ended(self, session: int, answer: "asyncio.Future[Answer]") -> None:
        self._room.release()
        failed = answer.cancelled() or answer.exception() is not None
        if session == self._id and (failed or answer.result().outcome in (Outcome.GAP, Outcome.SESSION_EXPIRED)):
            self._id = self._new_id()
            self._last = 0
