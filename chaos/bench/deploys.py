"""deploy_fresh, deploy_second: how long ansible-playbook deploy.yml takes, and that a second run changes nothing."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from chaos.bench.measure import Measure
from chaos.errors import CannotRun
from chaos.inventory import Inventory

_RUNS = 3


def deploy_fresh(inventory: Inventory, output: Path, say: Callable[[str], None]) -> list[Measure]:
    """One run, onto hosts that had nothing. Raises CannotRun if it turns out that they had."""
    seconds, changed = _deploy(inventory, say)
    if changed < len(inventory.hosts):
        raise CannotRun(
            "this deploy found everything in its place; deploy_fresh needs hosts that are new (lab/hosts purge, up)"
        )
    return [Measure("deploy_fresh", "s", [seconds])]


def deploy_second(inventory: Inventory, output: Path, say: Callable[[str], None]) -> list[Measure]:
    """Runs that find everything in its place. Raises CannotRun if one changes something."""
    values = []
    for _ in range(_RUNS):
        seconds, changed = _deploy(inventory, say)
        if changed:
            raise CannotRun(f"a deploy onto a deployed cluster changed {changed} things; deploy, then measure again")
        values.append(seconds)
    return [Measure("deploy_second", "s", values)]


def _deploy(inventory: Inventory, say: Callable[[str], None]) -> tuple[float, int]:
    """(seconds, how many tasks changed something)"""
    beside = Path(sys.executable).parent / "ansible-playbook"
    command = str(beside) if beside.exists() else shutil.which("ansible-playbook") or "ansible-playbook"
    begin = time.monotonic()
    done = subprocess.run((command, "-i", str(inventory.path), "deploy.yml"), capture_output=True, text=True)
    seconds = time.monotonic() - begin
    if done.returncode != 0:
        raise CannotRun(f"the deploy failed: {done.stdout.strip()[-500:]} {done.stderr.strip()[-500:]}")
    changed = sum(int(found) for found in re.findall(r"\bchanged=(\d+)", done.stdout))
    say(f"deploy: {seconds:.1f} s, changed={changed}")
    return seconds, changed
