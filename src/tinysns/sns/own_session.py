"""The session of this process: names for the writes of callers that have no sessions, the course's clients."""

import asyncio
from collections.abc import Callable

from tinysns.domain.writes import SESSION_WINDOW, Answer, Command, Outcome, Write
from tinysns.replication.interface import NotServing, Submitter
from tinysns.runtime.tasks import Tasks


class OwnSession:
    """Numbers writes in the order of `submit`, with at most SESSION_WINDOW in flight.

    A number that was taken must be used: the next ones would be GAPs for ever. So each write is carried to its end in
    the background, whether or not its caller still waits. When what came of one cannot be known (NotServing), the
    session is left behind, and the next write begins a new one.
    """

    def __init__(self, submitter: Submitter, tasks: Tasks, new_id: Callable[[], int]) -> None:
        """`new_id` gives random session ids."""
        self._submitter = submitter
        self._tasks = tasks
        self._new_id = new_id
        self._id = new_id()
        self._last = 0
        self._room = asyncio.Semaphore(SESSION_WINDOW)

    async def submit(self, write: Write) -> Answer:
        """What came of this write. Raises NotServing, indefinite. Cancelled: the write goes on all the same."""
        answer = await self._submit_once(write)
        if answer.outcome is Outcome.SESSION_EXPIRED:
            # Nobody has used the session for long. The write is new, so it was not executed: name it in a new session.
            answer = await self._submit_once(write)
        if answer.outcome in (Outcome.GAP, Outcome.SESSION_EXPIRED):
            raise NotServing("a write before this one was lost, and this one was not executed; try again")
        return answer

    async def _submit_once(self, write: Write) -> Answer:
        await self._room.acquire()
        # No await from here to the start of the task: a number that is taken is submitted.
        self._last += 1
        command = Command(self._id, self._last, write)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        # The loop starts tasks in the order in which they are made, and a submitter queues before it waits: so writes
        # enter the log in the order of their numbers.
        self._tasks.start(f"own write {command.number}", self._carry(command, answer))
        return await answer

    async def _carry(self, command: Command, answer: asyncio.Future[Answer]) -> None:
        try:
            came_of_it = await self._submitter.submit(command)
        except NotServing as e:
            self._leave(command.session)
            _fail(answer, e)
        except asyncio.CancelledError:
            _fail(answer, NotServing("this master is stopping; try again on another one"))
            raise
        else:
            if came_of_it.outcome in (Outcome.GAP, Outcome.SESSION_EXPIRED):
                self._leave(command.session)
            if not answer.done():
                answer.set_result(came_of_it)
        finally:
            self._room.release()

    def _leave(self, session: int) -> None:
        if session == self._id:
            self._id = self._new_id()
            self._last = 0


def _fail(answer: asyncio.Future[Answer], error: NotServing) -> None:
    if not answer.done():
        answer.set_exception(error)
