"""Processes of a benchmark: started so that none outlives it, however it ends; ended by their own pid."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from chaos.errors import CannotRun

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_END_SECONDS = 15.0


def start(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    log: Path | None = None,
    talks: bool = False,
) -> "subprocess.Popen[str]":
    """In a session of its own, so that Ctrl-C is ours to handle; the kernel ends it (SIGTERM) should we be killed.

    `log`: where what it says goes; `talks`: by pipes instead, see `ask`. Raises CannotRun.
    """
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    setpriv = shutil.which("setpriv")
    prefix = (setpriv, "--pdeathsig", "TERM", "--") if setpriv else ()
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("ab")) if log else subprocess.DEVNULL
        try:
            return subprocess.Popen(
                (*prefix, *command),
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else output,
                stderr=output if log else None,
                cwd=cwd,
                env=environment,
                start_new_session=True,
                text=True,
            )
        except OSError as e:
            raise CannotRun(f"cannot execute {command[0]}: {e.strerror}") from e


def start_module(module: str, *arguments: str) -> "subprocess.Popen[str]":
    """A Python module of this checkout that talks by pipes."""
    return start((sys.executable, "-m", module, *arguments), talks=True)


def ask(process: "subprocess.Popen[str]", words: str = "") -> str:
    """Says `words`, if any, and returns the line that is answered. Raises CannotRun if the process has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        if words:
            process.stdin.write(words + "\n")
            process.stdin.flush()
    if not (line := process.stdout.readline()):
        raise CannotRun(f"a process of the benchmark ended early (exit status {process.wait()}); see above")
    return line.strip()


def stop(number: int, _: object = None) -> None:
    """The handler of all interruptions: says which one it is, and ends what runs as Ctrl-C does."""
    print(f"bench-loopback: {signal.Signals(number).name}", file=sys.stderr)
    raise KeyboardInterrupt


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Whoever interrupts is heard behind the block, so that what ends processes is done first. For the main thread."""
    heard: list[int] = []
    handlers = {number: signal.signal(number, lambda got, _: heard.append(got)) for number in INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if heard:
            stop(heard[0])


def end(processes: Sequence["subprocess.Popen[str]"]) -> None:
    """SIGTERM to all, SIGKILL to those that do not go."""
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def end_all_with(argument: str) -> None:
    """SIGKILLs the processes that have this in their command line: masters whose slave was not there to end them."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if argument.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                    os.kill(int(entry.name), signal.SIGKILL)
