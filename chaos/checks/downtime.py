"""Downtime as clients saw it: the longest span between two successes of one that tried all the time.

A span counts for a fault if any of it lies between the fault and the moment when all was seen well again. So it
holds the wait before the fault, at most the clients' own pace, and whatever happened until the victim was back. A
machine that is short of CPU time makes spans without any fault: `calm_ms` says how long they were just before it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

from chaos.history import ReaderHistory, WriterHistory

_NS_PER_MS = 1e6


def writes_downtime_ms(writers: Sequence[WriterHistory], fault_ns: int, end_ns: int) -> float:
    """Over all writers the longest span between two successive acknowledgements of one of them."""
    spans_ns = [longest_ns(_acknowledged((writer,)), fault_ns, end_ns) for writer in writers]
    return max(spans_ns, default=0) / _NS_PER_MS


def calm_ms(writers: Sequence[WriterHistory], begin_ns: int, fault_ns: int) -> float:
    """What `writes_downtime_ms` would be without a fault: for the part of the window before it."""
    spans_ns = [
        longest_ns([at for at in _acknowledged((writer,)) if at <= fault_ns], begin_ns, fault_ns) for writer in writers
    ]
    return max(spans_ns, default=0) / _NS_PER_MS


def timeline_downtime_ms(
    readers: Sequence[ReaderHistory], writers: Sequence[WriterHistory], fault_ns: int, end_ns: int
) -> float:
    """Over all followers the longest span between two deliveries in which posts were acknowledged."""
    acknowledged = _acknowledged(writers)
    spans_ns = [
        longest_ns(sorted(d.at_ns for d in reader.deliveries), fault_ns, end_ns, within=acknowledged)
        for reader in readers
        if reader.live
    ]
    return max(spans_ns, default=0) / _NS_PER_MS


def longest_ns(successes: Sequence[int], begin_ns: int, end_ns: int, *, within: Sequence[int] | None = None) -> int:
    """The longest span between neighbours of the sorted `successes` that overlaps begin to end.

    Without a success before `begin_ns` (or behind `end_ns`) the span begins (ends) there. `within`: only spans that
    hold at least one of these instants, sorted too.
    """
    first = max(0, bisect_right(successes, begin_ns) - 1)
    last = bisect_left(successes, end_ns)
    points = list(successes[first : last + 1])
    if not points or points[0] > begin_ns:
        points.insert(0, begin_ns)
    if points[-1] < end_ns:
        points.append(end_ns)
    spans: Iterator[tuple[int, int]] = pairwise(points)
    if within is not None:
        spans = ((a, b) for a, b in spans if bisect_left(within, b) > bisect_right(within, a))
    return max((b - a for a, b in spans), default=0)


def _acknowledged(writers: Sequence[WriterHistory]) -> list[int]:
    return sorted(write.answered_ns for writer in writers for write in writer.acknowledged)


def acknowledged_per_second(writers: Sequence[WriterHistory], begin_ns: int, end_ns: int) -> float:
    """All writers together."""
    found = sum(begin_ns <= write.answered_ns < end_ns for writer in writers for write in writer.acknowledged)
    return found / max((end_ns - begin_ns) / 1e9, 1e-9)
