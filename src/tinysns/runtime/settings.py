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


class SettingsError(Exception):
    """The file cannot be used; str() is one sentence that says what to change."""


@dataclass(config=_STRICT)
class Member:
    """One master of the consensus group."""

    name: str  # the inventory name of its host
    node: int  # its id in the group, from 1, never used again for another member
    address: str  # "10.0.0.1:3011": literal, because a name look-up has no place in a failover
    slave: str  # "address:port" of the slave on the same host


@dataclass(config=_STRICT)
class Consensus:
    """Timing of the consensus group. The fast path of a failover uses none of these: they are for hangs and
    partitions."""

    tick_ms: int = 10  # resolution of the two below
    election_ms: int = 300  # silence of a leader before followers campaign; CPU hogs caused no false change at 100
    heartbeat_ms: int = 50
    disk_stall_ms: int = 300  # a write in flight for longer means that this disk cannot lead
    keep_entries: int = 20_000  # log kept behind the state for members that were away for a moment
    compact_every_entries: int = 50_000


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
    dialect: str = "spring2019"  # one of DIALECTS: the texts that clients of csce438.SNSService compare replies with
    single_login: bool = False  # whether a course client's user who has a timeline open here may not log in again
    consensus: Consensus = field(default_factory=Consensus)

    @property
    def node(self) -> int:
        """This master's own id in the group."""
        return next(m.node for m in self.members if m.name == self.name)

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
