"""Downtime is the longest span between two successes that has anything to do with the fault."""

import dataclasses
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.checks.downtime import acknowledged_per_second, calm_ms, longest_ns, timeline_downtime_ms, writes_downtime_ms
from chaos.checks.summary import Summary, summarise
from chaos.history import ReaderHistory, WriterHistory
from tests.chaos.making import MS, READERS, WRITERS, S, with_deliveries


def silent(found: WriterHistory, begin_ms: int, end_ms: int) -> WriterHistory:
    """Without the acknowledgements in between."""
    writes = (w for w in found.writes if not begin_ms * MS < w.answered_ns < end_ms * MS)
    return dataclasses.replace(found, writes=tuple(writes))


def deaf(found: ReaderHistory, begin_ms: int, end_ms: int) -> ReaderHistory:
    """Without the deliveries in between."""
    return with_deliveries(found, [d for d in found.deliveries if not begin_ms * MS < d.at_ns < end_ms * MS])


def test_the_span_begins_before_the_fault_and_ends_behind_it() -> None:
    assert longest_ns([0, 90, 130, 140], 100, 200) == 60  # 140 to the end, nothing came any more
    assert longest_ns([0, 90, 130, 140, 150, 205], 100, 200) == 55
    assert longest_ns([0, 50, 110, 120, 130], 100, 125) == 60


def test_nothing_at_all_is_the_whole_window() -> None:
    assert longest_ns([], 100, 200) == 100


@given(st.lists(st.integers(0, 1000), max_size=50), st.integers(0, 900), st.integers(1, 100))
def test_the_span_is_what_looking_at_every_pair_finds(times: list[int], begin: int, length: int) -> None:
    times, end = sorted(times), begin + length
    ends = [] if times and times[0] <= begin else [begin]
    ends += [] if times and times[-1] >= end else [end]
    spans = [(a, b) for a, b in pairwise(sorted({*times, *ends})) if b > begin and a < end]
    assert longest_ns(times, begin, end) == max((b - a for a, b in spans), default=0)


def test_writes_without_a_pause_are_down_for_the_pace_of_their_writer() -> None:
    assert writes_downtime_ms(WRITERS, 300 * MS, 1000 * MS) == pytest.approx(5)


def test_the_worst_writer_counts() -> None:
    writers = (silent(WRITERS[0], 301, 306), silent(WRITERS[1], 301, 401))
    assert writes_downtime_ms(writers, 303 * MS, 1000 * MS) == pytest.approx(100)


def test_a_pause_before_the_fault_is_not_its_own() -> None:
    assert writes_downtime_ms((silent(WRITERS[0], 101, 201),), 300 * MS, 1000 * MS) == pytest.approx(5)


def test_a_follower_that_gets_nothing_while_posts_are_acknowledged_is_down() -> None:
    readers = (READERS[0], deaf(READERS[1], 302, 382))
    assert timeline_downtime_ms(readers, WRITERS, 300 * MS, 1000 * MS) == pytest.approx(80)


def test_a_span_in_which_nothing_was_acknowledged_does_not_count() -> None:
    assert longest_ns([0, 10, 90, 95], 5, 100, within=[92, 93]) == 5
    assert longest_ns([0, 10, 90, 95], 5, 100, within=[10, 90]) == 0
    assert longest_ns([0, 10, 90, 95], 5, 100, within=[50]) == 80


def test_fresh_reads_have_no_downtime() -> None:
    assert timeline_downtime_ms(READERS[2:], WRITERS, 300 * MS, 1000 * MS) == 0


def test_throughput_counts_all_writers() -> None:
    assert acknowledged_per_second(WRITERS, 0, S) == pytest.approx(400, abs=4)


def test_percentiles_are_measured_values() -> None:
    assert summarise([3.0, 1.0, 2.0]) == Summary(3, 1.0, 2.0, 3.0, 3.0)
    assert summarise([float(n) for n in range(1, 201)]) == Summary(200, 1.0, 100.0, 198.0, 200.0)


def test_calm_ends_at_the_fault() -> None:
    writers = (silent(WRITERS[0], 101, 151), silent(WRITERS[1], 299, 901))
    assert calm_ms(writers, 0, 300 * MS) == pytest.approx(50)
