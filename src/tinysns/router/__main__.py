"""python -m tinysns.router CONFIG: serves until told to stop."""

import sys
from pathlib import Path

from tinysns.router.app import run_router
from tinysns.runtime.process import EXIT_USAGE, Process, run
from tinysns.runtime.settings import RouterSettings, SettingsError, load


def main() -> int:
    """Returns the exit status."""
    if len(sys.argv) != 2:
        print("usage: python -m tinysns.router CONFIG", file=sys.stderr)
        return EXIT_USAGE
    try:
        settings = load(Path(sys.argv[1]), RouterSettings)
    except SettingsError as e:
        print(f"router: {e}", file=sys.stderr)
        return EXIT_USAGE

    async def work(process: Process) -> None:
        await run_router(settings, process)

    return run("router", work)


if __name__ == "__main__":
    sys.exit(main())
