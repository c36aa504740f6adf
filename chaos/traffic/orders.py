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
        while True:
            got, rest = await self.next(f"before it said {word!r}")
            if got == word:
                return rest

    async def next(self, before: str) -> tuple[str, str]:
        """The next word, and what stands behind it. Raises Abandoned, which says `before`, if the input ends."""
        if self._reader is None:
            self._reader = asyncio.StreamReader()
            protocol = asyncio.StreamReaderProtocol(self._reader)
            await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
        if not (line := (await self._reader.readline()).decode()):
            raise Abandoned(f"the runner ended {before}")
        word, _, rest = line.strip().partition(" ")
        return word, rest

    def tell(self, word: str) -> None:
        """Says a word to the runner."""
        print(word, flush=True)
