"""python -m tinysns.slave CONFIG: watches the master. announce-stop CONFIG, stop-master CONFIG: for the unit only."""

import argparse
import sys
from pathlib import Path

from tinysns.slave import stopping

_MODES = {"announce-stop": stopping.announce_stop, "stop-master": stopping.stop_master}


def _serve(config: Path) -> int:
    # Not above: the unit's two small commands need none of it, and they run while a new slave waits.
    from tinysns.runtime.process import EXIT_USAGE, Process, run
    from tinysns.runtime.settings import SettingsError, SlaveSettings, load
    from tinysns.slave.app import run_slave

    try:
        settings = load(config, SlaveSettings)
    except SettingsError as e:
        print(f"slave: {e}", file=sys.stderr)
        return EXIT_USAGE

    async def work(process: Process) -> None:
        await run_slave(settings, process)

    return run("slave", work)


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tinysns.slave", description=__doc__)
    parser.add_argument("mode", nargs="?", choices=("serve", *_MODES), default="serve")
    parser.add_argument("config", type=Path)
    arguments = parser.parse_args()
    return _MODES.get(arguments.mode, _serve)(arguments.config)


if __name__ == "__main__":
    sys.exit(main())
