"""The yardsticks: what this machine needs, just now, for the least that a figure of the service contains."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from chaos.bench.loopback import processes
from chaos.bench.loopback.cluster import free_ports
from chaos.bench.loopback.gaps import FAULT_NS, wait_ms
from chaos.bench.loopback.session import Effort, Sink

_RESIDENT_MIB = 50  # a master after its start: 60, of which 10 are not its own
_CALM_SECONDS = 0.3
_WRITE = b"x" * 256
_BLOCK_BYTES = 1 << 20


def floor_kill(effort: Effort, sink: Sink, folder: Path) -> None:
    """A bare server is SIGKILLed while a client tries every 5 ms, with warm channels to it and to a spare.

    From the kill until the next success, judged as the service's own gaps are.
    """
    ports = free_ports(2)
    with ExitStack() as stack:
        servers = [_server(stack, port) for port in ports]
        client = _client(stack, ports)
        for n in range(len(ports)):
            processes.ask(client, f"renew {n}")
        processes.ask(client, "try")
        values = []
        for n in range(effort.floor_kills):
            victim = n % len(ports)
            time.sleep(_CALM_SECONDS)  # the client's own time; nothing is waited for
            processes.ask(client, "successes")
            asked_ns = time.monotonic_ns()
            os.kill(servers[victim].pid, signal.SIGKILL)
            time.sleep(2 * FAULT_NS / 1e9)
            values.append(wait_ms(sorted(json.loads(processes.ask(client, "successes"))), asked_ns))
            servers[victim].wait()
            servers[victim] = _server(stack, ports[victim])
            processes.ask(client, f"renew {victim}")
    sink.add("floor_kill", "ms", values)


def floor_echo(effort: Effort, sink: Sink, folder: Path) -> None:
    """Round trips of a bare bidirectional stream between two processes, 100/s."""
    port = free_ports(1)[0]
    with ExitStack() as stack:
        _server(stack, port)
        client = _client(stack, [port])
        processes.ask(client, "renew 0")
        values: list[float] = json.loads(processes.ask(client, f"echo {effort.floor_pings}"))
    sink.add("floor_echo", "ms", values)


def floor_fsync(effort: Effort, sink: Sink, folder: Path) -> None:
    """fdatasync of a small append, and of a small write to a place that has its blocks, where the data folders are."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "floor-fsync"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        os.pwrite(descriptor, b"0" * _BLOCK_BYTES, 0)
        os.fsync(descriptor)
        appends, overwrites = [], []
        for n in range(effort.floor_writes):
            appends.append(_synced_ms(descriptor, _BLOCK_BYTES + n * len(_WRITE)))
            overwrites.append(_synced_ms(descriptor, n * len(_WRITE) % _BLOCK_BYTES))
    finally:
        os.close(descriptor)
        path.unlink()
    sink.add("floor_fsync", "ms", appends)
    sink.add("floor_fsync_overwrite", "ms", overwrites)


def _synced_ms(descriptor: int, offset: int) -> float:
    begin = time.monotonic_ns()
    os.pwrite(descriptor, _WRITE, offset)
    os.fdatasync(descriptor)
    return (time.monotonic_ns() - begin) / 1e6


def _server(stack: ExitStack, port: int) -> "subprocess.Popen[str]":
    server = processes.start_module("chaos.bench.loopback.floor_server", str(port), str(_RESIDENT_MIB))
    stack.callback(processes.end, [server])
    processes.ask(server)
    return server


def _client(stack: ExitStack, ports: list[int]) -> "subprocess.Popen[str]":
    client = processes.start_module("chaos.bench.loopback.floor_client", *map(str, ports))
    stack.callback(processes.end, [client])
    return client


FLOORS: dict[str, Callable[[Effort, Sink, Path], None]] = {
    "floor_kill": floor_kill,
    "floor_echo": floor_echo,
    "floor_fsync": floor_fsync,
}
