"""A second lab beside the usual one, with a name and state of its own: nothing of the usual one is disturbed."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "lab"))  # the lab is no part of the installed package

from tinylab import image, settings  # noqa: E402  (found through the line above)

_COMMAND_SECONDS = 600.0  # a first build of the root file system included


def environment(prefix: str, **own: str) -> dict[str, str]:
    """The environment in which `lab/hosts` and the lab's inventories mean the lab of this name.

    It borrows the usual lab's root file system if that is built, else it builds its own. `own`: more LAB_ variables.
    """
    usual = settings.from_environment({})
    borrowed = {"LAB_BASE": str(usual.base)} if image.is_built(usual) else {}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LAB_") or name == "LAB_APT"}
    return inherited | borrowed | {"LAB_PREFIX": prefix} | own


def hosts(
    environment: dict[str, str], *arguments: str, repository: Path = REPOSITORY, seconds: float = _COMMAND_SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run lab/hosts without a terminal, whatever comes of it."""
    return subprocess.run(
        [repository / "lab/hosts", *arguments],
        cwd=repository,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
