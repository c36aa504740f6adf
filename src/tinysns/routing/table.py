"""What is known of each master, and who is the Available one: the leader that the newest term names.

The table never contradicts the consensus group, it only learns from it. Time comes in from outside, monotonic.
"""

from dataclasses import dataclass


class ForeignCluster(Exception):
    """A master of another cluster reports here; str() says what to check."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a master says of itself."""

    address: str
    name: str
    incarnation: int
    serving: bool
    leader: str  # address, "" if it knows none
    term: int
    open_streams: int
    cluster_id: str
    rank: int  # its place in the configured list, from 1


@dataclass(slots=True)
class Known:
    """A master in the table."""

    report: Report
    connected: bool
    heard_at: float


@dataclass(frozen=True, slots=True)
class Leadership:
    """The Available master: its address ("" if there is none) and the term in which it leads."""

    address: str = ""
    term: int = 0


class Table:
    """The masters that have reported, in configured order."""

    def __init__(self, silence_seconds: float) -> None:
        self._silence_seconds = silence_seconds
        self._known: dict[str, Known] = {}
        self._leadership = Leadership()
        self._cluster_id = ""

    def heard(self, report: Report, now: float) -> None:
        """A master lives and says this. Raises ForeignCluster."""
        self._check_cluster(report)
        known = self._known.get(report.address)
        if known is not None and report.incarnation < known.report.incarnation:
            return  # the last words of a process that has been replaced
        self._known[report.address] = Known(report, connected=True, heard_at=now)
        if report.leader and report.term >= self._leadership.term:
            self._leadership = Leadership(report.leader, report.term)

    def lost(self, address: str, incarnation: int) -> None:
        """The stream of that master ended, or it was announced dead."""
        known = self._known.get(address)
        if known is None or known.report.incarnation != incarnation:
            return
        known.connected = False
        if self._leadership.address == address:
            self._leadership = Leadership("", self._leadership.term)

    def died(self, name: str, incarnation: int) -> None:
        """An obituary."""
        for known in self._known.values():
            if known.report.name == name:
                self.lost(known.report.address, incarnation)

    def live(self, now: float) -> list[Report]:
        """Those that clients may be sent to, in configured order."""
        fresh = [k.report for k in self._known.values() if self._is_live(k, now)]
        return sorted(fresh, key=lambda r: (r.rank, r.address))

    def leadership(self, now: float) -> Leadership:
        """The Available master, if it lives."""
        known = self._known.get(self._leadership.address)
        if known is None or not self._is_live(known, now):
            return Leadership("", self._leadership.term)
        return self._leadership

    def all(self, now: float) -> list[tuple[Report, bool]]:
        """Everything that ever reported, with whether it lives."""
        known = sorted(self._known.values(), key=lambda k: (k.report.rank, k.report.address))
        return [(k.report, k.connected and now - k.heard_at <= self._silence_seconds) for k in known]

    def _is_live(self, known: Known, now: float) -> bool:
        return known.connected and known.report.serving and now - known.heard_at <= self._silence_seconds

    def _check_cluster(self, report: Report) -> None:
        self._cluster_id = self._cluster_id or report.cluster_id
        if report.cluster_id and report.cluster_id != self._cluster_id:
            raise ForeignCluster(
                f"the master {report.name or report.address} is of cluster {report.cluster_id}, but this router serves"
                f" {self._cluster_id}; check its data directory and the inventory"
            )
