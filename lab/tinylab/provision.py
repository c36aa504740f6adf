"""What each host gets for itself, once, before it is first booted: name, addresses, machine id, SSH keys."""
from __future__ import annotations

import os
import shutil
from pathlib import Path

from . import disks
from .process import run
from .settings import Host, Lab

LAB_USER_ID = 1000          # the first user of a new root file system (rootfs.sh)


def is_ready(lab: Lab, host: Host) -> bool:
    """Whether the host is complete and may boot with what it has."""
    return _mark(lab, host).exists()


def spoil(lab: Lab, host: Host) -> None:
    """Say that the host is about to be removed; if we are killed meanwhile, it is made anew."""
    _mark(lab, host).unlink(missing_ok=True)


def host_key(lab: Lab, host: Host) -> Path:
    """The host's public key; readable also while the host's root is not mounted."""
    return lab.home(host) / "upper/etc/ssh/ssh_host_ed25519_key.pub"


def provision(lab: Lab, host: Host) -> None:
    """Write it into the mounted root."""
    etc = disks.root(lab, host) / "etc"
    (etc / "hostname").write_text(f"{host.name}\n")
    names = (f"{other.service_ip} {other.name}\n{other.management_ip} {other.name}-mgmt\n" for other in lab.hosts)
    (etc / "hosts").write_text("127.0.0.1 localhost\n" + "".join(names))
    (etc / "machine-id").write_text(f"{os.urandom(16).hex()}\n")
    addresses = zip(lab.networks, (host.management_ip, host.service_ip), strict=True)
    (etc / "lab-net.batch").write_text("".join(
        f"address add {address}/{network.subnet.prefixlen} dev {network.interface}\nlink set {network.interface} up\n"
        for network, address in addresses
    ))
    key = etc / "ssh/ssh_host_ed25519_key"
    key.unlink(missing_ok=True)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", host.name, "-f", key)
    authorized = disks.root(lab, host) / "home/lab/.ssh/authorized_keys"
    shutil.copyfile(lab.private_key.with_suffix(".pub"), authorized)
    authorized.chmod(0o600)
    os.chown(authorized, LAB_USER_ID, LAB_USER_ID)
    _mark(lab, host).touch()                            # last: without it all of this is done again


def _mark(lab: Lab, host: Host) -> Path:
    return lab.home(host) / "ready"
