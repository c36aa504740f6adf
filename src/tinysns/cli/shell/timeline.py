"""The timeline mode: every line typed is a post, and what others post appears meanwhile, the last 20 first.

Posts are sent as they are typed, several in flight; whether one failed is said when it is known. Input that has ended
does not end the mode before the last of them is answered.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from typing import TypeVar

from tinysns.cli import running
from tinysns.cli.shell import course
from tinysns.cli.shell.screen import EndOfInput, Interrupt, Screen
from tinysns.client import Client, Session, SnsError, TimelinePost
from tinysns.client.errors import refusal
from tinysns.domain.writes import Answer, Post

_SHOWN_CHARACTERS = 40  # of a post that failed

T = TypeVar("T")


class _Lost(Exception):
    """Without what runs in the background there is no timeline mode; `error` says why."""

    def __init__(self, error: SnsError) -> None:
        self.error = error


class TimelineMode:
    """`status`: the exit status that fits the worst thing that happened."""

    def __init__(self, client: Client, session: Session, user: str, screen: Screen) -> None:
        self._client, self._session, self._user, self._screen = client, session, user, screen
        self._sent: asyncio.Queue[tuple[Post, asyncio.Future[Answer]]] = asyncio.Queue()  # the session limits it
        self._unanswered = 0
        self._caught_up = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()
        self.status = 0

    async def run(self) -> None:
        """Raises EndOfInput or Interrupt, whichever ends it, with all posts settled; SnsError without a timeline."""
        # All behind this position is new: a login is an ordered write without any effect.
        began = (await self._session.login(self._user)).position
        self._background = {
            asyncio.create_task(self._read(began), name="timeline"),
            asyncio.create_task(self._settle(), name="answers to posts"),
        }
        try:
            if not self._screen.interactive:  # the old posts come first, however fast a pipe is
                await self._while_well(self._caught_up.wait())
            await self._type()
        except _Lost as e:
            raise e.error from None
        finally:
            for task in self._background:
                task.cancel()
            await asyncio.gather(*self._background, return_exceptions=True)
            if self._unanswered:
                self.status = running.EXIT_UNKNOWN
                await self._screen.remark(f"sns: {self._unanswered} posts had no answer yet: they may be posted or not")

    async def _type(self) -> None:
        try:
            while True:
                try:
                    if text := await self._while_well(self._screen.post()):
                        await self._post(text)
                except SnsError as e:
                    await self._failed(e, "not posted")
        except (EndOfInput, Interrupt):
            await self._screen.interruptible(self._while_well(self._sent.join()))
            raise

    async def _post(self, text: str) -> None:
        post = Post(self._user, (text,))
        try:
            await self._screen.interruptible(self._while_well(self._session.room()))
        except Interrupt:
            await self._screen.remark(f"sns: not posted: {_beginning(post)}")
            raise
        answer = self._session.submit(post)
        answer.add_done_callback(lambda a: a.cancelled() or a.exception())  # nobody may be left to look at it
        self._sent.put_nowait((post, answer))
        self._unanswered += 1

    async def _read(self, began: int) -> None:
        old = (await self._client.history(self._user, newest=course.BACKLOG_POSTS))[-course.BACKLOG_POSTS :]
        # On a terminal the newest stands next to what comes; the course's client has it first.
        await self._show(old if self._screen.interactive else old[::-1])
        self._caught_up.set()
        async with aclosing(self._client.timeline_batches(self._user, old[-1].position if old else began)) as batches:
            async for batch in batches:
                await self._show(batch)

    async def _show(self, posts: list[TimelinePost]) -> None:
        if posts:
            await self._screen.show("\n".join(course.post(post) for post in posts))

    async def _settle(self) -> None:
        while True:
            post, answer = await self._sent.get()
            try:
                await asyncio.wait((answer,))
                if error := refusal(post, answer.result().outcome):
                    raise error
            except SnsError as e:
                await self._failed(e, f"{'not' if e.definite else 'perhaps not'} posted: {_beginning(post)}")
            self._unanswered -= 1
            self._sent.task_done()

    async def _failed(self, error: SnsError, what: str) -> None:
        self.status = max(self.status, running.status_of(error))
        await self._screen.remark(f"sns: {what}: {error}")

    async def _while_well(self, work: Coroutine[None, None, T]) -> T:
        """Does `work`. Raises _Lost if something in the background fails before its end."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait((task, *self._background), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                for ended in self._background:
                    if ended.done():
                        ended.result()
        except SnsError as e:
            raise _Lost(e) from None
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        return task.result()


def _beginning(post: Post) -> str:
    text = post.texts[0]
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}...")
