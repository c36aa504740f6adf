"""The summary of a benchmark: percentiles, multiples of yardsticks, ratios to another commit; losses are no figures."""

import json
from pathlib import Path

import pytest

from chaos.bench.loopback.session import Lost, Sink
from chaos.bench.loopback.traffic import judge
from chaos.bench.measure import Measure
from chaos.bench.summary import entries, lines, ratios, write_summary
from chaos.checks.delivery import judge_delivery
from chaos.errors import CannotRun
from tests.chaos.making import READERS, WRITERS, with_deliveries

FLOOR = Measure("floor_kill", "ms", [4.0, 5.0, 90.0])
GAP = Measure("gap", "ms", [float(n) for n in range(1, 101)], of="floor_kill")


def test_an_entry_has_the_figures_and_multiples_of_the_floors_p50() -> None:
    found = entries([FLOOR, GAP])
    assert found["gap"] == {
        "unit": "ms",
        "runs": 100,
        "p50": 50.0,
        "p99": 99.0,
        "max": 100.0,
        "multiple_p50": 10.0,
        "multiple_p99": 19.8,
        "of": "floor_kill",
    }
    assert "of" not in found["floor_kill"]


def test_without_its_yardstick_a_measure_has_no_multiples() -> None:
    assert "multiple_p50" not in entries([GAP])["gap"]


def test_a_ratio_is_ours_by_theirs_where_both_have_something() -> None:
    ours = [Measure("a", "ms", [2.0]), Measure("b", "ms", [1.0]), Measure("only ours", "ms", [1.0])]
    theirs = [Measure("a", "ms", [4.0]), Measure("b", "ms", [0.0]), Measure("only theirs", "ms", [1.0])]
    assert ratios(ours, theirs) == {"a": 0.5}


def test_the_file_says_what_it_was_measured_against(tmp_path: Path) -> None:
    theirs = [Measure("gap", "ms", [25.0], of="floor_kill")]
    path = write_summary(tmp_path, [FLOOR], [GAP], commit="abc", theirs=theirs, notes=["fsyncs are not known"])
    found = json.loads(path.read_text())
    assert path == tmp_path / "summary.json"
    assert set(found) == {"floor_kill", "gap", "against", "notes"}
    assert found["against"]["commit"] == "abc"
    assert found["against"]["ratios"] == {"gap": 2.0}
    assert found["against"]["theirs"]["gap"]["multiple_p50"] == 5.0
    assert "floor_kill" not in found["against"]["theirs"]


def test_without_another_commit_nothing_is_said_of_one(tmp_path: Path) -> None:
    assert set(json.loads(write_summary(tmp_path, [], [GAP]).read_text())) == {"gap"}


def test_a_sink_joins_the_rounds_and_takes_the_middle_of_parts() -> None:
    sink = Sink()
    for leader in (1.0, 5.0, 2.0):
        sink.add("cpu", "ms", [leader + 1], parts={"leader": leader, "router": 1.0})
    sink.add("nothing", "ms", [])
    (measure,) = sink.measures()
    assert measure.values == [2.0, 6.0, 3.0]
    assert measure.parts == {"leader": 2.0, "router": 1.0}
    assert entries([measure])["cpu"]["parts"] == {"leader": 2.0, "router": 1.0}


def test_lines_tell_people_the_multiples_and_the_parts() -> None:
    cpu = Measure("cpu", "ms", [3.0], parts={"leader": 2.0})
    first, second, third, fourth = lines(entries([FLOOR, GAP, cpu]))
    assert "6" not in first
    assert "10.0 / 19.8 x floor_kill" in second
    assert third.startswith("cpu")
    assert fourth.strip() == "leader 2"


def test_figures_of_a_run_that_lost_a_post_are_refused() -> None:
    judge("run", judge_delivery(WRITERS, READERS), Path())
    short = with_deliveries(READERS[0], [d for d in READERS[0].deliveries if d.text != "r/w0/7"])
    with pytest.raises(Lost, match=r"run: 1 posts lost, e\.g\. r/w0/7: acknowledged at position"):
        judge("run", judge_delivery(WRITERS, (short, *READERS[1:])), Path())
    twice = with_deliveries(READERS[0], [*READERS[0].deliveries, READERS[0].deliveries[-1]])
    with pytest.raises(Lost, match="doubled"):
        judge("run", judge_delivery(WRITERS, (twice, *READERS[1:])), Path())


def test_a_run_without_a_post_says_nothing() -> None:
    with pytest.raises(CannotRun, match="not one post"):
        judge("run", judge_delivery((), ()), Path())
