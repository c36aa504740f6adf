"""Consensus without a socket, a thread or a clock of its own: TiKV's raft over TiKV's raft-engine.

The owner of a group drives it like this, and the order is what safety rests on::

    while (ready := group.ready()) is not None:
        send(ready.messages)                    # may leave before the disk
        apply(ready.committed)                  # on the disks of a quorum
        log.write([ready.write])                # a worker thread; fsyncs without the GIL
        send(group.persisted(ready.write))      # votes and acknowledgements leave only now

Between ``ready`` and ``persisted`` the owner may tick, step, propose and take further readies: fsyncs pipeline.
A broken invariant ends the process (abort); it never becomes an exception.
"""

from collections.abc import Sequence
from typing import ClassVar, Final, Literal, final

FSYNC: Final[bool]
"""False in the build that never fsyncs. It exists to prove that a test notices; never deploy it."""

class RaftError(Exception):
    """Raft refused this call or this packet."""

class ProposalDropped(RaftError):
    """Not the leader, a transfer is running, or too much is uncommitted. Nothing was appended."""

class Compacted(RaftError):
    """The log was compacted at or beyond this index already."""

class NotFounded(RaftError):
    """The group is not in this log: it was never founded here, or the log was lost."""

class Corrupt(RaftError):
    """The log cannot be trusted. This member must not vote; it is rebuilt from the others, as a learner first."""

@final
class Log:
    """One log directory, which all groups of a process share: its files, its lock, its fsyncs."""

    @staticmethod
    def open(path: str, recovery: Literal["tail", "strict"] = "tail", file_mb: int = 64, keep_mb: int = 256) -> Log:
        """Opens a log directory, or makes one.

        ``recovery``: "tail" drops the torn end that a crash leaves in the newest file; "strict" refuses even that, and
        with it most logs of killed processes. ``file_mb``: size of one file. ``keep_mb``: from there on ``purge`` frees
        space. Raises OSError if the directory is in use or cannot be read, Corrupt if its files are damaged.
        """

    def found(self, id: int, voters: Sequence[int]) -> None:
        """Founds a group, durably and once.

        ``voters`` is the same on every founding member, and empty on a member that joins later. Raises RaftError if the
        group is in this log already, ValueError for a voter 0 or a duplicate, OSError from the disk.
        """

    def group(
        self, id: int, node: int, *, election: int = 30, heartbeat: int = 5, applied: int = 0, installed: int = 0
    ) -> Group:
        """Opens group ``id`` as its member ``node``; never founds it.

        ``election`` and ``heartbeat`` are in ticks. ``applied`` is the position that the state machine has reached
        durably (0: an empty one); nothing up to it is handed out again. ``installed`` is the position at which the
        state came from another member (0: it did not); only such a state may be ahead of the log.

        Raises NotFounded if the group is not in this log; Corrupt if its records do not fit, if the log begins after
        the state, or if it ends before it; RuntimeError if the group is open already.
        """

    def write(self, writes: Sequence[Write]) -> None:
        """Puts writes of any groups on disk: one append, and one fsync unless none of them needs it.

        For one thread at a time; the GIL is released meanwhile. Raises RuntimeError, without having written anything,
        for a write that is out of order or was written already. OSError from the disk is final: the process must end,
        all later writes fail too.
        """

    def purge(self) -> list[int]:
        """Gives the space of compacted entries back. Slow: for a worker thread.

        Returns the groups that hold old files; they should compact.
        """

    @property
    def size(self) -> int:
        """Bytes of the log's files in use."""

@final
class Write:
    """What one ``Ready`` or one ``compact`` has to put on disk. Opaque; written once, in order, with ``Log.write``."""

    @property
    def sync(self) -> bool:
        """False: nothing in it needs an fsync. It is passed to ``Log.write`` all the same."""

    @property
    def entries(self) -> int:
        """How many entries it appends."""

@final
class Ready:
    """What the owner of a group has to do now."""

    @property
    def role(self) -> int:
        """One of ``Group.FOLLOWER``, ``PRECANDIDATE``, ``CANDIDATE``, ``LEADER``."""

    @property
    def leader(self) -> int:
        """The member that leads, 0 while none is known."""

    @property
    def term(self) -> int: ...
    @property
    def messages(self) -> list[tuple[int, bytes]]:
        """``(peer, packet)``, one per peer, to be sent at once, before ``write`` is on disk.

        A leader's, and a candidate's requests for votes; the votes count once the candidate's own is on disk.
        """

    @property
    def snapshot(self) -> int | None:
        """The leader no longer has the entries that this member lacks, up to this index.

        Get a state of this index or later from another member and make it durable; only then write ``write``.
        """

    @property
    def committed(self) -> list[tuple[int, bytes]]:
        """``(index, data)`` to be applied in this order, after ``snapshot``.

        The first entry of a leader and changes of membership are left out, so indexes have gaps.
        """

    @property
    def applied(self) -> int:
        """The position of the state machine once ``committed`` is applied."""

    @property
    def reads(self) -> list[tuple[bytes, int]]:
        """``(context, index)``: a read asked for with this context may be answered once the state is at that index."""

    @property
    def write(self) -> Write:
        """To be passed to ``Log.write`` and then to ``Group.persisted``, always."""

