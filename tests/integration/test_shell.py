"""`sns shell` and its siblings against the real service, whose Available master is killed meanwhile."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal, environment
from tests.integration.service import FORGIVING, Service
from tinysns.client import Limits

pytestmark = pytest.mark.timeout(600)

_friends = itertools.count(1)


@dataclass(frozen=True)
class Friends:
    """Two users who follow each other, and other ones for each test."""

    service: Service
    ann: str
    bob: str


@pytest.fixture(scope="module")
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """For all tests. No slave kills a master that is stopped."""
    folder = tmp_path_factory.mktemp("shell")
    service = Service(folder, 4, slave_settings="silence_seconds = 600.0", run_slave=FORGIVING)
    service.start()
    yield service
    service.end()


@pytest.fixture
async def friends(_service: Service) -> Friends:
    number = next(_friends)
    friends = Friends(_service, f"ann{number}", f"bob{number}")
    await _service.ready()
    async with _service.client() as client:
        session = client.session()
        for user in (friends.ann, friends.bob):
            await session.login(user)
        await session.follow(friends.bob, friends.ann)
        await session.follow(friends.ann, friends.bob)
    return friends


@pytest.fixture
def bob(friends: Friends, tmp_path: Path) -> Iterator[Terminal]:
    """Bob's shell at its first prompt."""
    routers = friends.service.router
    with Terminal("shell", friends.bob, SNS_ROUTERS=routers, XDG_STATE_HOME=str(tmp_path)) as terminal:
        terminal.sees(f"Welcome Back {friends.bob}\n\n========= TINY SNS CLIENT =========\n")
        terminal.sees("Cmd> ")
        yield terminal


async def sees(terminal: Terminal, text: str) -> str:
    return await asyncio.to_thread(terminal.sees, text)


async def test_failover_shows_as_nothing_in_the_timeline(friends: Friends, bob: Terminal) -> None:
    bob.type("list\rtimeline\r")
    assert f"{friends.ann}, {friends.bob}, \n" in await sees(bob, f"Followers: {friends.ann}, {friends.bob}, \n")
    await sees(bob, "Now you are in the timeline\n")
    shown, longest_seconds, loop = "", 0.0, asyncio.get_running_loop()
    async with friends.service.client() as client:
        session = client.session()
        for n in range(20):
            if n == 10:
                friends.service.kill_master(await friends.service.leader())
            began = loop.time()
            await session.post(friends.ann, [f"from ann {n}"])
            bob.type(f"from bob {n}\r")
            shown += await sees(bob, f">> from ann {n}\n")
            longest_seconds = max(longest_seconds, loop.time() - began)
        bob.type("\x04")
        assert await asyncio.to_thread(bob.ended) == 0
        assert [p.text for p in await client.history(friends.ann)] == [f"from bob {n}" for n in range(20)]
    assert "sns:" not in shown
    if longest_seconds < Limits().notice_seconds / 2:  # a very busy machine may take so long that it is worth a line
        assert "(no answer for" not in shown


async def test_outage_is_one_quiet_line(friends: Friends, bob: Terminal) -> None:
    bob.type("timeline\r")
    await sees(bob, "Now you are in the timeline\n")
    masters = [friends.service.master_pid(name) for name in friends.service.names]
    for pid in masters:
        os.kill(pid, signal.SIGSTOP)
    bob.type("kept\r")
    await sees(bob, "(no answer for 1 s: ")
    for pid in masters:
        os.kill(pid, signal.SIGCONT)
    await friends.service.ready()
    async with friends.service.client() as client, asyncio.timeout(60):
        async for post in client.timeline(friends.ann):
            assert post.text == "kept"
            break
    bob.type("\x03")
    assert "(no answer" not in await sees(bob, "Cmd> ")


async def test_piped_posts_survive_a_failover_once_and_in_order(friends: Friends) -> None:
    lines = [f"line {n}" for n in range(400)]
    command = [sys.executable, "-m", "tinysns.cli", "shell", friends.bob]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment({"SNS_ROUTERS": friends.service.router}),
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(b"TIMELINE\n")
    while b"Now you are in the timeline" not in await process.stdout.readline():
        pass
    leader = await friends.service.leader()
    for n, line in enumerate(lines):
        if n == 200:
            friends.service.kill_master(leader)
        process.stdin.write(f"{line}\n".encode())
        await process.stdin.drain()
    process.stdin.close()
    assert await process.wait() == 0
    async with friends.service.client() as client:
        assert [p.text for p in await client.history(friends.ann)] == lines


async def test_completion_asks_the_router(friends: Friends) -> None:
    words = {
        "COMP_WORDS": f"sns follow {friends.bob} {friends.ann[:-1]}",
        "COMP_CWORD": "3",
        "_SNS_COMPLETE": "bash_complete",
    }
    program = (
        "from tinysns.cli import completing; completing._ANSWER_SECONDS = 60.0;"  # people do not wait; this one does
        "from tinysns.cli.__main__ import main; main(prog_name='sns')"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=subprocess.PIPE,
        env=environment(words | {"SNS_ROUTERS": friends.service.router}),
    )  # fmt: skip
    assert (await process.communicate())[0].decode().splitlines() == [
        f"plain,ann{n}" for n in range(1, int(friends.ann[3:]) + 1)
    ]
