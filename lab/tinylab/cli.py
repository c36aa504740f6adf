"""The command line of `lab/hosts`."""

from __future__ import annotations

import argparse
import os
import sys

from . import commands, preflight
from .lock import exclusive
from .process import LabError
from .settings import ENVIRONMENT, MAX_HOSTS, Lab, from_environment

DESCRIPTION = """\
Four systemd hosts on this machine, each with its own sshd, addresses and data disk.
The hosts' networks live in a namespace of their own: `exec` runs a program inside it, ssh gets there by itself.
Needs root."""


def main(arguments: list[str]) -> int:
    """Run one command; the exit code. Every error is one sentence on stderr, with code 1."""
    options = _parser().parse_args(arguments)
    try:
        preflight.check_root()
        return _dispatch(from_environment(os.environ), options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # this machine refuses: a full or read-only disk; the text names the file
        print(f"lab: {error}; run the command again when that is repaired", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; run the command again to finish it", file=sys.stderr)
        return 130


def _dispatch(lab: Lab, options: argparse.Namespace) -> int:
    match options.command:
        case "status":
            return commands.status(lab)
        case "ssh":
            commands.open_ssh(lab, options.host, _words(options.words), options.print)
        case "exec":
            commands.execute(lab, _words(options.words))
        case _:
            with exclusive(lab):
                _change(lab, options)
    return 0


def _change(lab: Lab, options: argparse.Namespace) -> None:
    match options.command:
        case "up":
            commands.up(lab, options.hosts)
        case "down":
            commands.down(lab)
        case "purge":
            commands.purge(lab)
        case "power-cut":
            commands.power_cut(lab, options.host)
        case "boot":
            commands.boot(lab, options.host)


def _words(words: list[str]) -> list[str]:
    """argparse keeps a leading -- or not, depending on its version."""
    return words[1:] if words[:1] == ["--"] else words


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab/hosts",
        description=DESCRIPTION,
        epilog=ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def verb(name: str, text: str, *, host: bool = False) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if host:
            added.add_argument("host", metavar="HOST", help=f"h1 to h{MAX_HOSTS}")
        return added

    up = verb("up", "boot what is not running (builds the root file system once); safe to repeat")
    up.add_argument(
        "--hosts",
        type=int,
        choices=range(1, MAX_HOSTS + 1),
        default=MAX_HOSTS,
        help=f"how many hosts; the others are shut down and keep their disks (default: {MAX_HOSTS})",
    )
    verb("down", "stop and remove the hosts and their data; the built root file system stays")
    verb("status", "one line per host; exit code 3 unless all of them answer")
    into = verb("ssh", "a shell on a host as user lab, who may sudo, or one command there", host=True)
    into.add_argument("--print", action="store_true", help="print the ssh command line instead of running it")
    into.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD", help="the command, for the host's shell")
    run = verb("exec", "run a command of this machine inside the hosts' networks (clients, chaos, benchmarks)")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD", help="the command and its arguments")
    verb("power-cut", "a host vanishes, and its /srv/data loses what was not fsynced", host=True)
    verb("boot", "boot a host that is off; it keeps its disks", host=True)
    verb("purge", "down, and remove everything, the built root file system too")
    return parser
