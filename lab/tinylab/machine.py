"""One host as a running machine: start, stop, power cut.

A host is found by the command line of its systemd-nspawn, never by a pid file, which can be missing or stale.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from . import cgroups, disks, network, provision, ssh
from .process import LabError, run, succeeds, wait_ended
from .settings import Host, Lab

SHUTDOWN_SECONDS = 20.0
KILL_SECONDS = 5.0


def supervisor(lab: Lab, host: Host) -> int | None:
    """Process id of the host's systemd-nspawn, or of what is about to become it."""
    wanted = {f"--machine={lab.machine(host)}".encode(), f"--directory={disks.root(lab, host)}".encode()}
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with suppress(OSError):  # it ended while we looked
            words = (process / "cmdline").read_bytes().split(b"\0")
            if wanted <= set(words):
                return int(process.name)
    return None


def init(lab: Lab, host: Host) -> int | None:
    """Process id, on this machine, of the host's PID 1."""
    pid = supervisor(lab, host)
    with suppress(OSError):  # it ended while we looked
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else None
    return None


def console_log(lab: Lab, host: Host) -> Path:
    return lab.home(host) / "console.log"


def start(lab: Lab, host: Host) -> None:
    """Boot the host unless it runs; returns once its cables are plugged in, before it answers."""
    if provision.is_ready(lab, host) and init(lab, host) and not _ending(lab, host).exists():
        network.plug(lab, host)
        return
    stop(lab, host)  # what a killed `up` or `down`, or the host's own poweroff, may have left
    disks.create(lab, host)
    if not provision.is_ready(lab, host):
        provision.provision(lab, host)
    if cgroups.SYSTEMD:
        _run_as_unit(lab, host)
    else:
        _run_detached(lab, host)
    network.plug(lab, host)


def kill_all(lab: Lab, hosts: tuple[Host, ...]) -> None:
    """Begin the end of several hosts at once; stop() then finds them ended."""
    for host in hosts:
        if pid := supervisor(lab, host):
            disks.thaw(lab, host, pid)
            _kill(init(lab, host))


def shut_down(lab: Lab, host: Host) -> None:
    """Orderly: the host's own systemd stops everything first."""
    ssh.hang_up(lab, host)
    if pid := supervisor(lab, host):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        wait_ended(pid, SHUTDOWN_SECONDS)
    stop(lab, host)


def cut_power(lab: Lab, host: Host) -> None:
    """The host vanishes: its peers hear nothing, and its data disk keeps only what was fsynced."""
    _ending(lab, host).touch()  # should we be killed: a host without a disk must not live on
    network.unplug(lab, host)  # before the end: dying processes must not say goodbye
    if pid := supervisor(lab, host):
        disks.cut(lab, host, pid)
    stop(lab, host)


def stop(lab: Lab, host: Host) -> None:
    """End the host, running or half started; its disks stay, unmounted."""
    ssh.hang_up(lab, host)
    if pid := supervisor(lab, host):
        disks.thaw(lab, host, pid)
        _kill(init(lab, host))  # ends everything in the host, then its nspawn
        if not wait_ended(pid, KILL_SECONDS):
            _kill(pid)
            if not wait_ended(pid, KILL_SECONDS):
                raise LabError(f"{host.name} does not end: its nspawn, process {pid}, is stuck; see `dmesg`")
    if cgroups.SYSTEMD:  # else the unit's name may still be taken at the next start
        succeeds("systemctl", "stop", lab.machine(host))
    disks.wait_released(lab, host)
    cgroups.remove(lab, host)
    with suppress(OSError):  # nspawn leaves it behind when it is killed
        os.rmdir(f"/run/systemd/nspawn/propagate/{lab.machine(host)}")
    _ending(lab, host).unlink(missing_ok=True)


def _ending(lab: Lab, host: Host) -> Path:
    """There while the host's power is being cut."""
    return lab.home(host) / "ending"


def _kill(pid: int | None) -> None:
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _nspawn(lab: Lab, host: Host) -> list[str]:
    """The command that is the host; run inside the switch, so that its cables' other ends appear beside the bridges."""
    cables = [f"--network-veth-extra={network.cable(host, net)}:{net.interface}" for net in lab.networks]
    # cgroup v1 without systemd: lab-init makes the resource controllers writable, then becomes systemd (rootfs.sh)
    boot = ["--boot"] if cgroups.UNIFIED or cgroups.SYSTEMD else ["/usr/local/sbin/lab-init"]
    nspawn = [
        "systemd-nspawn",
        "--quiet",
        "--register=no",
        "--keep-unit",
        f"--machine={lab.machine(host)}",
        f"--hostname={host.name}",
        f"--directory={disks.root(lab, host)}",
        f"--bind={disks.data(lab, host)}:/srv/data",
        "--private-network",
        *cables,
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--console=read-only",
        "--kill-signal=SIGRTMIN+3",
        *boot,
    ]
    return ["nsenter", f"--net={lab.switch}", *disks.mounted(lab, host, nspawn)]


def _run_as_unit(lab: Lab, host: Host) -> None:
    log = console_log(lab, host)
    streams = (f"Standard{stream}=append:{log}" for stream in ("Output", "Error"))
    settings = ("Delegate=yes", "KillMode=mixed", "TasksMax=16384", *streams)
    properties = (f"--property={setting}" for setting in settings)
    run("systemd-run", "--quiet", "--collect", f"--unit={lab.machine(host)}", *properties, "--", *_nspawn(lab, host))


def _run_detached(lab: Lab, host: Host) -> None:
    groups = cgroups.create(lab, host)

    def enter_groups() -> None:
        for group in groups:
            (group / "cgroup.procs").write_text("0")

    with open(console_log(lab, host), "a") as log:
        # Never waited for: it outlives us. It keeps nothing of ours open, least of all the lab's lock.
        subprocess.Popen(
            _nspawn(lab, host),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            close_fds=True,
            preexec_fn=enter_groups,
            start_new_session=True,
        )
