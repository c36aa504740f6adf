"""A terminal with `sns` in it: types, waits for what it shows, ends it whatever happens."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

SOURCE = Path(__file__).parents[2] / "src"
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")

# Then ^C is a signal. Not in a preexec_fn: a fork of a process that runs gRPC servers can hang.
_WITH_CONTROLLING_TERMINAL = """
import fcntl, runpy, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
runpy.run_module("tinysns.cli", run_name="__main__", alter_sys=True)
"""


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """For a `sns` of this tree whose times are UTC."""
    return os.environ | {"PYTHONPATH": str(SOURCE), "TERM": "xterm", "TZ": "UTC"} | dict(more)


class Terminal:
    """80 columns. `raw` is every byte that it got to see."""

    def __init__(self, *arguments: str, **more_environment: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WITH_CONTROLLING_TERMINAL, *arguments],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=environment(more_environment),
        )  # fmt: skip
        os.close(slave)
        self.raw = b""
        self._read_until = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._master)

    def type(self, text: str | bytes) -> None:
        os.write(self._master, text.encode() if isinstance(text, str) else text)

    def sees(self, text: str, seconds: float = 60.0) -> str:
        """Waits until it shows `text` behind what was waited for before; returns what stood between."""
        end = time.monotonic() + seconds
        while True:
            shown = self._shown()
            before, found, _ = shown.partition(text)
            if found:
                self._read_until += len(before) + len(found)
                return before
            left_seconds = end - time.monotonic()
            assert left_seconds > 0, f"not within {seconds} s: {text!r}; but {shown!r}"
            self._read(left_seconds)

    def runs(self, *arguments: str, **more_environment: str) -> None:
        """Runs another `sns` meanwhile."""
        command = [sys.executable, "-m", "tinysns.cli", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment(more_environment))

    def interrupt(self) -> None:
        """As ^C does while no line is being edited, from wherever it comes."""
        os.killpg(self._process.pid, signal.SIGINT)

    def ended(self, seconds: float = 60.0) -> int:
        """Waits for the end; returns the exit status."""
        end = time.monotonic() + seconds
        while self._process.poll() is None:
            assert time.monotonic() < end, f"still running; it shows {self._shown()!r}"
            self._read(0.05)
        return self._process.returncode

    def _shown(self) -> str:
        return _CONTROL.sub(b"", self.raw).decode(errors="replace")[self._read_until :]

    def _read(self, seconds: float) -> None:
        if select.select([self._master], [], [], seconds)[0]:
            try:
                self.raw += os.read(self._master, 65536)
            except OSError:  # EIO: the other side has closed it
                self._process.wait(60)
