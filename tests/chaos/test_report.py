"""The reports come from the run directory alone, whole or torn."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from click.testing import CliRunner

from chaos.checks.verdict import Word
from chaos.cli import cli
from chaos.errors import CannotRun
from chaos.report import build, publish
from tests.chaos.making import PLAN, RECORD, append, write_run


def test_report_json_says_what_programs_need(tmp_path: Path) -> None:
    write_run(tmp_path)
    _, verdict = build(tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    assert verdict.reasons == ()
    assert report["verdict"] == "pass"
    assert (report["acknowledged"], report["lost"], report["duplicated"]) == (800, 0, 0)
    first = report["faults"][0]
    assert {key: first[key] for key in ("kind", "target", "host", "at_seconds")} == {
        "kind": "kill", "target": "available", "host": "h1", "at_seconds": 0.3,
    }  # fmt: skip
    assert first["downtime_ms"] == {"writes": 5.0, "timeline": 5.0}
    assert first["proof"]["after"] == {"pid": 4, "incarnation": 3, "term": 4}
    assert report["downtime_ms"]["slave"] == {"runs": 1, "min": 5.0, "p50": 5.0, "p99": 5.0, "max": 5.0}
    assert report["plan"] == json.loads(PLAN.to_json())


def test_the_page_needs_no_other_file_and_names_every_fault(tmp_path: Path) -> None:
    write_run(tmp_path)
    build(tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "<svg" in page
    assert "src=" not in page
    assert 'href="http' not in page
    assert all(fault.target in page for fault in RECORD.faults)


def test_junit_has_a_test_for_each_fault_the_posts_and_the_whole(tmp_path: Path) -> None:
    write_run(tmp_path)
    build(tmp_path)
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "0", "0")


def test_what_a_crashed_runner_left_can_be_reported_but_does_not_pass(tmp_path: Path) -> None:
    write_run(tmp_path)
    for name in ("run.jsonl", "history/writer-1.jsonl", "history/follower-1.jsonl"):
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text[: len(text) * 2 // 3])  # torn within a line
    _, verdict = build(tmp_path)
    assert verdict.word is Word.NO_VERDICT
    assert "the runner did not come to its end" in verdict.reasons
    assert not verdict.delivered.lost


def test_a_run_that_had_hardly_begun_can_be_reported(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(PLAN.to_json())
    _, verdict = build(tmp_path)
    assert verdict.word is Word.NO_VERDICT
    assert (tmp_path / "report.html").exists()


def test_latest_is_switched_to_the_newest(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        publish(tmp_path / name)
        assert (tmp_path / "latest").readlink() == Path(name)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="is not a run directory"):
        build(tmp_path)


@pytest.mark.parametrize(("spoil", "status"), [(False, 0), (True, 1)])
def test_the_exit_status_is_the_verdict(tmp_path: Path, spoil: bool, status: int) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    write_run(folder)
    if spoil:
        append(folder / "history/follower-1.jsonl", [{"t": 9, "e": "got", "p": 1 << 40, "a": "w0", "x": "r/w0/400"}])
    assert CliRunner().invoke(cli, ["report", str(folder)]).exit_code == status
