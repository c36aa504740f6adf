"""python -m tinysns.router CONFIG: tells clients which master to use."""

import argparse
import sys
from pathlib import Path

from tinysns.router.app import run_router
from tinysns.runtime.process import EXIT_USAGE, Process, run
from tinysns.runtime.settings import RouterSettings, SettingsError, load


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tinysns.router", description=__doc__)
    parser.add_argument("config", type=Path)
    try:
        settings = load(parser.parse_args().config, RouterSettings)
    except SettingsError as e:
        print(f"router: {e}", file=sys.stderr)
        return EXIT_USAGE

    async def work(process: Process) -> None:
        await run_router(settings, process)

    return run("router", work)


if __name__ == "__main__":
    sys.exit(main())
