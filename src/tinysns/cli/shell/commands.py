"""The loop of commands: reads one, does it, answers as the course's client would and says more on standard error."""

import asyncio
import contextlib
from collections.abc import Coroutine

from tinysns.cli import running
from tinysns.cli.shell import course
from tinysns.cli.shell.names import Names
from tinysns.cli.shell.screen import EndOfInput, Interrupt, Screen
from tinysns.cli.shell.timeline import TimelineMode
from tinysns.client import Client, Definite, Indefinite, Refusal, SnsError, Unreachable
from tinysns.domain.writes import Outcome

HELP = "commands: LIST, FOLLOW <username>, UNFOLLOW <username>, TIMELINE, EXIT (or QUIT)"


class Shell:
    """One user in front of one screen."""

    def __init__(self, client: Client, user: str, screen: Screen, names: Names) -> None:
        self._client, self._user, self._screen, self._names = client, user, screen, names
        self._session = client.session()
        self._worst = 0

    async def run(self) -> int:
        """Returns the exit status: of a script the worst of its commands', of a person 0 or EXIT_INTERRUPTED.

        Raises SnsError if the login fails.
        """
        answer = await self._session.login(self._user)
        await self._screen.show(course.welcome(self._user, answer.outcome))
        await self._screen.show(course.TITLE)
        try:
            while True:
                await self._one()
        except EndOfInput:
            return 0 if self._screen.interactive else self._worst
        except Interrupt:
            return running.EXIT_INTERRUPTED

    async def _one(self) -> None:
        try:
            line = await self._screen.command()
        except Definite as e:  # not text
            await self._screen.show(course.INVALID_COMMAND)
            await self._failed(e)
            return
        try:
            await self._obey(line)
        except SnsError as e:
            await self._screen.show(_in_course_words(e))
            await self._failed(e)

    async def _obey(self, line: str) -> None:
        verb, space, argument = line.lstrip().partition(" ")
        match verb.rstrip().upper(), argument.strip():
            case "", "":
                pass
            case (("EXIT" | "QUIT"), ""):
                raise EndOfInput
            case "LIST", "":
                await self._wait_for(self._list())
            case "TIMELINE", "":
                await self._timeline()
            case (("FOLLOW" | "UNFOLLOW"), ""):
                await self._misunderstood(course.NO_ARGUMENT if space else course.NO_SUCH_COMMAND)
            case "FOLLOW", target:
                await self._wait_for(self._change(self._session.follow(self._user, target)))
            case "UNFOLLOW", target:
                await self._wait_for(self._change(self._session.unfollow(self._user, target)))
            case _, "":
                await self._misunderstood(course.NO_SUCH_COMMAND)
            case _:
                await self._misunderstood(course.INVALID_COMMAND)

    async def _list(self) -> None:
        listing = await self._client.list(self._user)
        self._names.learn(listing)
        await self._screen.show(f"{course.COMPLETED}\n{course.listing(listing)}")

    async def _change(self, write: Coroutine[None, None, object]) -> None:
        try:
            await write
        except asyncio.CancelledError:
            await self._screen.remark("sns: interrupted; it may take effect all the same")
            raise
        self._names.expire()
        await self._screen.show(course.COMPLETED)

    async def _timeline(self) -> None:
        await self._screen.show(f"{course.COMPLETED}\n{course.IN_THE_TIMELINE}")
        mode = TimelineMode(self._client, self._session, self._user, self._screen)
        try:
            with contextlib.suppress(Interrupt):  # back to the commands
                await mode.run()
        finally:
            self._worst = max(self._worst, mode.status)

    async def _wait_for(self, work: Coroutine[None, None, None]) -> None:
        with contextlib.suppress(Interrupt):  # that is why it is over; the next command, then
            await self._screen.interruptible(work)

    async def _misunderstood(self, answer: str) -> None:
        self._worst = max(self._worst, running.EXIT_REFUSED)
        await self._screen.show(answer)
        await self._screen.remark(f"sns: {HELP}")

    async def _failed(self, error: SnsError) -> None:
        self._worst = max(self._worst, running.status_of(error))
        await self._screen.remark(f"sns: {error}")


def _in_course_words(error: SnsError) -> str:
    match error:
        case Refusal(outcome=Outcome.ALREADY_FOLLOWING):
            return course.ALREADY_EXISTS
        case Unreachable() | Indefinite():
            return course.UNKNOWN_REASON
        case _:
            return course.INVALID_USERNAME
