"""The verdict: one word with its reasons. "pass" is said only by a run that saw enough to be able to fail.

fail        an acknowledged post was lost, doubled or moved; or a killed process did not come back; or the kill of one
            process took another one with it
no verdict  nothing of that, but something that had to be seen was not
pass        neither
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from chaos.checks.delivery import Delivered, judge_delivery
from chaos.checks.downtime import acknowledged_per_second, calm_ms, timeline_downtime_ms, writes_downtime_ms
from chaos.history import ReaderHistory, WriterHistory
from chaos.plan import Plan
from chaos.record import FaultRecord, RunRecord, Window

LEAST_POSTS_PER_SECOND = 50.0


class Word(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    NO_VERDICT = "no verdict"


@dataclass(frozen=True, slots=True)
class JudgedFault:
    """A fault that was injected, and what clients saw of it."""

    fault: FaultRecord
    window: Window
    writes_ms: float
    timeline_ms: float
    calm_ms: float  # the longest wait of a writer in this window before the fault
    posts_per_second: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything that is said about a run."""

    word: Word
    reasons: tuple[str, ...]
    delivered: Delivered
    faults: tuple[JudgedFault, ...]


def judge(plan: Plan, record: RunRecord, writers: Sequence[WriterHistory], readers: Sequence[ReaderHistory]) -> Verdict:
    """Judges what was written down."""
    delivered = judge_delivery(writers, readers)
    faults = tuple(_judge_fault(fault, record, writers, readers) for fault in record.faults if fault.asked_ns)
    failures = [*_wrong_deliveries(delivered), *_not_recovered(record)]
    unseen = [*_unseen_faults(plan, record), *_idle_windows(record, writers), *_unseen_posts(record, writers, readers)]
    word = Word.FAIL if failures else Word.NO_VERDICT if unseen else Word.PASS
    return Verdict(word, (*failures, *unseen), delivered, faults)


def _judge_fault(
    fault: FaultRecord, record: RunRecord, writers: Sequence[WriterHistory], readers: Sequence[ReaderHistory]
) -> JudgedFault:
    window = next((w for w in record.windows if w.number == fault.window), None)
    if window is None:  # the runner ended in it
        last = max((w.answered_ns for writer in writers for w in writer.acknowledged), default=fault.done_ns)
        window = Window(fault.window, fault.asked_ns, max(last, fault.done_ns))
    end_ns = fault.recovered_ns or window.end_ns
    return JudgedFault(
        fault=fault,
        window=window,
        writes_ms=writes_downtime_ms(writers, fault.asked_ns, end_ns),
        timeline_ms=timeline_downtime_ms(readers, writers, fault.asked_ns, end_ns),
        calm_ms=calm_ms(writers, window.begin_ns, fault.asked_ns),
        posts_per_second=acknowledged_per_second(writers, window.begin_ns, window.end_ns),
    )


def _wrong_deliveries(delivered: Delivered) -> list[str]:
    found = (
        (delivered.lost, "lost"),
        (delivered.duplicated, "doubled"),
        (delivered.disordered, "out of order"),
        (delivered.invented, "received that must not exist"),
    )
    return [
        f"{len(findings)} {_posts(len(findings))} {what}, the first is {findings[0].text}: {findings[0].sentence}"
        for findings, what in found
        if findings
    ]


def _not_recovered(record: RunRecord) -> list[str]:
    return [
        f"window {fault.window}, {fault.kind} of {fault.target} on {fault.host}: {fault.trouble}"
        for fault in record.faults
        if fault.asked_ns and fault.trouble
    ]


def _unseen_faults(plan: Plan, record: RunRecord) -> list[str]:
    found = [
        f"window {fault.window}: {fault.kind} of {fault.target} was not injected: {fault.trouble}"
        for fault in record.faults
        if not fault.asked_ns
    ]
    seen = {fault.window for fault in record.faults}
    missing = [n for n in range(1, len(plan.steps) + 1) if n not in seen]
    if missing:
        found.append(f"{len(missing)} of {len(plan.steps)} windows did not happen")
    if not plan.steps:
        found.append("the plan has no faults")
    found += [
        f"window {fault.window}: the run ended before {fault.target} on {fault.host} was seen back"
        for fault in record.faults
        if fault.asked_ns and not fault.recovered_ns and not fault.trouble
    ]
    return found


def _idle_windows(record: RunRecord, writers: Sequence[WriterHistory]) -> list[str]:
    rates = ((w.number, acknowledged_per_second(writers, w.begin_ns, w.end_ns)) for w in record.windows)
    return [
        f"window {number}: only {rate:.0f} acknowledged posts/s, at least {LEAST_POSTS_PER_SECOND:.0f} are needed"
        for number, rate in rates
        if rate < LEAST_POSTS_PER_SECOND
    ]


def _unseen_posts(record: RunRecord, writers: Sequence[WriterHistory], readers: Sequence[ReaderHistory]) -> list[str]:
    found = list(record.troubles)
    cut = [name for name, ended in _endings(writers, readers) if not ended]
    if cut:
        found.append(f"the record of {', '.join(cut)} ends early")
    if not any(reader.live for reader in readers):
        found.append("no follower was there")
    unread = [host for host in record.masters if host not in record.reread]
    if unread or not record.masters:
        found.append(f"the timeline was not read again on {', '.join(unread) or 'any master'}")
    if not record.finished:
        found.append("the runner did not come to its end")
    return found


def _endings(writers: Sequence[WriterHistory], readers: Sequence[ReaderHistory]) -> list[tuple[str, bool]]:
    return [(w.name, w.ended) for w in writers] + [(r.name, r.ended) for r in readers]


def _posts(n: int) -> str:
    return "post was" if n == 1 else "posts were"
