"""The switch: one network namespace that holds both networks as bridges.

This machine's own network gets none of the hosts' addresses, so nothing on it changes and nothing can collide with it.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from .process import LabError, run, succeeds, wait_until
from .settings import Host, Lab, Network

CLONE_NEWNET = 0x40000000
CABLE_SECONDS = 5.0

Result = TypeVar("Result")


def inside(lab: Lab, work: Callable[[], Result]) -> Result:
    """The result of work(), run in a thread that has entered the switch.

    setns holds for one thread only, and a socket stays in the namespace in which it was made.
    Raises OSError if there is no switch, and what work raises.
    """

    def enter_and_work() -> Result:
        with open(lab.switch) as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"cannot enter {lab.switch}")
        return work()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(enter_and_work).result()


def exists(lab: Lab) -> bool:
    """Whether the switch is complete: its last step, the address of the service network, is done."""
    shown = run("ip", "-n", lab.prefix, "-o", "address", "show", lab.service.bridge, check=False).stdout
    return f" {lab.service.gateway} " in shown


def create(lab: Lab) -> None:
    """Make the switch; what a killed call may have left of it must be removed before."""
    run("ip", "netns", "add", lab.prefix)
    run("ip", "-n", lab.prefix, "link", "set", "lo", "up")
    for network in lab.networks:
        run("ip", "-n", lab.prefix, "link", "add", network.bridge, "type", "bridge", "forward_delay", "0")
        run("ip", "-n", lab.prefix, "link", "set", network.bridge, "up")
        run("ip", "-n", lab.prefix, "address", "add", network.gateway, "dev", network.bridge)


def remove(lab: Lab) -> None:
    """Remove the switch, complete or not."""
    if os.path.lexists(lab.switch):
        run("ip", "netns", "delete", lab.prefix)


def cable(host: Host, network: Network) -> str:
    """Name of the switch's end of a host's cable."""
    return f"{host.name}-{network.bridge}"


def plug(lab: Lab, host: Host) -> None:
    """Put a starting host's cables into the bridges."""
    for network in lab.networks:
        command = ("ip", "-n", lab.prefix, "link", "set", cable(host, network), "master", network.bridge, "up")
        if not wait_until(partial(succeeds, *command), CABLE_SECONDS):
            raise LabError(f"{host.name} has no network interface; {lab.home(host)}/console.log says why")


def unplug(lab: Lab, host: Host) -> None:
    """Cut a host's cables at the switch: nothing of it is heard any more, no FIN and no RST."""
    for network in lab.networks:
        run("ip", "-n", lab.prefix, "link", "set", cable(host, network), "down", check=False)
