"""What each command of `lab/hosts` does with the whole lab.  The caller holds the lock for those that change it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import disks, image, machine, network, preflight, provision, ssh
from .process import LabError, wait_until
from .settings import MAX_HOSTS, Host, Lab

ANSWER_SECONDS = 60.0
EXIT_NOT_ALL_ANSWER = 3


def up(lab: Lab, host_count: int) -> None:
    """The first host_count hosts answer, the others are off; running hosts and all data are left alone."""
    preflight.check_tools()
    _have_state_folder(lab)
    started = time.monotonic()
    if not network.exists(lab):
        preflight.check_kernel(lab)
    ssh.make_key(lab)
    _have_image(lab)
    if not network.exists(lab):
        for host in lab.hosts:  # whatever still runs hangs on a switch that is gone
            machine.stop(lab, host)
        network.remove(lab)
        network.create(lab)
    wanted, spare = lab.hosts[:host_count], lab.hosts[host_count:]
    _count_path(lab).write_text(f"{host_count}\n")
    for host in spare:
        machine.shut_down(lab, host)
    for host in wanted:
        machine.start(lab, host)
    ssh.write_files(lab, wanted)
    for host in wanted:
        _wait_for_answer(lab, host)
    names = ", ".join(host.name for host in wanted)
    print(f"lab: {names} answer after {time.monotonic() - started:.1f} s")


def down(lab: Lab) -> None:
    """Stop and remove the hosts with their data, and the switch; the built root file system stays."""
    started = time.monotonic()
    _remove_hosts(lab)
    print(f"lab: down after {time.monotonic() - started:.1f} s")


def purge(lab: Lab) -> None:
    """down, and remove everything else that the lab has made."""
    down(lab)
    if not lab.base_is_borrowed:
        for folder in lab.base.parent.glob(f"{lab.base.name}*"):
            shutil.rmtree(folder)
    shutil.rmtree(lab.state / "connections", ignore_errors=True)
    for name in ("id_ed25519", "id_ed25519.pub", "ssh_config", "known_hosts", "dial.py", "hosts-wanted"):
        (lab.state / name).unlink(missing_ok=True)
    if lab.state.exists() and not any(lab.state.iterdir()):  # what is not ours is not removed
        lab.state.rmdir()
    print("lab: purged")


def status(lab: Lab) -> int:
    """Print one line per host; the exit code: 3 unless all hosts of the lab answer."""
    if not _is_up(lab):
        print("lab: not up; run `lab/hosts up`")
        return EXIT_NOT_ALL_ANSWER
    wanted = _wanted(lab)
    with ThreadPoolExecutor(MAX_HOSTS) as threads:
        answering = list(threads.map(lambda host: ssh.answers(lab, host), wanted))
    for host, answers in zip(wanted, answering, strict=True):
        state = "answers" if answers else "runs, no ssh" if machine.supervisor(lab, host) else "off"
        print(f"{host.name}  management {host.management_ip}  service {host.service_ip}  {state}")
    return 0 if all(answering) else EXIT_NOT_ALL_ANSWER


def open_ssh(lab: Lab, name: str, words: list[str], only_print: bool) -> None:
    """Become ssh to a host, or print its command line. Returns only after printing."""
    host = _require(lab, name)
    command = ssh.command(lab, host, words)
    if only_print:
        print(" ".join(command))
        return
    if not machine.supervisor(lab, host):
        raise LabError(f"{name} is off; run `lab/hosts boot {name}`")
    os.execvp(command[0], command)


def execute(lab: Lab, words: list[str]) -> None:
    """Become a command of this machine, inside the switch. Does not return."""
    _require_up(lab)
    if not words:
        raise LabError("exec needs a command: lab/hosts exec CMD ...")
    if not shutil.which(words[0]):
        raise LabError(f"there is no command {words[0]!r} on this machine")
    sys.stdout.flush()
    os.execvp("nsenter", ["nsenter", f"--net={lab.switch}", "--", *words])


def power_cut(lab: Lab, name: str) -> None:
    """Take a running host's power away."""
    host = _require(lab, name)
    if not machine.supervisor(lab, host):
        raise LabError(f"{name} is off already; `lab/hosts boot {name}` boots it")
    started = time.monotonic()
    machine.cut_power(lab, host)
    print(f"lab: {name} has no power after {time.monotonic() - started:.1f} s")


def boot(lab: Lab, name: str) -> None:
    """Boot a host that is off, with the disks that it had."""
    host = _require(lab, name)
    started = time.monotonic()
    machine.start(lab, host)
    _wait_for_answer(lab, host)
    print(f"lab: {name} answers after {time.monotonic() - started:.1f} s")


def _have_state_folder(lab: Lab) -> None:
    try:
        lab.state.mkdir(parents=True, exist_ok=True)
        lab.state.chmod(0o755)  # ssh_config and known_hosts are for everybody to read
    except OSError as error:
        raise LabError(
            f"the lab cannot keep its state in {lab.state} ({error.strerror}); set LAB_STATE to another folder"
        ) from error


def _have_image(lab: Lab) -> None:
    if image.is_built(lab):
        return
    if lab.base_is_borrowed:
        raise LabError(
            f"LAB_BASE={lab.base} holds no root file system of this version; run `lab/hosts up` without LAB_BASE first"
        )
    if (lab.state / "hosts").exists():
        print("lab: the recipe of the root file system has changed: the hosts are removed and made anew", flush=True)
    _remove_hosts(lab)  # they stand on the one to be replaced
    image.build(lab)


def _remove_hosts(lab: Lab) -> None:
    _count_path(lab).unlink(missing_ok=True)
    for host in lab.hosts:
        provision.spoil(lab, host)
    machine.kill_all(lab, lab.hosts)  # all at once, then tidy up one by one
    for host in lab.hosts:
        machine.stop(lab, host)
    network.remove(lab)
    if (lab.state / "hosts").exists():
        shutil.rmtree(lab.state / "hosts")


def _count_path(lab: Lab) -> Path:
    return lab.state / "hosts-wanted"


def _wanted(lab: Lab) -> tuple[Host, ...]:
    return lab.hosts[: int(_count_path(lab).read_text())]


def _is_up(lab: Lab) -> bool:
    return _count_path(lab).exists() and lab.switch.exists()


def _require_up(lab: Lab) -> None:
    if not _is_up(lab):
        raise LabError("the lab is not up; run `lab/hosts up`")


def _require(lab: Lab, name: str) -> Host:
    host = lab.host(name)
    _require_up(lab)
    if host not in _wanted(lab):
        raise LabError(f"{name} is not part of the lab now; run `lab/hosts up --hosts {name[1:]}`")
    return host


def _wait_for_answer(lab: Lab, host: Host) -> None:
    if not wait_until(lambda: ssh.answers(lab, host), ANSWER_SECONDS):
        raise LabError(
            f"{host.name} does not answer on SSH; see {machine.console_log(lab, host)} and"
            f" {disks.changes(lab, host)}/var/log/journal; `lab/hosts down` and `up` make it anew"
        )
