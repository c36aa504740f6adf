"""The plan is the same for the same seed, and gives the Available master the most kills."""

import json
from collections import Counter
from pathlib import Path

import pytest

from chaos.errors import CannotRun
from chaos.plan import make_plan, read_plan


def test_the_same_seed_makes_the_same_plan() -> None:
    assert make_plan(7, 12, 30) == make_plan(7, 12, 30)
    assert make_plan(7, 12, 30) != make_plan(8, 12, 30)


def test_twelve_windows_kill_the_available_master_six_times_and_all_others_twice() -> None:
    targets = Counter(step.target for step in make_plan(3, 12, 30).steps)
    assert targets == {"available": 6, "standby": 2, "slave": 2, "router": 2}


def test_a_plan_can_be_read_from_its_file_and_from_a_report(tmp_path: Path) -> None:
    plan = make_plan(5, 4, 2.5)
    (tmp_path / "plan.json").write_text(plan.to_json())
    (tmp_path / "report.json").write_text(json.dumps({"verdict": "pass", "plan": json.loads(plan.to_json())}))
    assert read_plan(tmp_path / "plan.json") == plan
    assert read_plan(tmp_path / "report.json") == plan


@pytest.mark.parametrize("content", ["", "[]", '{"steps": 3}', '{"seed": 1, "window_seconds": 1, "steps": [{}]}'])
def test_what_is_not_a_plan_is_refused_in_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(CannotRun, match="is not a plan"):
        read_plan(tmp_path / "plan.json")
