"""Four masters, four slaves and a router as real processes on 127.0.0.1, of any checkout. No systemd, no Ansible."""

import asyncio
import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import grpc

from chaos.bench.loopback import processes, settings
from chaos.bench.loopback.checkout import Checkout
from chaos.bench.loopback.settings import HostPorts
from chaos.cluster import ClusterView, MasterView, look
from chaos.errors import CannotRun
from chaos.inventory import Host, Inventory
from chaos.loop import complete
from tinysns.client import calls
from tinysns.rpc.channels import open_channel
from tinysns.wire.v1 import master_pb2

_HOSTS = 4
_PORTS_OF_HOST = 4
# Below the ports that the kernel gives to outgoing connections: one of those could take a dead master's.
_FIRST_PORT, _LAST_PORT = 20_000, 30_000
_HEALTHY_SECONDS = 60.0
_SERVING_SECONDS = 60.0
_LOOK_SECONDS = 0.3
_TRY_SECONDS = 0.005
_LONGEST_SOCKET_PATH = 107  # unix(7)


class Cluster:
    """Of one checkout, in one folder. It can be started and ended again and again: data and ports stay."""

    def __init__(self, checkout: Checkout, folder: Path) -> None:
        self.checkout, self.folder = checkout, folder
        self._ports = _hosts()
        self.inventory = _inventory(folder, self._ports)
        self._processes: dict[str, subprocess.Popen[str]] = {}
        if len(str(folder / "h1/run/master.sock")) > _LONGEST_SOCKET_PATH:
            raise CannotRun(f"{folder} is too long a path for sockets; give a shorter one with --output")
        known = settings.ask_known(checkout.python, checkout.root)
        settings.write_all(known, folder, self._ports, checkout.python)
        self._found()

    @contextlib.contextmanager
    def running(self) -> Iterator["Cluster"]:
        """Started and healthy; ended when the block is left, however that happens."""
        try:
            self._start("router", "tinysns.router", self.folder / "router.toml")
            for host in self._ports:
                self._start(f"slave {host.name}", "tinysns.slave", self.folder / host.name / "slave.toml")
            self.wait_healthy()
            yield self
        finally:
            self._end()

    def wait_healthy(self, seconds: float = _HEALTHY_SECONDS) -> ClusterView:
        """Returns once all nine processes are well and agree. Raises CannotRun."""
        deadline = time.monotonic() + seconds
        while ailments := (view := look(self.inventory)).ailments():
            if time.monotonic() > deadline:
                raise CannotRun(f"the cluster in {self.folder} is not healthy after {seconds:g} s: {ailments[0]}")
            time.sleep(_LOOK_SECONDS)  # other processes: nothing announces it
        return view

    def leader(self) -> MasterView:
        """The Available master, once all is well. Raises CannotRun."""
        view = self.wait_healthy().available
        assert view is not None  # healthy
        return view

    def standby(self, turn: int = 0) -> MasterView:
        """One that does not lead; another one at each `turn`. Raises CannotRun."""
        view = self.wait_healthy()
        others = [master for master in view.masters if not master.leads]
        return others[turn % len(others)]

    def wait_serving(self, host: Host, pid_before: int) -> int:
        """When (CLOCK_MONOTONIC, ns) that master, a new process, says that it serves. Raises CannotRun."""
        return complete(_serving(host, pid_before, time.monotonic() + _SERVING_SECONDS))

    def pids(self) -> dict[str, int]:
        """Of all nine processes: "leader", "standby 1" (which is `standby()`), ..., "slave h1", ..., "router".

        By what they do, because another one may lead in the next round. Raises CannotRun.
        """
        masters = sorted(self.wait_healthy().masters, key=lambda master: not master.leads)  # stable
        names = ["leader", *(f"standby {n}" for n in range(1, len(masters)))]
        found = {name: master.pid for name, master in zip(names, masters, strict=True)}
        return found | {name: process.pid for name, process in self._processes.items()}

    def logs(self) -> dict[str, Path]:
        """What each host has said: slave and master."""
        return {host.name: self.folder / f"slave {host.name}.log" for host in self._ports}

    def _start(self, name: str, module: str, config: Path) -> None:
        command = (str(self.checkout.python), "-m", module, str(config))
        self._processes[name] = processes.start(command, cwd=self.checkout.root, log=self.folder / f"{name}.log")

    def _end(self) -> None:
        with processes.uninterrupted():
            processes.end(tuple(self._processes.values()))
            self._processes.clear()
            for host in self._ports:
                processes.end_all_with(str(self.folder / host.name / "master.toml"))

    def _found(self) -> None:
        subcommand = self._founding()
        for host in self._ports:
            config = str(self.folder / host.name / "master.toml")
            for step in (("--invite", "bench"), ("--confirm",)):
                command = (str(self.checkout.python), "-m", "tinysns.master", subcommand, *step, config)
                done = subprocess.run(command, cwd=self.checkout.root, capture_output=True, text=True)
                if done.returncode:
                    raise CannotRun(f"founding {config} failed: {done.stderr.strip()[-500:]}")

    def _founding(self) -> str:
        """The master's subcommand: `found`, or `bootstrap` in releases that call it so."""
        command = (str(self.checkout.python), "-m", "tinysns.master", "--help")
        commands = subprocess.run(command, cwd=self.checkout.root, capture_output=True, text=True).stdout
        return "bootstrap" if "bootstrap" in commands else "found"


