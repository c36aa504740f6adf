"""Opens the shell: a client, a screen that fits what it is connected to, and a quiet line for long outages."""

import asyncio
import sys
from collections.abc import Sequence

from tinysns.cli.shell.commands import Shell
from tinysns.cli.shell.names import Names
from tinysns.cli.shell.screen import Plain, Screen
from tinysns.client import Client, Wait


async def run_shell(routers: Sequence[str], user: str) -> int:
    """Returns the exit status. Raises SnsError if the user cannot log in."""
    notices = asyncio.Queue[str]()

    def on_wait(wait: Wait) -> None:
        if not wait.over:
            notices.put_nowait(f"(no answer for {wait.seconds:.0f} s: {wait.what} waits; nothing is lost)")

    async with Client(routers, on_wait=on_wait) as client:
        names = Names(client, user)
        with _screen(names) as screen:
            telling = asyncio.create_task(_tell(notices, screen), name="notices")
            try:
                return await Shell(client, user, screen, names).run()
            finally:
                telling.cancel()
                await asyncio.gather(telling, names.close(), return_exceptions=True)


def _screen(names: Names) -> Screen:
    if sys.stdin.isatty() and sys.stdout.isatty():
        from tinysns.cli.shell.terminal import Terminal  # prompt_toolkit is not for pipes

        return Terminal(names)
    return Plain(sys.stdin.buffer)


async def _tell(notices: asyncio.Queue[str], screen: Screen) -> None:
    while True:
        await screen.remark(await notices.get())
