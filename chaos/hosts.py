"""SSH to the hosts: one kept connection each, commands with a deadline, errors that carry everything."""

import logging
import shlex
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import paramiko

from chaos.errors import CannotRun
from chaos.inventory import Host, Inventory

_CONNECT_SECONDS = 5.0
_COMMAND_SECONDS = 10.0

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # its errors come as exceptions, and those say it better


@dataclass(frozen=True, slots=True)
class RemoteError(Exception):
    """A command failed on a host."""

    host: str
    command: str
    exit_status: int  # -1: none came (the connection ended, or the deadline passed)
    stderr: str

    def __str__(self) -> str:
        status = "without an exit status" if self.exit_status < 0 else f"with exit status {self.exit_status}"
        return f"on {self.host}, `{self.command}` ended {status}: {self.stderr.strip() or 'it said nothing'}"


class Deadline(Exception):
    """What was waited for did not happen in time; str() says what."""


def wait_until(condition: Callable[[], str], seconds: float, *, every_seconds: float = 0.1) -> None:
    """Returns once `condition` returns "" (else: what is still missing). For what no event tells. Raises Deadline."""
    end = time.monotonic() + seconds
    while missing := condition():
        if time.monotonic() + every_seconds > end:
            raise Deadline(f"after {seconds:g} s: {missing}")
        time.sleep(every_seconds)


class Remote:
    """One host over one kept connection."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._client = paramiko.SSHClient()  # its policy refuses host keys that it does not know

    def connect(self) -> None:
        """Raises CannotRun."""
        host, config = self.host, _ssh_config(self.host)
        known = config.get("userknownhostsfile", str(Path("~/.ssh/known_hosts").expanduser()))
        keys = [host.key_file] if host.key_file else config.get("identityfile")
        files = [str(Path(key).expanduser()) for key in keys or ()]
        user = host.user or config.get("user")
        try:
            for file in shlex.split(str(known)):
                if Path(file).expanduser().exists():
                    self._client.load_host_keys(str(Path(file).expanduser()))
            sock = socket.create_connection((host.address, host.port), _CONNECT_SECONDS)
        except OSError as e:
            raise CannotRun(_unreachable(host, config, str(e))) from e
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each command waits 40 ms for a delayed ACK
        try:
            self._client.connect(
                host.address,
                port=host.port,
                username=user if isinstance(user, str) else None,
                key_filename=files or None,  # type: ignore[arg-type]  # the stubs do not know that a list is allowed
                allow_agent=not keys,
                look_for_keys=not keys,
                timeout=_CONNECT_SECONDS,
                banner_timeout=_CONNECT_SECONDS,
                auth_timeout=_CONNECT_SECONDS,
                sock=sock,
            )
        except (paramiko.SSHException, OSError) as e:
            raise CannotRun(_unreachable(host, config, f"SSH says: {e}")) from e
        transport = self._client.get_transport()
        if transport:
            transport.set_keepalive(2)

    def run(self, command: str, *, seconds: float = _COMMAND_SECONDS) -> str:
        """What the command printed. Raises RemoteError unless it ended with status 0 in time."""
        try:
            _, out, err = self._client.exec_command(command, timeout=seconds)
            text = out.read().decode(errors="replace")
            status, complaint = out.channel.recv_exit_status(), err.read().decode(errors="replace")
        except (paramiko.SSHException, OSError, EOFError) as e:  # OSError: TimeoutError too
            raise RemoteError(self.host.name, command, -1, str(e) or type(e).__name__) from e
        if status != 0:
            raise RemoteError(self.host.name, command, status, complaint or text)
        return text

    def close(self) -> None:
        self._client.close()


class Remotes:
    """Connections to all hosts of the inventory, by name; a context manager."""

    def __init__(self, inventory: Inventory) -> None:
        self._remotes = {host.name: Remote(host) for host in inventory.hosts}

    def __enter__(self) -> Self:
        """Raises CannotRun if any host cannot be reached."""
        try:
            for remote in self._remotes.values():
                remote.connect()
        except CannotRun:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def __getitem__(self, name: str) -> Remote:
        return self._remotes[name]

    def _close(self) -> None:
        for remote in self._remotes.values():
            remote.close()


def _ssh_config(host: Host) -> dict[str, str | list[str]]:
    path = Path(host.ssh_config or "~/.ssh/config").expanduser()
    if not path.exists():
        if host.ssh_config:
            raise CannotRun(f"{host.name} is to be reached by {path}, which does not exist; in the lab: lab/hosts up")
        return {}
    found = paramiko.SSHConfig.from_path(str(path)).lookup(host.address)
    return {key: found[key] for key in found}


def _unreachable(host: Host, config: dict[str, str | list[str]], why: str) -> str:
    sentence = f"{host.name} ({host.address}) cannot be reached from here: {why}"
    if "proxycommand" in config:
        return f"{sentence}; on the lab run it inside the lab's network: lab/hosts exec .venv/bin/sns-chaos run"
    return sentence


def first_line(text: str) -> str:
    """Without the blanks around it; empty if there is none."""
    lines: Sequence[str] = text.strip().splitlines()
    return lines[0].strip() if lines else ""