def is_master(name: str) -> bool:
    """Of the names that `Cluster.pids` gives."""
    return name.startswith(("leader", "standby"))


async def _serving(host: Host, pid_before: int, deadline: float) -> int:
    """Knocks with a bare socket first: a refused connection costs next to nothing while the master is being started."""
    while time.monotonic() < deadline:
        with socket.socket() as knock:
            listens = knock.connect_ex((host.service_ip, host.master_port)) == 0
        if listens:
            async with open_channel(host.master) as channel:
                ask = calls.master_status(channel)
                with contextlib.suppress(grpc.aio.AioRpcError):  # the dying one, or not ready to talk: knock again
                    while time.monotonic() < deadline:
                        status = await ask(master_pb2.StatusRequest(), timeout=1)
                        if status.pid == pid_before:
                            break
                        if status.serving:
                            return time.monotonic_ns()
                        await asyncio.sleep(_TRY_SECONDS)
        await asyncio.sleep(_TRY_SECONDS)
    raise CannotRun(f"the killed master of {host.name} did not serve again within {_SERVING_SECONDS:g} s")


def _hosts() -> tuple[HostPorts, ...]:
    ports = free_ports(_HOSTS * _PORTS_OF_HOST)
    rows = [ports[n * _PORTS_OF_HOST : (n + 1) * _PORTS_OF_HOST] for n in range(_HOSTS)]
    return tuple(HostPorts(f"h{n}", n, *row) for n, row in enumerate(rows, 1))


_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Of this machine, none of them given before. Raises CannotRun."""
    found: list[int] = []
    port = _FIRST_PORT + os.getpid() * 64 % (_LAST_PORT - _FIRST_PORT)
    for _ in range(_LAST_PORT - _FIRST_PORT):
        port = port + 1 if port < _LAST_PORT else _FIRST_PORT
        if port in _given:
            continue
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            found.append(port)
            _given.add(port)
        if len(found) == count:
            return found
    raise CannotRun(f"there are no {count} free ports between {_FIRST_PORT} and {_LAST_PORT}")


def _inventory(folder: Path, hosts: tuple[HostPorts, ...]) -> Inventory:
    """So that everything that looks at deployed clusters can look at this one."""
    return Inventory(
        folder,
        tuple(
            Host(
                name=host.name,
                groups=frozenset({"masters", "router"} if host is hosts[0] else {"masters"}),
                rank=host.node,
                address="127.0.0.1",
                port=0,
                user="",
                key_file="",
                ssh_config="",
                service_ip="127.0.0.1",
                master_port=host.master,
                slave_port=host.slave,
                router_port=host.router,
                service_user="",
            )
            for host in hosts
        ),
    )
