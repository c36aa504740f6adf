"""Checkouts whose server processes are measured: this one, and another commit, built beside it by its own setup."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chaos.errors import CannotRun

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Checkout:
    """A source tree with its own Python environment."""

    label: str  # "ours", "theirs"
    root: Path
    commit: str

    @property
    def python(self) -> Path:
        return self.root / ".venv/bin/python"


def ours() -> Checkout:
    """This one, as it stands, with what is not committed."""
    dirty = "+" if _git("status", "--porcelain", "--untracked-files=no") else ""
    return Checkout("ours", ROOT, _git("rev-parse", "HEAD") + dirty)


def against(commit: str, say: Callable[[str], None]) -> Checkout:
    """A worktree of that commit below build/against, used again by later runs; `make clean` removes it.

    Raises CannotRun if there is no such commit, or if it cannot be built.
    """
    full = _git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
    root = ROOT / "build/against" / full[:12]
    if not (root / ".git").exists():
        _git("worktree", "prune")  # one that was deleted by hand is still registered
        root.parent.mkdir(parents=True, exist_ok=True)
        _git("worktree", "add", "--detach", "--force", str(root), full)
    say(f"building {full[:12]} in {root}")
    # Not with this checkout's environment on the path: theirs is to be made from the machine's Python.
    path = os.pathsep.join(p for p in os.environ.get("PATH", "").split(os.pathsep) if not p.startswith(str(ROOT)))
    environment = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")} | {"PATH": path}
    done = subprocess.run(("scripts/setup", "run"), cwd=root, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise CannotRun(f"scripts/setup of {full[:12]} failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return Checkout("theirs", root, full)


def _git(*arguments: str) -> str:
    done = subprocess.run(("git", "-C", str(ROOT), *arguments), capture_output=True, text=True)
    if done.returncode:
        raise CannotRun(f"git {' '.join(arguments)}: {done.stderr.strip() or 'there is no such commit'}")
    return done.stdout.strip()
