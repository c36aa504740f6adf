"""What each host gets for itself, once, before it is first booted: name, addresses, machine id, SSH keys."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from . import disks
from .process import run
from .settings import Host, Lab


def is_ready(lab: Lab, host: Host) -> bool:
    """Whether the host is complete and may boot with what it has."""
    return _mark(lab, host).exists()


def spoil(lab: Lab, host: Host) -> None:
    """Say that the host is about to be removed; if we are killed meanwhile, it is made anew."""
    _mark(lab, host).unlink(missing_ok=True)


def host_key(lab: Lab, host: Host) -> Path:
    """The host's public key."""
    return disks.changes(lab, host) / "etc/ssh/ssh_host_ed25519_key.pub"


def provision(lab: Lab, host: Host) -> None:
    """Write it into the host's root, which must not be mounted."""
    etc, ssh = _folder(lab, host, "etc"), _folder(lab, host, "etc/ssh")
    (etc / "hostname").write_text(f"{host.name}\n")
    names = (f"{other.service_ip} {other.name}\n{other.management_ip} {other.name}-mgmt\n" for other in lab.hosts)
    (etc / "hosts").write_text("127.0.0.1 localhost\n" + "".join(names))
    (etc / "machine-id").write_text(f"{os.urandom(16).hex()}\n")
    addresses = zip(lab.networks, (host.management_ip, host.service_ip), strict=True)
    (etc / "lab-net.batch").write_text(
        "".join(
            f"address add {address}/{network.subnet.prefixlen} dev {network.interface}\n"
            f"link set {network.interface} up\n"
            for network, address in addresses
        )
    )
    key = ssh / "ssh_host_ed25519_key"
    key.unlink(missing_ok=True)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", host.name, "-f", key)
    authorized = _folder(lab, host, "home/lab/.ssh") / "authorized_keys"
    shutil.copyfile(lab.private_key.with_suffix(".pub"), authorized)
    authorized.chmod(0o600)
    user = authorized.parent.stat()
    os.chown(authorized, user.st_uid, user.st_gid)
    _mark(lab, host).touch()  # last: without it all of this is done again


def _folder(lab: Lab, host: Host, path: str) -> Path:
    """A folder of the host's own layer, with the owners and modes that the shared root file system has along it."""
    folder = disks.changes(lab, host)
    for part in Path(path).parts:
        folder /= part
        below = (lab.base / folder.relative_to(disks.changes(lab, host))).stat()
        folder.mkdir(exist_ok=True)
        os.chown(folder, below.st_uid, below.st_gid)
        folder.chmod(below.st_mode & 0o7777)
    return folder


def _mark(lab: Lab, host: Host) -> Path:
    return lab.home(host) / "ready"