@final
class Status:
    """Where a member stands."""

    @property
    def role(self) -> int: ...
    @property
    def leader(self) -> int:
        """0 while none is known."""

    @property
    def term(self) -> int: ...
    @property
    def commit(self) -> int: ...
    @property
    def applied(self) -> int:
        """What was handed out to be applied, or what the state had applied when the group was opened."""

    @property
    def first(self) -> int:
        """First entry in the log."""

    @property
    def last(self) -> int: ...

@final
class Progress:
    """Where a member stands, as the leader sees it."""

    @property
    def peer(self) -> int: ...
    @property
    def matched(self) -> int:
        """The last entry that it is known to have on disk."""

    @property
    def recently_active(self) -> bool:
        """It was heard of within the last election timeout."""

    @property
    def state(self) -> Literal["probe", "replicate", "snapshot"]: ...

@final
class Group:
    """One member of one Raft group. Not locked: for the owner's thread alone."""

    FOLLOWER: ClassVar[Literal[0]]
    PRECANDIDATE: ClassVar[Literal[1]]
    CANDIDATE: ClassVar[Literal[2]]
    LEADER: ClassVar[Literal[3]]

    def tick(self) -> bool:
        """One tick has passed. True: look for a ``ready``."""

    def step(self, packet: bytes) -> None:
        """Takes one packet from a peer.

        Raises RaftError for one that is garbled or cannot be true, ValueError above 64 MiB. The messages before the bad
        one are taken; the stream that it came from should be closed.
        """

    def ready(self) -> Ready | None:
        """What there is to do now, None if nothing. Call it until it says None."""

    def persisted(self, write: Write) -> list[tuple[int, bytes]]:
        """Tells raft that this write is on disk; returns the ``(peer, packet)`` that had to wait for it.

        Raises RuntimeError if it was not written yet, or not in order.
        """

    def propose(self, batch: Sequence[bytes]) -> tuple[int, int]:
        """Appends entries as leader, with consecutive indexes. Returns the first index, and the term.

        An entry was accepted only if it comes back in ``Ready.committed`` at its index, and the term is still the same.
        Raises ProposalDropped, ValueError for an empty entry.
        """

    def propose_conf(self, changes: Sequence[tuple[Literal["voter", "learner", "remove"], int]]) -> None:
        """Proposes a change of membership as leader; several at once go through joint consensus."""

    def campaign(self) -> None:
        """Starts an election with pre-vote: it deposes nobody unless it can win."""

    def campaign_now(self) -> None:
        """Starts an election without pre-vote, in which voters ignore the leader's lease.

        It deposes a live leader: only for one that is known to be dead.
        """

    def forget_leader(self, leader: int) -> None:
        """Forgets ``leader`` if it is the one, so that this member grants votes before the lease has run out."""

    def transfer_leader(self, to: int) -> None:
        """As leader, hands leadership over; needs no disk on this side. It may fail silently: watch the role."""

    def read_index(self, context: bytes) -> bool:
        """Asks for a read point, which comes back in ``Ready.reads``.

        False: nothing was asked, try again later. True is no promise: a change of leader loses the request.
        """

    def unreachable(self, peer: int) -> None:
        """Packets to this peer may have been lost."""

    def compact(self, index: int, keep: int = 1000) -> Write:
        """The state machine is durable up to ``index``: all but the ``keep`` entries before it may go.

        Followers that need older ones are told to fetch the state. Raises Compacted if a compaction reached ``index``
        before, ValueError if it is not applied yet.
        """

    def status(self) -> Status: ...
    def last(self) -> tuple[int, int]:
        """``(term, index)`` of the last entry: of two members the one with the greater can win against the other."""

    def progress(self) -> list[Progress]:
        """Where each member stands; known to the leader only."""

    def members(self) -> tuple[list[int], list[int]]:
        """``(voters, learners)`` in force, each in ascending order."""
