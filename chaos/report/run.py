"""A run as its directory tells it."""

from dataclasses import dataclass
from pathlib import Path

from chaos.checks.summary import Summary, summarise
from chaos.checks.verdict import Verdict
from chaos.history import ReaderHistory, WriterHistory
from chaos.plan import Plan
from chaos.record import RunRecord


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that was written down."""

    folder: Path
    plan: Plan
    record: RunRecord
    writers: tuple[WriterHistory, ...]
    readers: tuple[ReaderHistory, ...]

    def seconds(self, at_ns: int) -> float:
        """Since the traffic began."""
        return (at_ns - self.record.began_ns) / 1e9


@dataclass(frozen=True, slots=True)
class Downtime:
    """Of all faults of one target, in ms."""

    writes: Summary
    timeline: Summary


def downtimes(verdict: Verdict) -> dict[str, Downtime]:
    """By target, in the order in which they first came."""
    targets = dict.fromkeys(judged.fault.target for judged in verdict.faults)
    return {
        target: Downtime(
            summarise([judged.writes_ms for judged in verdict.faults if judged.fault.target == target]),
            summarise([judged.timeline_ms for judged in verdict.faults if judged.fault.target == target]),
        )
        for target in targets
    }
