"""How this machine reaches the hosts by SSH: the lab's key, its ssh_config, and whether a host answers."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from . import network, provision
from .process import run, succeeds
from .settings import Host, Lab

DIAL = Path(__file__).resolve().parent / "dial.py"
USER = "lab"
PORT = 22
CONNECT_SECONDS = 0.3
BANNER_SECONDS = 1.0
GREETING = b"SSH-2.0-"

# A kept connection is closed by the lab when its host goes; ServerAlive* ends it when the host dies in another way.
CONFIG = """\
Host *
  User {user}
  IdentityFile {key}
  IdentitiesOnly yes
  UserKnownHostsFile {state}/known_hosts
  StrictHostKeyChecking yes
  GSSAPIAuthentication no
  ProxyCommand /usr/bin/python3 -ISE {state}/dial.py {switch} %h %p
  ProxyUseFdpass yes
  ControlMaster auto
  ControlPath {state}/connections/%h-%p-%r
  ControlPersist 60s
  ServerAliveInterval 2
  ServerAliveCountMax 3
"""


def make_key(lab: Lab) -> None:
    """The key that opens all hosts; the public half is written last, so that its presence means both are whole."""
    public = lab.private_key.with_suffix(".pub")
    if not public.exists():
        lab.private_key.unlink(missing_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", lab.prefix, "-f", lab.private_key)


def write_files(lab: Lab, hosts: tuple[Host, ...]) -> None:
    """Write ssh_config and what it names; nothing in it points into a clone, which may go away while the lab runs."""
    (lab.state / "connections").mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile(DIAL, lab.state / "dial.py.new")
    (lab.state / "dial.py.new").rename(lab.state / "dial.py")
    keys = (f"{host.name},{host.management_ip} {provision.host_key(lab, host).read_text()}" for host in hosts)
    _replace(lab.state / "known_hosts", "".join(keys))
    names = "".join(f"Host {host.name} {host.management_ip}\n  HostName {host.management_ip}\n" for host in hosts)
    _replace(lab.ssh_config, names + CONFIG.format(user=USER, key=lab.private_key, state=lab.state, switch=lab.switch))


def command(lab: Lab, host: Host, words: list[str]) -> list[str]:
    """The ssh command line to a host."""
    return ["ssh", "-F", str(lab.ssh_config), host.name, *words]


def answers(lab: Lab, host: Host) -> bool:
    """Whether the host's sshd greets."""

    def greeting() -> bytes:
        with socket.create_connection((host.management_ip, PORT), CONNECT_SECONDS) as connection:
            connection.settimeout(BANNER_SECONDS)
            return connection.recv(len(GREETING))

    try:
        return network.inside(lab, greeting) == GREETING
    except OSError:  # no switch, no host, no sshd yet: it does not answer
        return False


def hang_up(lab: Lab, host: Host) -> None:
    """End ssh's kept connections to a host: they would hang after it is gone."""
    for control in (lab.state / "connections").glob(f"{host.management_ip}-*"):
        succeeds("ssh", "-O", "exit", "-o", f"ControlPath={control}", host.name)
        control.unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.rename(path)
