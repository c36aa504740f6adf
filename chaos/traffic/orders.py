"""What the runner tells a client process: words on its standard input, answered on its standard output."""

import asyncio
import sys


class Abandoned(Exception):
    """The runner is gone."""


class Orders:
    """The client's end of the line to the runner."""

    def __init__(self) -> None:
        self._reader: asyncio.StreamReader | None = None

    async def wait_for(self, word: str) -> str:
        """What stands behind the next `word`. Raises Abandoned if the input ends before that."""
        if self._reader is None:
            self._reader = asyncio.StreamReader()
            protocol = asyncio.StreamReaderProtocol(self._reader)
            await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
        while line := (await self._reader.readline()).decode():
            got, _, rest = line.strip().partition(" ")
            if got == word:
                return rest
        raise Abandoned(f"the runner ended before it said {word!r}")

    def tell(self, word: str) -> None:
        """Says a word to the runner."""
        print(word, flush=True)
