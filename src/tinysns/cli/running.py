"""How a command runs: an event loop, a client in it, and errors turned into one sentence and an exit status."""

import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, NoReturn

import click

from tinysns.cli import settings

if TYPE_CHECKING:  # the real import costs more than --help should
    from tinysns.client import Client

EXIT_REFUSED = 1
EXIT_UNKNOWN = 3

_HINT = "if the service runs in the lab, run this inside its network: lab/hosts exec sns ..."


def with_client(given_routers: tuple[str, ...], work: "Callable[[Client], Awaitable[None]]") -> None:
    """Runs `work` with a connected client; leaves the process with the right status if it fails."""
    from tinysns.client import Client

    async def main() -> None:
        async with Client(settings.routers(given_routers)) as client:
            await work(client)

    run(main())


def run(main: Coroutine[None, None, None]) -> None:
    """Runs a coroutine to its end; leaves the process with the right status if it fails."""
    import uvloop

    from tinysns.client import SnsError, Unreachable

    try:
        uvloop.run(main)
    except Unreachable as e:
        sentence = str(e)
        fail(f"{sentence}; {_HINT}" if "no router answers" in sentence else sentence, EXIT_UNKNOWN)
    except SnsError as e:
        fail(str(e), EXIT_REFUSED if e.definite else EXIT_UNKNOWN)
    except BrokenPipeError:
        sys.stderr.close()  # the reader (head, a pager) has seen enough; nothing more can or need be said
        sys.exit(0)


def fail(sentence: str, status: int) -> NoReturn:
    click.echo(f"sns: {sentence}", err=True)
    sys.exit(status)
