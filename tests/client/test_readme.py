"""The README's examples are run as they stand there, but for the address and the eyes of the reader."""

import asyncio
import re
from pathlib import Path

from tests.client.double import Cluster
from tinysns.client import Client

README = Path(__file__).parents[2] / "README.md"
ADDRESS = "10.67.0.11:3010"


async def test_the_examples_do_what_the_readme_says() -> None:
    in_asyncio, blocking = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    printed: list[tuple[object, ...]] = []
    names = {"print": lambda *words: printed.append(words)}
    async with Cluster() as cluster:
        await _befriend(cluster.router_addresses)
        in_asyncio, blocking = (
            source.replace(ADDRESS, cluster.router_addresses[0]) for source in (in_asyncio, blocking)
        )
        assert "asyncio.run(main())" in in_asyncio
        exec(in_asyncio.replace("asyncio.run(main())", ""), names)
        running = asyncio.create_task(names["main"]())
        async with asyncio.timeout(60):
            while len(printed) < 1000:
                assert not running.done(), running.result()
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait((running,))
        assert [words[1:] for words in printed] == [("ann", f"post {n}") for n in range(1000)]
        printed.clear()
        await asyncio.to_thread(exec, blocking, names)
        assert printed[-2:] == [("ann", "hello"), ("ann", "again")]


def test_the_first_example_has_ten_lines() -> None:
    first = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[0]
    assert len([line for line in first.splitlines() if line.strip()]) == 10


async def _befriend(routers: list[str]) -> None:
    async with Client(routers) as client:
        session = client.session()
        await session.login("ann")
        await session.login("bob")
        await session.follow("bob", "ann")
