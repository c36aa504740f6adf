"""The runner's side of the traffic: starts the client processes, tells them when, and waits for them."""

import contextlib
import selectors
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos.errors import CannotRun
from chaos.traffic.writer import Pace

_READY_SECONDS = 30.0
_END_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """How many clients there are, and how hard they work."""

    writers: int = 3
    followers: int = 3
    pace: Pace = field(default_factory=Pace)


class Client:
    """One client process. It does not get the terminal's Ctrl-C: the runner tells it when to stop."""

    def __init__(self, name: str, arguments: Sequence[str], errors: Path) -> None:
        self.name, self._errors = name, errors
        with errors.open("w") as stderr:
            self._process = subprocess.Popen(
                (sys.executable, "-m", "chaos.traffic", *arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
                text=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_ready(self, seconds: float, word: str = "ready") -> None:
        """Raises CannotRun if it ends, or says nothing in time."""
        output = self._process.stdout
        assert output is not None
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            if not selector.select(seconds):
                raise CannotRun(
                    f"{self.name} was not ready within {seconds:.0f} s; is the service up? see `sns status`"
                )
        if output.readline().strip() != word:
            raise CannotRun(f"{self.name} could not begin: {self.last_words()}")

    def tell(self, words: str) -> None:
        """A client that has died meanwhile hears nothing; its history shows that."""
        with contextlib.suppress(BrokenPipeError):
            assert self._process.stdin is not None
            self._process.stdin.write(words + "\n")
            self._process.stdin.flush()

    def hang_up(self) -> None:
        """Says nothing any more."""
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def wait_end(self, seconds: float) -> str:
        """Empty, or one sentence that says how it failed."""
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return f"{self.name} did not end within {seconds:.0f} s and was killed"
        return f"{self.name} ended early: {self.last_words()}" if status else ""

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self.hang_up()
        if self._process.stdout:
            self._process.stdout.close()

    def last_words(self) -> str:
        """The last line of its standard error."""
        lines = self._errors.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it did not say why"


class Traffic:
    """All clients of a run. Use as a context manager: none outlives it."""

    def __init__(self, folder: Path, run: str, routers: Sequence[str], load: Load, followed_on: str = "") -> None:
        """`followed_on`: the master ("address:port") that followers read from; empty: where the routers send them."""
        self._folder, self._run, self._load = folder, run, load
        self._routers = [word for router in routers for word in ("--router", router)]
        self._only = ["--only", followed_on] if followed_on else []
        self.authors = [f"{run}-w{n}" for n in range(1, load.writers + 1)]
        self.users = [f"{run}-f{n}" for n in range(1, load.followers + 1)]
        self._writers: list[Client] = []
        self._followers: list[Client] = []

    def __enter__(self) -> "Traffic":
        (self._folder / "history").mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        for client in (*self._writers, *self._followers):
            client.kill()

    def start(self) -> None:
        """Authors log in, followers follow them, then the authors begin. Raises CannotRun."""
        pace = self._load.pace
        for n, author in enumerate(self.authors, 1):
            options = ["--run", self._run, "--author", author]
            options += ["--every-ms", str(pace.every_ms), "--window", str(pace.window)]
            self._writers.append(self._start("writer", n, options))
        self._wait_ready(self._writers)
        authors = [word for author in self.authors for word in ("--author", author)]
        for n, user in enumerate(self.users, 1):
            self._followers.append(self._start("follower", n, ("--user", user, *authors, *self._only)))
        self._wait_ready(self._followers)
        for writer in self._writers:
            writer.tell("go")

    def pids(self) -> dict[str, int]:
        """Of all clients: "writer 1", ..., "follower 1", ..."""
        return {client.name: client.pid for client in (*self._writers, *self._followers)}

    def move_followers(self, master: str) -> None:
        """Lets them go on from another master ("address:port"), behind what they have. Raises CannotRun."""
        for follower in self._followers:
            follower.tell(f"on {master}")
            follower.wait_ready(_READY_SECONDS, "moved")

    def stop_writers(self) -> list[str]:
        """Ends the writers, with the answers that were still out. Returns what went wrong."""
        for writer in self._writers:
            writer.tell("stop")
        return _wait_end(self._writers)

    def stop_followers(self, last_position: int) -> list[str]:
        """Ends the followers once they have seen that position. Returns what went wrong."""
        for follower in self._followers:
            follower.tell(f"until {last_position}")
        return _wait_end(self._followers)

    def abandon(self) -> list[str]:
        """Closes the line to all clients, as the runner's death would. Returns their last words."""
        clients = (*self._writers, *self._followers)
        for client in clients:
            client.hang_up()
        return _wait_end(clients)

    def _start(self, kind: str, n: int, options: Sequence[str]) -> Client:
        history = self._folder / "history" / f"{kind}-{n}.jsonl"
        arguments = (kind, *self._routers, *options, "--history", str(history))
        return Client(f"{kind} {n}", arguments, self._folder / "history" / f"{kind}-{n}.stderr")

    def _wait_ready(self, clients: Sequence[Client]) -> None:
        end = time.monotonic() + _READY_SECONDS
        for client in clients:
            client.wait_ready(max(0.1, end - time.monotonic()))


def _wait_end(clients: Sequence[Client]) -> list[str]:
    end = time.monotonic() + _END_SECONDS
    return [trouble for client in clients if (trouble := client.wait_end(max(0.1, end - time.monotonic())))]
