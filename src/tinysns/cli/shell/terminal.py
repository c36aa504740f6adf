"""The screen for people: line editing, history, completion, and posts that appear above the line being typed.

The only module that knows prompt_toolkit. It asks the terminal nothing (no cursor position requests), so that it works
in every terminal and in expect scripts.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
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


class Terminal:
    """Must be made and used inside the event loop."""

    interactive: ClassVar[bool] = True

    def __init__(self, names: Names) -> None:
        output = Vt100_Output.from_pty(sys.stdout, term=os.environ.get("TERM"))
        output.enable_cpr = False
        self._names = names
        self._commands = PromptSession[str](
            course.PROMPT,
            output=output,
            history=_history("commands"),
            completer=_Completer(names),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            key_bindings=_completion_keys(),
            enable_suspend=True,
            interrupt_exception=Interrupt,
            eof_exception=EndOfInput,
        )
        self._posts = PromptSession[str](
            _POST_PROMPT,
            output=output,
            history=_history("posts"),
            enable_suspend=True,
            interrupt_exception=Interrupt,
            eof_exception=EndOfInput,
        )
        self._pasted = deque[str]()

    async def command(self) -> str:
        while True:
            self._names.refresh()
            try:
                return await self._line(self._commands)
            except Interrupt:
                if not self._commands.default_buffer.text:  # else only the line begun is dropped, as in any shell
                    raise

    async def post(self) -> str:
        return await self._line(self._posts)

    async def _line(self, session: PromptSession[str]) -> str:
        if not self._pasted:
            self._pasted.extend((await session.prompt_async(handle_sigint=False)).split("\n"))
        return self._pasted.popleft()

    async def show(self, text: str) -> None:
        await run_in_terminal(lambda: print(text, flush=True))

    async def remark(self, sentence: str) -> None:
        await self.show(sentence)

    async def interruptible(self, work: Coroutine[None, None, T]) -> T:
        task = asyncio.ensure_future(work)
        with _on_sigint(task.cancel):
            await asyncio.wait((task,))
        if task.cancelled():
            raise Interrupt
        return task.result()


@contextlib.contextmanager
def _on_sigint(call: Callable[[], object]) -> Iterator[None]:
    """While no line is being edited, ^C is a signal, not a key."""
    before = signal.getsignal(signal.SIGINT)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, call)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)


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
