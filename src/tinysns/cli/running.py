"""How a command runs: an event loop, a client in it, and errors turned into one sentence and an exit status."""

import io
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

from tinysns.cli import settings

if TYPE_CHECKING:  # the real import costs more than --help should
    from tinysns.client import Client, SnsError

EXIT_REFUSED = 1
EXIT_UNKNOWN = 3
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it

T = TypeVar("T")

_HINT = "if the service runs in the lab, run this inside its network: lab/hosts exec sns ..."


def with_client(given_routers: tuple[str, ...], work: "Callable[[Client], Awaitable[None]]") -> None:
    """Runs `work` with a connected client; leaves the process with the right status if it fails."""
    from tinysns.client import Client

    async def main() -> None:
        async with Client(settings.routers(given_routers)) as client:
            await work(client)

    run(main())


def run(main: Coroutine[None, None, T]) -> T:
    """Runs a coroutine to its end; leaves the process with the right status if it fails."""
    import uvloop

    from tinysns.client import SnsError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a post may hold what this terminal's encoding does not
            stream.reconfigure(errors="backslashreplace")
    try:
        return uvloop.run(main)
    except SnsError as e:
        sentence = str(e)
        fail(f"{sentence}; {_HINT}" if "no router answers" in sentence else sentence, status_of(e))
    except BrokenPipeError:
        sys.stderr.close()  # the reader (head, a pager) has seen enough; nothing more can or need be said
        sys.exit(0)


def status_of(error: "SnsError") -> int:
    """The exit status that says what this error says."""
    from tinysns.client import Unreachable

    return EXIT_REFUSED if error.definite and not isinstance(error, Unreachable) else EXIT_UNKNOWN


def fail(sentence: str, status: int) -> NoReturn:
    click.echo(f"sns: {sentence}", err=True)
    sys.exit(status)
