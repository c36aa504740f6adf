"""What a router knows of the masters, from nothing but what they and the slaves tell it.

- A router never contradicts the consensus group. It learns the leader with its term, and the newest term wins.
- A master is off when its stream ends, when it falls silent, when a slave announces its death, and for as long as most
  of the other masters have no contact to it: the kernel tells them of a death before anybody else, and a living master
  that most others cannot reach has no quorum to serve with. The first two only mean that the router lost it: the same
  incarnation comes back by speaking again. What a dead one had said before is not heard any more when it arrives late.
- The leader's own word counts most: when it says that it does not lead any more, nobody does until a newer term, or
  until it says again that it does.
- The table is empty after a restart and fills from the masters' streams within a reconnect.

No clock and no IO: monotonic times come in.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Report:
    """What a master says about itself; see MasterState in router.proto."""

    address: str
    name: str = ""
    incarnation: int = 0
    serving: bool = False
    leader: str = ""
    term: int = 0
    open_streams: int = 0
    cluster_id: str = ""
    rank: int = 0
    lost_peers: tuple[tuple[str, int], ...] = ()
    """name and newest incarnation of each master that it has no contact to"""


@dataclass(frozen=True, slots=True)
class Known:
    """One master. `since`: when it was last connected or lost."""

    report: Report
    connected: bool
    since: float
    heard_at: float
    stream: int  # the stream on which it spoke last; an older one's end means nothing
    dead: bool = False  # nothing that comes on this stream, or on an older one, counts any more


class Refused(Exception):
    """This master must not be in the table; str() is one sentence that says why."""


class Table:
    """All masters that ever spoke. `on_change` is called after each change that a client could care about."""

    def __init__(self, silence_seconds: float, on_change: Callable[[], None]) -> None:
        self._silence_seconds = silence_seconds
        self._on_change = on_change
        self._known: dict[str, Known] = {}
        self._cluster_id = ""
        self._leader = ""
        self._term = 0

    def heard(self, report: Report, stream: int, at: float) -> None:
        """A master spoke on this stream. Raises Refused."""
        self._check(report)
        old = self._known.get(report.address)
        if old is not None and old.dead and stream <= old.stream:
            return  # said before it died, and overtaken by the obituary
        if old is not None and not report.name:
            report = old.report  # one that gives only its address says nothing new
        before = self._shape()
        connected_since = old.since if old is not None and old.connected else at
        self._known[report.address] = Known(report, True, connected_since, at, stream)
        self._learn_leader(report)
        self._tell(before)

    def ended(self, address: str, stream: int, at: float) -> None:
        """The stream has ended: its master has died, or the way to it is cut."""
        known = self._known.get(address)
        if known is not None and known.stream == stream:
            self._take_off((address,), at)

    def died(self, name: str, incarnation: int, at: float) -> None:
        """A slave says: this incarnation is dead."""
        for known in list(self._known.values()):
            if known.report.name == name and 0 < known.report.incarnation <= incarnation:
                self._take_off((known.report.address,), at, dead=True)

    def expire(self, at: float) -> None:
        """Takes off who was silent for too long."""
        silent = [k.report.address for k in self._speaking() if at - k.heard_at >= self._silence_seconds]
        self._take_off(silent, at)

    def forgive(self, at: float) -> None:
        """The router itself slept: nobody was silent, it just did not listen."""
        for known in list(self._speaking()):
            self._known[known.report.address] = replace(known, heard_at=at)

    def next_expiry(self) -> float | None:
        """When `expire` may have something to do."""
        return min((k.heard_at + self._silence_seconds for k in self._speaking()), default=None)

    def connected(self) -> Iterator[Known]:
        """Those that can be offered to clients, in the order in which they registered."""
        lost = self._lost_to_most()
        return (k for k in self._speaking() if k.report.address not in lost)

    def dead(self) -> Iterator[str]:
        """The addresses of those whose slaves or most of whose peers say so, until they speak again."""
        lost = self._lost_to_most()
        return (address for address, k in self._known.items() if k.dead or address in lost)

    def find(self, address: str) -> Known | None:
        """What is known of this one."""
        return self._known.get(address)

    def known(self) -> tuple[Known, ...]:
        """All, in the order of the configured list; those that are not in it behind, as they registered."""
        return tuple(sorted(self._known.values(), key=lambda k: k.report.rank or 1 << 32))

    @property
    def leader(self) -> str:
        """The Available master's address; empty while none is known to lead and to live."""
        return self._leader if any(k.report.address == self._leader for k in self.connected()) else ""

    @property
    def term(self) -> int:
        """The newest term in which a leader was heard of."""
        return self._term

    def _speaking(self) -> Iterator[Known]:
        return (k for k in self._known.values() if k.connected)

    def _lost_to_most(self) -> frozenset[str]:
        """The addresses of those to whom most of the others have no contact. None, if that would be all that speak: a
        network that falls into halves leaves nobody a quorum, and clients nobody better."""
        lost = frozenset(address for address, known in self._known.items() if self._is_lost_to_most(known))
        return lost if any(k.report.address not in lost for k in self._speaking()) else frozenset()

    def _is_lost_to_most(self, known: Known) -> bool:
        name, life = known.report.name, known.report.incarnation
        others = [k.report for k in self._speaking() if k is not known]
        words = sum(any(n == name and lost >= life > 0 for n, lost in other.lost_peers) for other in others)
        return 2 * words > len(others)

    def _check(self, report: Report) -> None:
        if not report.cluster_id:
            return
        if self._cluster_id and report.cluster_id != self._cluster_id:
            raise Refused(
                f"{report.address} is of cluster {report.cluster_id}, but this router routes for {self._cluster_id};"
                " remove one of them from the inventory, or restart the router if the old cluster is gone"
            )
        self._cluster_id = report.cluster_id

    def _learn_leader(self, report: Report) -> None:
        leads = report.leader == report.address
        if report.leader and (report.term > self._term or (report.term == self._term and leads and not self._leader)):
            self._leader, self._term = report.leader, report.term
        elif report.address == self._leader and not leads and report.term >= self._term:
            self._leader = ""

    def _take_off(self, addresses: Iterable[str], at: float, *, dead: bool = False) -> None:
        before = self._shape()
        for address in addresses:
            known = self._known[address]
            since = at if known.connected else known.since
            self._known[address] = replace(known, connected=False, since=since, dead=known.dead or dead)
        self._tell(before)

    def _shape(self) -> object:
        """What a route is made of, but for the load: that alone is no reason to send clients elsewhere."""
        return self.leader, self._term, sorted((k.report.address, k.report.serving) for k in self.connected())

    def _tell(self, before: object) -> None:
        if self._shape() != before:
            self._on_change()
