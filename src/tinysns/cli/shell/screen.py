"""What the shell needs of a screen, and the plain one, for pipes and files on either side."""

import sys
from collections import deque
from collections.abc import Coroutine
from types import TracebackType
from typing import BinaryIO, ClassVar, Protocol, Self, TypeVar

from tinysns.cli.lines import Line, lines
from tinysns.cli.shell import course

T = TypeVar("T")


class EndOfInput(Exception):
    """Nothing more will be typed: end of a file, ^D, or the person said so."""


class Interrupt(Exception):
    """^C on a terminal."""


class Screen(Protocol):
    """To be used as a context, inside the event loop."""

    interactive: ClassVar[bool]  # a person sits in front of it

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def command(self) -> str:
        """The next line for the prompt. Raises EndOfInput, Interrupt, and Definite for what is not text."""

    async def post(self) -> str:
        """The next line of the timeline mode. Raises the same."""

    async def show(self, text: str) -> None:
        """An answer, or posts; above the line being typed, if there is one."""

    async def remark(self, sentence: str) -> None:
        """What does not belong to the answers: errors and notices."""

    async def interruptible(self, work: Coroutine[None, None, T]) -> T:
        """Does `work`. Raises Interrupt if the person does not want to wait for its end."""


class Plain:
    """Prints what the course's client would print, whatever it is connected to. ^C ends the process as usual."""

    interactive: ClassVar[bool] = False

    def __init__(self, stream: BinaryIO) -> None:
        self._batches = lines(stream)
        self._lines = deque[Line]()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    async def command(self) -> str:
        print(course.PROMPT, end="", flush=True)
        try:
            return await self.post()
        except EndOfInput:
            print(flush=True)  # whatever is printed next does not stand behind a prompt
            raise

    async def post(self) -> str:
        while not self._lines:
            try:
                self._lines.extend(await anext(self._batches))
            except StopAsyncIteration:
                raise EndOfInput from None
        return self._lines.popleft().text()

    async def show(self, text: str) -> None:
        print(text, flush=True)

    async def remark(self, sentence: str) -> None:
        print(sentence, file=sys.stderr, flush=True)

    async def interruptible(self, work: Coroutine[None, None, T]) -> T:
        return await work
