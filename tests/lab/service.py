"""The deployed service as tests see it: its hosts over SSH, its processes and clients through `inside.py`."""

import contextlib
import json
import secrets
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import TypeAdapter

from tests.lab.inside import ADDRESSES, Traffic
from tinysns.client.status import ClusterStatus, MasterState, RouterState, SlaveState

REPOSITORY = Path(__file__).resolve().parents[2]
LAB = str(REPOSITORY / "lab/hosts")
HOSTS = tuple(ADDRESSES)
SLAVE, ROUTER = "tinysns-slave", "tinysns-router"
DATA = "/srv/data"

_STATUS = TypeAdapter(ClusterStatus)
_TRAFFIC = TypeAdapter(Traffic)
_DIGESTS = TypeAdapter(list[tuple[int, str]])
_COURSE = TypeAdapter(tuple[str, list[str]])
_NEWCOMER = TypeAdapter(tuple[str, list[str]])
_TEXTS = TypeAdapter(list[str])
_ANSWER_SECONDS = 600.0


class Failed(Exception):
    """A command, or a request to the service, did not do what it should; str() says everything."""


@dataclass(frozen=True)
class Seen:
    """All processes at one moment, by the names of their hosts."""

    status: ClusterStatus

    @property
    def router(self) -> RouterState:
        return self.status.routers[0]

    def master(self, host: str) -> MasterState:
        return self.status.masters[HOSTS.index(host)]

    def slave(self, host: str) -> SlaveState:
        return self.status.slaves[HOSTS.index(host)]

    @property
    def leader(self) -> str:
        """The name of its host; empty while there is none."""
        leader = self.status.leader
        return leader.name if leader is not None and leader.serving else ""

    @property
    def term(self) -> int:
        """The newest that any master knows."""
        return max(master.term for master in self.status.masters)


class Inside:
    """One process of `inside.py`; a context manager."""

    def __enter__(self) -> Self:
        command = [LAB, "exec", sys.executable, "-m", "tests.lab.inside"]
        self._process = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, request: str, **arguments: str | bool) -> object:
        """Raises Failed."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps([request, arguments]) + "\n")
        stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            if not selector.select(_ANSWER_SECONDS):
                raise Failed(f"{request}: no answer within {_ANSWER_SECONDS:g} s")
        line = stdout.readline()
        if not line:
            raise Failed(f"{request}: {LAB} exec ended with status {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(f"{request}: {answer['error']}")
        return answer["result"]


@dataclass(frozen=True)
class Load:
    """Real clients at work: a writer that posts all the time, and a follower."""

    run: str
    _inside: Inside

    def traffic(self) -> Traffic:
        return _TRAFFIC.validate_python(self._inside.ask("traffic"))

    def end(self) -> Traffic:
        return _TRAFFIC.validate_python(self._inside.ask("end"))

    def goes_on(self, posts: int = 50) -> None:
        """Waits until so many more posts are acknowledged, and as many received."""
        before = self.traffic()

        def enough() -> bool:
            now = self.traffic()
            acknowledged = len(now.acknowledged) >= len(before.acknowledged) + posts
            return acknowledged and len(now.received) >= len(before.received) + posts

        wait_until(enough, lambda: f"no {posts} posts more; the clients say {self.traffic().failures}")


def wait_until(condition: Callable[[], bool], what: Callable[[], str], seconds: float = 300.0) -> None:
    """Looks often: no event tells from here. Raises Failed with `what` at the deadline."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"not within {seconds:g} s: {what()}")
        time.sleep(0.05)


