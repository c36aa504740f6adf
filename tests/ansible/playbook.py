"""Runs a playbook as a person would, and reads from its output what a person would read."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

_RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """Of one run."""

    status: int
    output: str

    @property
    def prose(self) -> str:
        """The output without its line breaks, which fall anywhere in a long message."""
        return " ".join(self.output.split())

    @property
    def changed(self) -> dict[str, int]:
        """How many tasks changed something, by host; hosts without a change are left out."""
        return {host: int(changed) for host, changed, _, _ in _RECAP.findall(self.output) if changed != "0"}

    @property
    def hosts(self) -> set[str]:
        """The hosts that any task ran for."""
        return {host for host, *_ in _RECAP.findall(self.output)}


def play(playbook: str, *arguments: str, seconds: float = 1800, environment: Mapping[str, str] = os.environ) -> Outcome:
    """Runs it without a terminal; `seconds` is its deadline."""
    command = [str(BIN / "ansible-playbook"), playbook, *arguments]
    own = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")}
    done = subprocess.run(
        command, cwd=REPOSITORY, env={**environment, **own}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout)
