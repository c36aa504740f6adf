"""The screen for people: line editing, history, completion, and posts that appear above the line being typed.

The only module that knows prompt_toolkit. It asks the terminal nothing (no cursor position requests), so that it works
in every terminal and in expect scripts.
"""

import asyncio
import contextlib
import os
import signal
import sys
import termios
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app_or_none, run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.bindings.completion import display_completions_like_readline
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import CompleteStyle

from tinysns.cli.shell import course
from tinysns.cli.shell.names import Names
from tinysns.cli.shell.screen import EndOfInput, Interrupt

_POST_PROMPT = "> "
_VERBS = ("EXIT", "FOLLOW", "LIST", "QUIT", "TIMELINE", "UNFOLLOW")
_VERBS_WITH_NAME = ("FOLLOW", "UNFOLLOW")

T = TypeVar("T")


class _Input(Vt100Input):
    """Loses nothing that is typed ahead."""

    def attach(self, input_ready_callback: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
        """uvloop calls readers before what is scheduled already, so the first keys would be faster than the history."""
        loop = asyncio.get_running_loop()

        def ready() -> None:
            loop.call_soon(input_ready_callback)

        return super().attach(ready)

    def cooked_mode(self) -> contextlib.AbstractContextManager[None]:
        """While something is printed above the line, the terminal stays as it is and echoes nothing by itself."""
        return contextlib.nullcontext()


class Terminal:
    """To be used as a context, inside the event loop. Between two lines the terminal keeps what is typed, unseen."""

    interactive: ClassVar[bool] = True

    def __init__(self, names: Names) -> None:
        self._input = _Input(sys.stdin)
        output = Vt100_Output.from_pty(sys.stdout, term=os.environ.get("TERM"))
        output.enable_cpr = False
        self._names = names
        self._commands = PromptSession[str](
            _written_out(course.PROMPT),
            input=self._input,
            output=output,
            history=_history("commands"),
            completer=_Completer(names),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            key_bindings=_completion_keys(),
            interrupt_exception=Interrupt,
            eof_exception=EndOfInput,
        )
        self._posts = PromptSession[str](
            _written_out(_POST_PROMPT),
            input=self._input,
            output=output,
            history=_history("posts"),
            interrupt_exception=Interrupt,
            eof_exception=EndOfInput,
        )
        self._pasted = deque[str]()
        self._working: asyncio.Task[Any] | None = None  # what ^C ends while no line is being edited
        self._interrupted = False  # it came when there was nothing to end, behind a line of the timeline for example
        self._until_the_end = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._until_the_end.enter_context(self._input.raw_mode())
        modes = termios.tcgetattr(sys.stdin)
        modes[3] |= termios.ISIG  # lflag; while no line is being edited, ^C is a signal, not a key
        termios.tcsetattr(sys.stdin, termios.TCSANOW, modes)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        self._until_the_end.callback(loop.remove_signal_handler, signal.SIGINT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._until_the_end.close()

    async def command(self) -> str:
        while True:
            self._names.refresh()
            self._interrupted = False  # it was meant for a command that is done
            try:
                return await self._line(self._commands)
            except Interrupt:
                if not self._commands.default_buffer.text:  # else only the line begun is dropped, as in any shell
                    raise

    async def post(self) -> str:
        return await self._line(self._posts)

    async def show(self, text: str) -> None:
        await run_in_terminal(lambda: print(text, flush=True))

    async def remark(self, sentence: str) -> None:
        await self.show(sentence)

    async def interruptible(self, work: Coroutine[None, None, T]) -> T:
        task = asyncio.create_task(work)
        self._working = task
        try:
            await asyncio.wait((task,))
        finally:
            self._working = None
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if task.cancelled():
            raise Interrupt
        return task.result()

    async def _line(self, session: PromptSession[str]) -> str:
        """A paste may hold several."""
        if self._interrupted:
            self._interrupted = False
            raise Interrupt
        if not self._pasted:
            text = await session.prompt_async(handle_sigint=False)
            self._pasted.extend(text.split("\n"))
        return self._pasted.popleft()

    def _interrupt(self) -> None:
        """The signal. A line that was just accepted is not taken back."""
        app = get_app_or_none()
        if self._working:
            self._working.cancel()
        elif app and app.is_running and not app.is_done:
            app.exit(exception=Interrupt())
        else:
            self._interrupted = True


def _written_out(prompt: str) -> StyleAndTextTuples:
    """With a colour, be it the default one: else its last space is left to a move of the cursor, and expect scripts
    wait for it in vain."""
    return [("fg:ansidefault", prompt)]


def _completion_keys() -> KeyBindings:
    """^I as in readline; a verb that needs a name gets its space, too."""
    keys = KeyBindings()

    @keys.add("tab")
    def complete(event: KeyPressEvent) -> None:
        display_completions_like_readline(event)
        if event.current_buffer.text in _VERBS_WITH_NAME:
            event.current_buffer.insert_text(" ")

    return keys


class _Completer(Completer):
    def __init__(self, names: Names) -> None:
        self._names = names

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        verb, space, name = document.text_before_cursor.lstrip().partition(" ")
        begun = name.lstrip() if space else verb.upper()
        for candidate in self._names_for(verb.upper()) if space else _VERBS:
            if candidate.startswith(begun):
                yield Completion(candidate, start_position=-len(begun))

    def _names_for(self, verb: str) -> Sequence[str]:
        match verb:
            case "FOLLOW":
                return self._names.to_follow()
            case "UNFOLLOW":
                return self._names.to_unfollow()
            case _:
                return ()


class _FileHistory(FileHistory):
    """A file that cannot be read or written makes the shell forget, not fail."""

    def load_history_strings(self) -> Iterable[str]:
        with contextlib.suppress(OSError):
            return super().load_history_strings()
        return ()

    def store_string(self, string: str) -> None:
        with contextlib.suppress(OSError):
            super().store_string(string)


def _history(kind: str) -> History:
    """In $XDG_STATE_HOME/tinysns (XDG Base Directory Specification); what others post is never in it."""
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        folder = (Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state") / "tinysns"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / f"{kind}.history").touch(mode=0o600)
    except (OSError, RuntimeError):  # no home, or not ours: as long as the shell lives, then
        return InMemoryHistory()
    return _FileHistory(folder / f"{kind}.history")
