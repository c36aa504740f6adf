"""The hosts of the cluster, read from the inventory that Ansible reads, by Ansible itself.

`ansible-inventory --list` would leave templates such as "{{ ansible_host }}" as they are; a debug task does not.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chaos.errors import CannotRun

DEFAULT_INVENTORY = Path("inventory/lab.yml")
_ANSIBLE_SECONDS = 60
_FACTS = {
    "name": "{{ inventory_hostname }}",
    "groups": "{{ group_names }}",
    "rank": "{{ (groups['masters'] | default([])).index(inventory_hostname) + 1 if 'masters' in group_names else 0 }}",
    "address": "{{ ansible_host | default(inventory_hostname) }}",
    "port": "{{ ansible_port | default(22) }}",
    "user": "{{ ansible_user | default('') }}",
    "key_file": "{{ ansible_ssh_private_key_file | default('') }}",
    "ssh_arguments": "{{ ansible_ssh_common_args | default('') }}",
    "service_ip": "{{ service_ip | default(ansible_host) | default(inventory_hostname) }}",
    "master_port": "{{ master_port | default(3011) }}",
    "slave_port": "{{ slave_port | default(3012) }}",
    "router_port": "{{ router_port | default(3010) }}",
    "service_user": "{{ tinysns_user | default('tinysns') }}",
}
_RESULT = re.compile(r"^(\S+) \| (\w+!?) => ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Host:
    """One host: how to reach it by SSH, and where its processes listen."""

    name: str
    groups: frozenset[str]
    rank: int  # node id of its master, 0: it has none
    address: str  # for SSH
    port: int
    user: str  # empty: as the SSH configuration says
    key_file: str
    ssh_config: str  # path of an SSH configuration file, empty: the user's own
    service_ip: str
    master_port: int
    slave_port: int
    router_port: int
    service_user: str

    @property
    def master(self) -> str:
        """Where its master listens, "address:port"."""
        return f"{self.service_ip}:{self.master_port}"

    @property
    def slave(self) -> str:
        """Where its slave listens."""
        return f"{self.service_ip}:{self.slave_port}"

    @property
    def router(self) -> str:
        """Where its router, or its slave as a deputy, listens."""
        return f"{self.service_ip}:{self.router_port}"


@dataclass(frozen=True, slots=True)
class Inventory:
    """All hosts, masters first in the order of their node ids."""

    path: Path
    hosts: tuple[Host, ...]

    @property
    def masters(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if "masters" in host.groups)

    @property
    def routers(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if "router" in host.groups)

    @property
    def deputies(self) -> tuple[Host, ...]:
        """The hosts whose slaves are deputy routers."""
        return tuple(host for host in self.masters if host not in self.routers)

    @property
    def router_addresses(self) -> tuple[str, ...]:
        """Where clients may ask for the way: the router first, then its deputies."""
        return tuple(host.router for host in (*self.routers, *self.deputies))

    def host(self, name: str) -> Host:
        """Raises KeyError for an unknown name."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)


def read_inventory(path: Path) -> Inventory:
    """Asks Ansible. Raises CannotRun."""
    if not path.exists():
        raise CannotRun(f"there is no inventory {path}; name one with --inventory (four-hosts.example.yml shows how)")
    command = _beside_python("ansible")
    pattern = "router:masters"
    arguments = [command, pattern, "-i", str(path), "-m", "ansible.builtin.debug", "-a", json.dumps({"msg": _FACTS})]
    environment = os.environ | {
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "1",
    }
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=_ANSIBLE_SECONDS, env=environment)
    except OSError as e:
        raise CannotRun(f"cannot execute {command} to read {path}: {e.strerror}; `make setup` installs it") from e
    except subprocess.TimeoutExpired as e:
        raise CannotRun(f"ansible did not read {path} within {_ANSIBLE_SECONDS} s") from e
    if done.returncode != 0:
        raise CannotRun(f"ansible cannot read {path}: {_last_line(done.stdout + done.stderr)}")
    hosts = tuple(sorted(parse_hosts(done.stdout), key=lambda host: (host.rank == 0, host.rank, host.name)))
    inventory = Inventory(path, hosts)
    if not inventory.masters or not inventory.routers:
        raise CannotRun(f"{path} needs hosts in both groups, `masters` and `router`; inventory/lab.yml shows how")
    return inventory


def parse_hosts(output: str) -> Iterator[Host]:
    """The hosts in the output of the debug task. Raises CannotRun if a host has failed or says something else."""
    decoder = json.JSONDecoder()
    for found in _RESULT.finditer(output):
        facts = decoder.raw_decode(output, found.end())[0].get("msg")
        if found[2] != "SUCCESS" or not isinstance(facts, dict):
            raise CannotRun(f"the inventory's variables of {found[1]} cannot be used: {facts}")
        yield Host(
            name=str(facts["name"]),
            groups=frozenset(facts["groups"]),
            rank=int(facts["rank"]),
            address=str(facts["address"]),
            port=int(facts["port"]),
            user=str(facts["user"]),
            key_file=str(facts["key_file"]),
            ssh_config=_config_of(str(facts["ssh_arguments"])),
            service_ip=str(facts["service_ip"]),
            master_port=int(facts["master_port"]),
            slave_port=int(facts["slave_port"]),
            router_port=int(facts["router_port"]),
            service_user=str(facts["service_user"]),
        )


def _config_of(ssh_arguments: str) -> str:
    words = shlex.split(ssh_arguments)
    return words[words.index("-F") + 1] if "-F" in words[:-1] else ""


def _beside_python(command: str) -> str:
    """The program of this virtual environment, whether or not that is activated."""
    beside = Path(sys.executable).parent / command
    return str(beside) if beside.exists() else shutil.which(command) or command


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it gave no reason")
