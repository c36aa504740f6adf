"""Real slaves on loopback, each with a folder and ports of its own; everything that was started is ended."""

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import grpc

from tinysns.rpc.channels import open_channel
from tinysns.runtime import pidlock
from tinysns.slave.adopt import LOCK_NAME
from tinysns.wire.v1 import slave_pb2, slave_pb2_grpc

T = TypeVar("T")

SOURCES = Path(__file__).parents[2] / "src"
FAKE_MASTER = Path(__file__).with_name("fake_master.py")
DEADLINE_SECONDS = 60.0
SILENCE_SECONDS = 1.5  # a master speaks each 0.2 s, and a busy machine may keep it from doing so for a while


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


async def until(what: str, look: Callable[[], T | None]) -> T:
    """For what makes no event. Fails with `what` after the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {DEADLINE_SECONDS} s in vain: {what}"
        await asyncio.sleep(0.005)
    return found


def environment(**more: str) -> dict[str, str]:
    """That of a process of ours."""
    return {**os.environ, "PYTHONPATH": str(SOURCES), **more}


def is_alive(pid: int) -> bool:
    """Zombies do not count."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@dataclass(frozen=True)
class MasterStart:
    pid: int
    incarnation: int
    at: float  # monotonic


class Host:
    """One host with its slave and a fake master."""

    def __init__(self, folder: Path, **settings: float) -> None:
        self.folder = folder
        self.settings = settings
        slave, master, peer, router = free_ports(4)
        self.address, self.peer, self.router = (f"127.0.0.1:{p}" for p in (slave, peer, router))
        self.master_address = f"127.0.0.1:{master}"
        self.slave: subprocess.Popen[bytes] | None = None
        self._slaves: list[subprocess.Popen[bytes]] = []
        self.log = folder / "log"
        self.config = folder / "slave.toml"
        self.behave("serve")
        self.write_config()

    def behave(self, behaviour: str) -> None:
        """How masters behave that start from now on."""
        (self.folder / "behaviour").write_text(behaviour)

    def write_config(self, **settings: object) -> None:
        """`settings` replace what is there."""
        values = {
            "name": "h1",
            "listen": self.address,
            "runtime": str(self.folder),
            "routers": [self.router],
            "master_command": [sys.executable, str(FAKE_MASTER), str(self.folder)],
            **self.settings,
            **settings,
        }
        text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        for node, address in enumerate((self.master_address, self.peer), start=1):
            member = {"name": f"h{node}", "node": node, "address": address, "slave": self.address, "peers": address}
            text += "[[members]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in member.items())
        self.config.write_text(text)

    def start_slave(self, **env: str) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "tinysns.slave", str(self.config)]
            self.slave = subprocess.Popen(command, stdout=log, stderr=log, env=environment(**env))
        self._slaves.append(self.slave)
        return self.slave

    def kill_slave(self, number: signal.Signals = signal.SIGKILL) -> None:
        assert self.slave is not None
        self.slave.send_signal(number)
        self.slave.wait(DEADLINE_SECONDS)

    def command(self, mode: str, **env: str) -> "subprocess.CompletedProcess[str]":
        """One of the unit's commands, as systemd would call it."""
        command = [sys.executable, "-m", "tinysns.slave", mode, str(self.config)]
        return subprocess.run(command, env=environment(**env), capture_output=True, text=True, timeout=DEADLINE_SECONDS)

    async def status(self) -> slave_pb2.SlaveStatus | None:
        """None while nobody answers."""
        async with open_channel(self.address) as channel:
            with contextlib.suppress(grpc.aio.AioRpcError):
                return await slave_pb2_grpc.SlaveStub(channel).GetStatus(slave_pb2.SlaveStatusRequest(), timeout=2.0)
        return None

    async def until(self, what: str, holds: Callable[[slave_pb2.SlaveStatus], bool]) -> slave_pb2.SlaveStatus:
        """Waits until the slave's status is so."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (status := await self.status()) is None or not holds(status):
            assert time.monotonic() < deadline, f"not {what}: {status}\n{self.log.read_text()}"
            await asyncio.sleep(0.02)
        return status

    async def serving(self, besides: int = 0) -> slave_pb2.SlaveStatus:
        """Waits until a master serves, another one than `besides`."""
        return await self.until("serving", lambda s: s.state == "serving" and s.master_pid != besides)

    async def come_up_seconds(self) -> float:
        """How long a master takes on this machine, as busy as it is, from its first line until it serves."""
        self.start_slave()
        await self.serving()
        seconds = time.monotonic() - self.starts()[-1].at
        self.kill_slave(signal.SIGTERM)
        return seconds

    def starts(self) -> list[MasterStart]:
        """All masters that ever started here."""
        file = self.folder / "starts"
        lines = file.read_text().splitlines() if file.exists() else []
        return [MasterStart(int(pid), int(n), float(at)) for pid, n, at in (line.split() for line in lines)]

    def close(self) -> None:
        for slave in self._slaves:
            slave.kill()
            slave.wait()
        # Whatever was spawned holds the lock, even if it has not come to its first line yet.
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not isinstance(found := pidlock.claim(self.folder / LOCK_NAME), pidlock.Claim):
            assert time.monotonic() < deadline, f"a master of {self.folder} does not go away"
            if found is not None:
                signal.pidfd_send_signal(found.pidfd, signal.SIGKILL)
                select.select([found.pidfd], [], [], DEADLINE_SECONDS)
                os.close(found.pidfd)
        found.give_up()
