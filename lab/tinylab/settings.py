"""What the lab is called, where it keeps its state, which addresses its hosts have: defaults and environment."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .process import LabError

MAX_HOSTS = 4
FIRST_ADDRESS = 11  # h1 is .11 in both networks; .1 is this machine, inside the switch

ENVIRONMENT = """environment:
  LAB_PREFIX    name of the lab, for a second one beside the first (tinysns-lab)
  LAB_STATE     folder for everything it keeps; not on overlayfs or NFS (/var/lib/$LAB_PREFIX)
  LAB_BASE      a built root file system of another lab, to be shared and never changed ($LAB_STATE/base)
  LAB_SUBNETS   management and service network (10.66.0.0/24,10.67.0.0/24)
  LAB_DATA_MB   size of each host's data disk in MB (2048; only what is used takes room)
  LAB_APT       package sources instead of this machine's own: "deb URL SUITE main", one a line"""


@dataclass(frozen=True)
class Host:
    """One host and its addresses."""

    name: str
    management_ip: str  # eth0: SSH, deploys, faults
    service_ip: str  # eth1: clients and the service's own traffic


@dataclass(frozen=True)
class Network:
    """One bridge in the switch, to which every host has a cable."""

    bridge: str
    interface: str  # its name inside the hosts
    subnet: ipaddress.IPv4Network

    @property
    def gateway(self) -> str:
        """This machine's own address in it, with prefix length."""
        return f"{self.subnet[1]}/{self.subnet.prefixlen}"

    def address(self, number: int) -> str:
        """Host h<number>'s address in it."""
        return str(self.subnet[FIRST_ADDRESS + number - 1])


@dataclass(frozen=True)
class Lab:
    """One lab; every clone and every call sees the same one, since all of it is machine-wide."""

    prefix: str
    state: Path
    base: Path  # the built root file system
    base_is_borrowed: bool  # of another lab: never built, never removed here
    data_mb: int
    apt_lines: tuple[str, ...]
    management: Network
    service: Network

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All hosts that the lab can have."""
        return tuple(
            Host(f"h{number}", self.management.address(number), self.service.address(number))
            for number in range(1, MAX_HOSTS + 1)
        )

    @property
    def networks(self) -> tuple[Network, Network]:
        return self.management, self.service

    @property
    def switch(self) -> Path:
        """The network namespace that holds both bridges."""
        return Path("/run/netns", self.prefix)

    @property
    def lock_path(self) -> Path:
        """Outside the state, so that a purge cannot remove the lock that somebody waits for."""
        return Path(f"/run/{self.prefix}.lock")

    @property
    def ssh_config(self) -> Path:
        return self.state / "ssh_config"

    @property
    def private_key(self) -> Path:
        return self.state / "id_ed25519"

    def home(self, host: Host) -> Path:
        """Everything that the lab keeps of one host."""
        return self.state / "hosts" / host.name

    def machine(self, host: Host) -> str:
        """The host's name on this machine: of its nspawn, cgroup and unit."""
        return f"{self.prefix}-{host.name}"

    def host(self, name: str) -> Host:
        """Raises LabError for an unknown name."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError(f"there is no host {name!r}; there are {', '.join(host.name for host in self.hosts)}")


def from_environment(environment: Mapping[str, str]) -> Lab:
    """Raises LabError for a value that cannot be used."""
    prefix = environment.get("LAB_PREFIX", "tinysns-lab")
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", prefix):
        raise LabError(f"LAB_PREFIX={prefix!r} must be lower case letters, digits and dashes, at most 32")
    state = Path(environment.get("LAB_STATE", f"/var/lib/{prefix}"))
    if not state.is_absolute() or re.search(r"[\s:,\\\"%]", str(state)):
        raise LabError(f"LAB_STATE={str(state)!r} must be an absolute path without blanks, quotes and , : % signs")
    data_mb = environment.get("LAB_DATA_MB", "2048")
    if not data_mb.isdecimal() or int(data_mb) < 32:
        raise LabError(f"LAB_DATA_MB={data_mb!r} must be a whole number of at least 32")
    management, service = _subnets(environment.get("LAB_SUBNETS", "10.66.0.0/24,10.67.0.0/24"))
    return Lab(
        prefix=prefix,
        state=state.resolve(),
        base=Path(environment.get("LAB_BASE", state / "base")).resolve(),
        base_is_borrowed="LAB_BASE" in environment,
        data_mb=int(data_mb),
        apt_lines=tuple(environment.get("LAB_APT", "").splitlines()),
        management=Network("mgmt", "eth0", management),
        service=Network("svc", "eth1", service),
    )


def _subnets(text: str) -> tuple[ipaddress.IPv4Network, ipaddress.IPv4Network]:
    try:
        management, service = (ipaddress.IPv4Network(word.strip()) for word in text.split(","))
    except ValueError as error:
        raise LabError(f"LAB_SUBNETS={text!r} must be two networks, as 10.66.0.0/24,10.67.0.0/24 ({error})") from None
    if management.overlaps(service) or min(management.num_addresses, service.num_addresses) < 32:
        raise LabError(f"LAB_SUBNETS={text!r} must be two different networks of at least 32 addresses each")
    return management, service
