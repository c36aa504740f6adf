"""A consensus member with threads of its own: it never waits for Python, and Python never waits for it.

One `Node` per process. Its threads hold no GIL and run no Python. `fileno()` is readable when `poll` has something; all
other methods return at once.
"""

from collections.abc import Mapping, Sequence
from typing import Final

FSYNC: Final[bool]
"""False only in a build made to show that the power-cut test notices."""

FOLLOWER: Final[int]
PRE_CANDIDATE: Final[int]
CANDIDATE: Final[int]
LEADER: Final[int]
"""Roles; the numbers of tinysns.v1.Role."""

class Unusable(Exception):
    """The log, or log and state together, cannot be used as they are: this member must not vote. A sentence."""

class InUse(Exception):
    """Another process has this log open. A sentence."""

class CannotListen(Exception):
    """The address of the links is taken or not this host's. A sentence."""

class Overloaded(Exception):
    """So much waits already that this is refused; it certainly has no effect. A sentence."""

def found(path: str, voters: Sequence[int]) -> None:
    """Writes the record that each founding member starts from, on disk when it returns. Raises Unusable if the log is
    in use already (its members are in the sentence), unless it was founded with just these and never used: that is
    the rest of a founding that was interrupted, and nothing happens."""

class Disk:
    """What the data disk is good for."""

    GOOD: Final[int]
    SCARCE: Final[int]
    """Less than reserve_bytes (or too few inodes) are free: it follows, but must not lead."""
    FULL: Final[int]
    """Nothing must be written any more."""
    STALLED: Final[int]
    """A log write has been in its system call for too long."""

class View:
    """Who leads, as far as this member knows."""

    role: int
    leader: int
    """0 while none is known."""
    term: int

class Committed:
    """Consecutive committed entries."""

    entries: list[tuple[int, bytes]]
    """(index, serialised tinysns.v1.Entry), in log order. Entries of raft's own are left out."""
    index: int
    """Where the log stands behind them."""

class Reads:
    """These reads may be answered once the state has applied `index`."""

    tickets: list[int]
    index: int

class StateWanted:
    """This member is too far behind: get the state at `index` or later from another one, then call `installed`."""

    index: int

class Health:
    """The disk became better or worse."""

    disk: int
    """One of Disk."""
    stalled_seconds: float
    free_bytes: int
    free_inodes: int

class Contact:
    """A link to a peer is there, or is gone."""

    peer: int
    up: bool
    incarnation: int

class Compacted:
    """A compaction is on disk, and old files of the log were given back."""

class Note:
    """For the journal: what happened in the consensus threads, after the fact."""

    text: str
    warning: bool

Event = View | Committed | Reads | StateWanted | Health | Contact | Compacted | Note

class Status:
    """Where this member stands; for people."""

    role: int
    leader: int
    term: int
    first: int
    last: int
    commit: int
    handed_out: int
    pending: int
    pending_bytes: int
    local: int
    """Proposals taken while this member led, since it was started."""
    forwarded: int
    fsyncs: int
    turns: int
    wakes: int
    """How often Python was woken."""
    fsync_usual_ms: float
    """What a log write took lately."""
    log_bytes: int
    free_bytes: int
    free_inodes: int

class Node:
    """See the module.

    `listen`: "ip:port" of this member's links. `peers`: the same of all members, itself included, in the order of
    succession. `path`: folder of the log. `applied`, `installed`: where the state stands, and where the copy stood that
    it began from (0: empty). `durations_ms`: see native/member/src/timing.rs for names and relations; unknown names and
    durations that do not fit are a ValueError.
    Raises Unusable, InUse, CannotListen.
    """

    def __init__(
        self,
        path: str,
        node: int,
        listen: str,
        peers: Mapping[int, str],
        cluster_id: str,
        incarnation: int,
        applied: int,
        installed: int,
        *,
        reserve_bytes: int = 0,
        stuck_seconds: float = 30.0,
        durations_ms: Mapping[str, float] | None = None,
        file_mb: int = 16,
        keep_mb: int = 64,
    ) -> None: ...
    def fileno(self) -> int:
        """For the event loop's add_reader."""
    def poll(self, max_bytes: int = ...) -> list[Event]:
        """What has happened, in order, with at most about so many bytes of entries. What is left makes `fileno`
        readable again. Beyond a limit, what is not taken is kept as indexes only and read from the log when it is
        asked for."""
    def propose(self, commands: Sequence[bytes]) -> None:
        """Puts these into the log through whoever leads, now or later, in this order and behind all earlier ones of
        this node, perhaps more than once each. They come back in `Committed` entries. Raises Overloaded, and ValueError
        for one of more than 1 MiB: none was taken."""
    def read_index(self) -> int:
        """The ticket of a linearizable read; it comes back in `Reads`."""
    def lazy(self, milliseconds: float) -> None:
        """How long committed entries may wait before Python is woken for them, if it has nothing proposed and no read
        among them. 0 when somebody watches."""
    def installed(self, index: int) -> None:
        """The state that was wanted is durable at this index."""
    def compact(self, index: int, keep: int) -> None:
        """The state is durable up to `index`: the log may go but for `keep` entries before it."""
    def transfer(self) -> None:
        """Leadership should go to the best other member, if this one leads; a View says when."""
    def change(self, changes: Sequence[tuple[str, int]]) -> None:
        """As leader: proposes ("voter" | "learner" | "remove", node) changes of membership."""
    def members(self) -> tuple[list[int], list[int]]:
        """(voters, learners) in force."""
    def status(self) -> Status: ...
    def stop(self) -> None:
        """Ends the threads, closes links and log; returns when they have ended (on a stalled disk: when it returns)."""
