"""Settings of the three processes: read once from a TOML file that Ansible wrote, checked, then frozen.

One dataclass per group; each field has its unit in its name, its default and the reason for it. Unknown keys are
errors: a misspelt setting that silently keeps its default is worse than a process that does not start.
"""

import tomllib
from dataclasses import field
from pathlib import Path
from typing import TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

T = TypeVar("T")

DIALECTS = ("spring2019", "spring2020", "fall2022", "fall2023", "hw2")
"""The names of those in course/texts.py that can be chosen; a test compares the two."""

PROXY, MASTER = "proxy", "master"
"""Values of RoutingSettings.course_clients."""

_STRICT = ConfigDict(extra="forbid", frozen=True)

_NATIVE_ELECTION_MS = 400.0  # as in native/member/src/timing.rs; a test compares the two


class SettingsError(Exception):
    """The file cannot be used; str() is one sentence that says what to change."""


@dataclass(config=_STRICT)
class Member:
    """One master of the consensus group."""

    name: str  # the inventory name of its host
    node: int  # its id in the group, from 1, never used again for another member
    address: str  # "10.0.0.1:3011": literal, because a name look-up has no place in a failover
    slave: str  # "address:port" of the slave on the same host
    peers: str  # "address:port" where the consensus links of this master listen


@dataclass(config=_STRICT)
class Consensus:
    """Limits of the log, and durations of the consensus group; those that are not given are the native member's own
    (native/member/src/timing.rs, which also says how they must relate). The fast path of a failover uses none of them:
    they are for hangs and partitions."""

    keep_entries: int = 20_000  # log kept behind the state for members that were away for a moment
    compact_every_entries: int = 50_000
    election_ms: float | None = None  # silence of a leader before followers campaign
    heartbeat_ms: float | None = None
    disk_stall_ms: float | None = None  # a log write that does not return for so long means that this disk cannot lead

    @property
    def durations_ms(self) -> dict[str, float]:
        """Those that are given, by their names in timing.rs."""
        given = {"election": self.election_ms, "heartbeat": self.heartbeat_ms, "disk_stall": self.disk_stall_ms}
        return {name: ms for name, ms in given.items() if ms is not None}

    @property
    def election_seconds(self) -> float:
        """The one in force."""
        return (_NATIVE_ELECTION_MS if self.election_ms is None else self.election_ms) / 1000


@dataclass(config=_STRICT)
class MasterSettings:
    """/etc/tinysns/master.toml"""

    name: str
    listen: str
    data: Path  # holds the log and the state; its own disk is best
    runtime: Path  # lock and socket; lives as long as the host is up
    members: tuple[Member, ...]
    routers: tuple[str, ...]
    hold_seconds: float = 10.0  # how long a call without a deadline waits for a leader
    reserve_mb: int = 64  # less free space than this: hand leadership over
    # Python that has not run for so long gives leadership away. Longer than any collection or call; its slave kills it
    # after the same time (SlaveSettings).
    stuck_seconds: float = 30.0
    dialect: str = "spring2019"  # one of DIALECTS: the texts that clients of csce438.SNSService compare replies with
    single_login: bool = False  # whether a course client's user who has a timeline open here may not log in again
    consensus: Consensus = field(default_factory=Consensus)

    @property
    def me(self) -> Member:
        """This master's own entry."""
        return next(m for m in self.members if m.name == self.name)

    @property
    def node(self) -> int:
        """This master's own id in the group."""
        return self.me.node

    def __post_init__(self) -> None:
        _check_members(self.name, self.members)
        if self.dialect not in DIALECTS:
            raise ValueError(f"dialect is one of {', '.join(DIALECTS)}, not {self.dialect!r}")


@dataclass(config=_STRICT, kw_only=True)
class RoutingSettings:
    """How routers route: the router, and the deputies in the slaves. The same everywhere, but for `listen`."""

    listen: str
    policy: str = "available"  # or "balanced"
    # A master that says nothing for so long is not offered to clients. It speaks each 0.4 s; one that is only slow is
    # not worth a detour, and one that hangs costs a client one try.
    silence_seconds: float = 1.5
    # Where GetAvailable and its kin (routing/course_routes.py) send clients of the course: to the proxy of the router
    # that was asked, whose streams outlive masters, or "master": to the Available master, one hop less, until it dies.
    course_clients: str = PROXY
    hold_seconds: float = 10.0  # how long a call without a deadline, passed on by the proxy, waits for a master
    single_login: bool = False  # as the masters have it: clients that are gone without a word are let go soon
    seed: int | None = None  # of the choice between masters that are equally loaded; none: another one at each start

    def __post_init__(self) -> None:
        if self.policy not in ("available", "balanced"):
            raise ValueError(f"policy is 'available' or 'balanced', not {self.policy!r}")
        if self.course_clients not in (PROXY, MASTER):
            raise ValueError(f"course_clients is 'proxy' or 'master', not {self.course_clients!r}")


@dataclass(config=_STRICT)
class SlaveSettings:
    """/etc/tinysns/slave.toml"""

    name: str
    listen: str
    runtime: Path
    members: tuple[Member, ...]
    routers: tuple[str, ...]
    master_command: tuple[str, ...]  # what it executes to start its master
    restart_delay_seconds: float = 0.0  # the original assignment used 25
    silence_seconds: float = 3.0  # a master that says nothing for so long is killed and replaced
    stuck_seconds: float = 30.0  # the same for one whose heartbeats go on, but whose event loop does not run
    start_seconds: float = 60.0  # the same for one that has not said anything yet: replaying a long log takes time
    stop_seconds: float = 8.0  # between SIGTERM and SIGKILL when both are stopped in order
    deputy: RoutingSettings | None = None  # none on the router's host

    def __post_init__(self) -> None:
        _check_members(self.name, self.members)


@dataclass(config=_STRICT, kw_only=True)
class RouterSettings(RoutingSettings):
    """/etc/tinysns/router.toml"""

    name: str
    members: tuple[Member, ...]
    routers: tuple[str, ...]


def _check_members(name: str, members: tuple[Member, ...]) -> None:
    names, nodes = [m.name for m in members], [m.node for m in members]
    if len(set(names)) < len(names) or len(set(nodes)) < len(nodes) or min(nodes, default=0) < 1:
        raise ValueError("members need different names and different node ids from 1 on")
    if name not in names:
        raise ValueError(f"members must hold {name!r}, the name of this host; they are {', '.join(names) or 'empty'}")


def load(path: Path, kind: type[T]) -> T:
    """Reads `path` as `kind`. Raises SettingsError."""
    try:
        return TypeAdapter(kind).validate_python(tomllib.loads(path.read_text()))
    except OSError as e:
        raise SettingsError(f"cannot read {path}: {e.strerror}; it is written by ansible-playbook deploy.yml") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise SettingsError(f"{path} is not TOML: {e}") from e
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(x) for x in first["loc"]) or "the file"
        raise SettingsError(f"{path}: {where}: {first['msg']}") from e