class Service:
    """What a test may do to the deployed service, and see of it."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside

    # -- looking -----------------------------------------------------------------------------------------------------

    def look(self) -> Seen:
        return Seen(_STATUS.validate_python(self._inside.ask("status")))

    def until(self, condition: Callable[[Seen], bool], what: str, seconds: float = 300.0) -> Seen:
        """What was seen when the condition was met. Raises Failed, with all that is not well, at the deadline."""
        seen: list[Seen] = []

        def met() -> bool:
            seen[:] = [self.look()]
            return condition(seen[0])

        wait_until(met, lambda: f"{what}; {'; '.join(seen[0].status.troubles()) or 'all is well'}", seconds)
        return seen[0]

    def leader(self) -> str:
        """The host of the Available master."""
        return self.until(lambda seen: seen.leader != "", "a master leads").leader

    def standby(self) -> str:
        """The last host whose master stands by."""
        leader = self.leader()
        return next(host for host in reversed(HOSTS) if host != leader)

    def healthy(self, seconds: float = 300.0) -> Seen:
        """Waits until all is well. Raises Failed with the status and the journals."""
        try:
            return self.until(lambda seen: not seen.status.troubles(), "all processes are well", seconds)
        except Failed as e:
            raise Failed(f"{e}\n{self.explain()}") from None

    def explain(self) -> str:
        """`sns status`, and the journals of all hosts."""
        status = run(LAB, "ssh", "h2", "sns status 2>&1", check=False)
        journal = f"journalctl --unit={SLAVE} --unit={ROUTER} --lines=30 --no-pager --output=short-precise"
        journals = [f"--- {host}\n{run(LAB, 'ssh', host, journal, check=False)}" for host in HOSTS]
        return "\n".join([status, *journals])

    def digests(self) -> list[tuple[int, str]]:
        """(applied index, SHA-256) of each master."""
        return _DIGESTS.validate_python(self._inside.ask("digests"))

    def history(self, host: str, load: Load) -> list[str]:
        """What a new client reads from the master of this host."""
        return _TEXTS.validate_python(self._inside.ask("history", master=host, run=load.run))

    def course(self, host: str, user: str) -> tuple[str, list[str]]:
        """What a client of the course's interface gets from this master: the answer to Login, and all users of List."""
        return _COURSE.validate_python(self._inside.ask("course", master=host, user=user))

    def newcomer(self, user: str) -> tuple[str, list[str]]:
        """A new client logs in; (what came of it, the Available master as each deputy router names it)."""
        return _NEWCOMER.validate_python(self._inside.ask("newcomer", user=user))

    # -- doing -------------------------------------------------------------------------------------------------------

    def on(self, host: str, script: str) -> str:
        """What a shell command printed there. Raises Failed."""
        return run(LAB, "ssh", host, script)

    def on_all(self, script: str, stdin: Path = Path("/dev/null")) -> None:
        """The same on all hosts at once. Raises Failed."""
        with ThreadPoolExecutor(len(HOSTS)) as pool:
            list(pool.map(lambda host: run(LAB, "ssh", host, script, stdin=stdin), HOSTS))

    def signal(self, host: str, pid: int, name: str) -> None:
        self.on(host, f"sudo kill -{name} {pid}")

    def kill_unit(self, host: str, unit: str) -> None:
        """SIGKILLs its main process only."""
        self.on(host, f"sudo systemctl kill --kill-whom=main -s KILL {unit}")

    def power_cut(self, *hosts: str) -> None:
        """One at a time, as fast as the lab can."""
        with ThreadPoolExecutor(len(hosts)) as pool:
            list(pool.map(lambda host: run(LAB, "power-cut", host), hosts))

    def boot(self, *hosts: str) -> None:
        for host in hosts:
            run(LAB, "boot", host)

    @contextlib.contextmanager
    def clients(self, *, reads_from: str = "", flood: bool = False) -> Iterator[Load]:
        """Clients at work, whose outcome nobody judges; they end with the block.

        `reads_from`: the only master that the follower may read from. `flood`: as many log entries as it can.
        """
        with Inside() as inside:
            load = Load(f"run{secrets.token_hex(4)}", inside)
            inside.ask("begin", run=load.run, reads_from=reads_from, flood=flood)
            load.goes_on()
            yield load

    @contextlib.contextmanager
    def load(self, *, reads_from: str = "", flood: bool = False) -> Iterator[Load]:
        """Clients at work. At the end of the block they carry on a moment, all becomes well, and nothing was lost."""
        with self.clients(reads_from=reads_from, flood=flood) as load:
            yield load
            load.goes_on()
            self.healthy()
            self.nothing_is_lost(load)

    def nothing_is_lost(self, load: Load) -> None:
        """Every acknowledged post is there once and in order: for the follower, and for a new client of each master."""
        traffic = load.end()
        assert traffic.failures == []
        assert traffic.received == traffic.acknowledged
        for host in HOSTS:
            assert self.history(host, load) == traffic.acknowledged, f"a new client of {host} reads something else"
        found: list[tuple[int, str]] = []

        def at_one_position() -> bool:
            found[:] = self.digests()
            return len({applied_index for applied_index, _ in found}) == 1

        wait_until(at_one_position, lambda: f"all masters at one position: {found}")
        assert len(set(found)) == 1, f"equal positions, different states: {found}"


def run(*command: str, check: bool = True, seconds: float = 180.0, stdin: Path = Path("/dev/null")) -> str:
    """Its output, without a terminal. Raises Failed if it fails and that is checked."""
    words: Sequence[str] = command
    try:
        with stdin.open("rb") as input_:
            done = subprocess.run(
                words, cwd=REPOSITORY, stdin=input_, capture_output=True, text=True, timeout=seconds, check=False
            )
    except subprocess.TimeoutExpired:
        raise Failed(f"`{' '.join(words)}` did not end within {seconds:g} s") from None
    if check and done.returncode:
        raise Failed(f"`{' '.join(words)}` ended with status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + (done.stderr if not check else "")
