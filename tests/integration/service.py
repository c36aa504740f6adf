"""The whole service on loopback: real processes, a folder for each host, real SIGKILLs. No systemd and no Ansible.

Stands in for systemd where a test wants it to: a killed slave or router is started again by `revive`.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import grpc

from tinysns.client import Client, Limits
from tinysns.wire.v1 import master_pb2, master_pb2_grpc, router_pb2, router_pb2_grpc


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [int(s.getsockname()[1]) for s in sockets]
    finally:
        for s in sockets:
            s.close()


async def until(condition: Callable[[], Awaitable[object]], what: str, seconds: float = 20.0) -> None:
    """Looks often, with a deadline: what other processes do cannot be awaited."""
    end = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.02)


class Service:
    """`hosts` hosts, named h1, h2 ...; the router belongs to h1, each of the others has a deputy.

    `run_master`: how Python starts a master. `policy`: of the routers. `dialect`: of the masters, theirs by default.
    `single_login`: of the masters and the routers.
    """

    def __init__(
        self,
        folder: Path,
        hosts: int = 3,
        slave_settings: str = "",
        consensus: str = "",
        run_master: Sequence[str] = ("-m", "tinysns.master"),
        policy: str = "available",
        dialect: str = "",
        single_login: bool = False,
    ) -> None:
        self.folder = folder
        self.names = [f"h{i}" for i in range(1, hosts + 1)]
        ports = free_ports(3 * hosts)
        others, routing = ports[: 2 * hosts], [f"127.0.0.1:{port}" for port in ports[2 * hosts :]]
        self.router = routing[0]
        self.deputies = dict(zip(self.names[1:], routing[1:], strict=True))
        self.routers = tuple(routing)
        self.masters = {n: f"127.0.0.1:{others[2 * i]}" for i, n in enumerate(self.names)}
        self.slaves = {n: f"127.0.0.1:{others[2 * i + 1]}" for i, n in enumerate(self.names)}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        members = "".join(
            f'[[members]]\nname = "{n}"\nnode = {i}\naddress = "{self.masters[n]}"\nslave = "{self.slaves[n]}"\n'
            for i, n in enumerate(self.names, 1)
        )
        routing_settings = f'policy = "{policy}"\nsingle_login = {json.dumps(single_login)}\n'
        tables = f"{members}[consensus]\n{consensus}"
        for name in self.names:
            host = folder / name
            (host / "data").mkdir(parents=True)
            (host / "run").mkdir()
            common = f'name = "{name}"\nruntime = "{host}/run"\nrouters = {json.dumps(self.routers)}\n'
            master = f'listen = "{self.masters[name]}"\ndata = "{host}/data"\nreserve_mb = 1\n'
            if dialect:
                master += f'dialect = "{dialect}"\n'
            if single_login:
                master += "single_login = true\n"
            (host / "master.toml").write_text(common + master + tables)
            command = json.dumps([sys.executable, *run_master, str(host / "master.toml")])
            slave = f'listen = "{self.slaves[name]}"\nmaster_command = {command}\n{slave_settings}\n'
            deputy = ""
            if name in self.deputies:
                deputy = f'[deputy]\nlisten = "{self.deputies[name]}"\n{routing_settings}'
            (host / "slave.toml").write_text(common + slave + members + deputy)
        router = f'name = "h1"\nlisten = "{self.router}"\n{routing_settings}'
        (folder / "router.toml").write_text(f"{router}routers = {json.dumps(self.routers)}\n{members}")

    def found(self) -> None:
        for name in self.names:
            for step in (["--invite", "integration"], ["--confirm"]):
                command = [sys.executable, "-m", "tinysns.master", "found", *step]
                subprocess.run([*command, str(self.folder / name / "master.toml")], check=True)

    def start(self) -> None:
        """Founds if need be, and starts everything that is not running."""
        if not (self.folder / "h1/data/cluster.json").exists():
            self.found()
        self.revive("router")
        for name in self.names:
            self.revive(name)

    def revive(self, name: str) -> None:
        """Starts the slave of a host, or "router", unless it runs."""
        process = self._processes.get(name)
        if process is not None and process.poll() is None:
            return
        kind = "router" if name == "router" else "slave"
        settings = self.folder / ("router.toml" if name == "router" else f"{name}/slave.toml")
        with (self.folder / f"{name}.log").open("ab") as output:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", f"tinysns.{kind}", str(settings)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def pid(self, name: str) -> int:
        """Of the slave of a host, or of "router"."""
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """SIGKILLs the slave of a host, or "router"."""
        self._processes[name].kill()
        self._processes[name].wait()

    def stop_slave(self, name: str, seconds: float = 15.0) -> int:
        """SIGTERM, as `systemctl stop` sends it; returns the exit status."""
        self._processes[name].terminate()
        return self._processes[name].wait(seconds)

    def master_pid(self, name: str) -> int:
        return int((self.folder / name / "run/master.lock").read_text())

    def kill_master(self, name: str) -> None:
        os.kill(self.master_pid(name), signal.SIGKILL)

    def client(self, limits: Limits | None = None) -> Client:
        """Knows all routers, as clients on the hosts do."""
        return Client(self.routers, limits=limits)

    async def master_status(self, name: str) -> master_pb2.MasterStatus | None:
        """None while it does not answer."""
        async with grpc.aio.insecure_channel(self.masters[name]) as channel:
            try:
                stub = master_pb2_grpc.MasterStub(channel)
                return await stub.GetStatus(master_pb2.StatusRequest(), timeout=1)
            except grpc.aio.AioRpcError:
                return None

    async def leader(self) -> str:
        """The name of the one that leads, once all masters serve and agree."""
        found: list[master_pb2.MasterStatus | None] = []

        async def agreed() -> bool:
            found[:] = await asyncio.gather(*(self.master_status(n) for n in self.names))
            return all(s is not None and s.serving for s in found) and len({s.leader for s in found if s}) == 1

        await until(agreed, f"all masters serve under one leader; see the logs in {self.folder}")
        return next(s.name for s in found if s is not None and s.role == master_pb2.LEADER)

    async def ready(self) -> None:
        """Returns once all masters serve, and the router and its deputies send clients to them."""
        await self.leader()

        async def routed() -> bool:
            routes = await asyncio.gather(*(self.route(router) for router in self.routers))
            return all(route is not None and len(route.backups) == len(self.names) - 1 for route in routes)

        await until(routed, "all routers know all masters")

    async def route(self, router: str) -> router_pb2.Route | None:
        """As a new client gets it from this router; None while that has none."""
        async with grpc.aio.insecure_channel(router) as channel:
            try:
                return await router_pb2_grpc.RouterStub(channel).GetRoute(router_pb2.RouteRequest(), timeout=1)
            except grpc.aio.AioRpcError:
                return None

    async def digests_agree(self) -> str:
        """The digest of all masters, once they stand at one position."""
        found: set[tuple[int, str]] = set()

        async def one() -> bool:
            found.clear()
            for address in self.masters.values():
                async with grpc.aio.insecure_channel(address) as channel:
                    digest = await master_pb2_grpc.MasterStub(channel).GetDigest(master_pb2.DigestRequest(), timeout=5)
                    found.add((digest.applied_index, digest.sha256))
            return len({index for index, _ in found}) == 1

        await until(one, "all masters at one position")
        assert len(found) == 1, f"the masters differ at one position: {found}"
        return found.pop()[1]

    def end(self) -> None:
        """Ends everything that was started, also what a test left hanging."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for name in self.names:  # a master whose slave was killed has nobody else
            lock = self.folder / name / "run/master.lock"
            if lock.exists() and (pid := lock.read_text().strip()) and _is_master_of(int(pid), self.folder / name):
                os.kill(int(pid), signal.SIGKILL)


def _is_master_of(pid: int, host: Path) -> bool:
    try:
        return str(host / "master.toml").encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
