"""Makes all reports of a run directory; from its files only, so that it works as well after the runner has crashed."""

import os
from pathlib import Path

from chaos import history
from chaos.checks.verdict import Verdict, judge
from chaos.errors import CannotRun
from chaos.plan import read_plan
from chaos.record import read_record
from chaos.report.html import write_html
from chaos.report.json import write_json
from chaos.report.junit import write_junit
from chaos.report.run import Run


def build(folder: Path) -> tuple[Run, Verdict]:
    """Writes report.json, junit.xml and report.html. Raises CannotRun if this is not a run directory."""
    if not (folder / "plan.json").exists():
        raise CannotRun(f"{folder} is not a run directory: it has no plan.json")
    try:
        writers, readers = history.read_all(folder)
        run = Run(folder, read_plan(folder / "plan.json"), read_record(folder), writers, readers)
    except ValueError as e:
        raise CannotRun(f"the histories in {folder} are damaged: {e}") from e
    verdict = judge(run.plan, run.record, writers, readers)
    write_json(run, verdict)
    write_junit(run, verdict)
    write_html(run, verdict)
    return run, verdict


def publish(folder: Path) -> Path:
    """Makes `latest`, beside the run directory, point to it; returns its path."""
    latest, new = folder.parent / "latest", folder.parent / f".latest-{os.getpid()}"
    new.unlink(missing_ok=True)
    new.symlink_to(folder.name)
    new.replace(latest)
    return latest
