"""The root file system that all hosts share: built once with mmdebstrap, from this machine's own package sources."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from .process import LabError, run
from .settings import Lab

CUSTOMISE = Path(__file__).resolve().parent / "rootfs.sh"
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "libpam-systemd",
    "openssh-server",
    "sudo",  # a host
    "python3",
    "tar",
    "gzip",
    "zstd",
    "sqlite3",
    "procps",
    "util-linux",
    "e2fsprogs",  # for deploys and people
    "iproute2",
    "iputils-ping",
    "nftables",
    "libfaketime",  # for faults
)
KEPT_OPTIONS = ("Acquire::http", "Acquire::https", "Acquire::Check-", "Acquire::Retries", "Acquire::ForceIPv")
SHOWN_LINES_ON_FAILURE = 40


def recipe() -> str:
    """A hash that changes when the root file system must be built again."""
    text = " ".join(PACKAGES) + CUSTOMISE.read_text() + Path("/etc/os-release").read_text()
    return hashlib.sha256(text.encode()).hexdigest()


def is_built(lab: Lab) -> bool:
    """Whether the root file system is complete and of today's recipe."""
    mark = _mark(lab.base)
    return mark.exists() and mark.read_text() == recipe()


def build(lab: Lab) -> None:
    """Build it; a killed build leaves only a folder under a temporary name, no process and no mount.

    Raises LabError when mmdebstrap fails, with its last lines.
    """
    for old in lab.base.parent.glob(f"{lab.base.name}*"):
        shutil.rmtree(old)
    suite, lines = _given_sources(lab.apt_lines) if lab.apt_lines else _own_sources()
    print(f"lab: building the hosts' root file system ({suite}), once; it takes about a minute", flush=True)
    started = time.monotonic()
    new = lab.base.with_name(f"{lab.base.name}.{os.getpid()}")
    _mmdebstrap(suite, lines, new)
    _mark(new).write_text(recipe())
    new.rename(lab.base)  # only a complete one ever has this name
    print(f"lab: root file system built in {time.monotonic() - started:.0f} s", flush=True)


def _mark(folder: Path) -> Path:
    return folder / ".lab-recipe"


def _mmdebstrap(suite: str, lines: list[str], folder: Path) -> None:
    apt = ['APT::Install-Recommends "false"', 'Acquire::Languages "none"', *_own_apt_options()]
    # In namespaces of its own, ended with us: whatever it mounts or starts goes away with them.
    command = ["setpriv", "--pdeathsig", "KILL"]
    command += ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command += ["mmdebstrap", "--mode=root", "--variant=apt", f"--include={','.join(PACKAGES)}"]
    command += ["--dpkgopt=force-unsafe-io"]
    command += [f"--dpkgopt=path-exclude=/usr/share/{unused}/*" for unused in ("man", "doc", "locale")]
    command += [f"--aptopt={option}" for option in apt]
    command += [f"--customize-hook=sh '{CUSTOMISE}' \"$1\"", suite, str(folder), *lines]
    said: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        close_fds=False,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if line.startswith("I: "):  # its stages; the rest is apt's and dpkg's chatter
                print(f"lab:   {line[3:].rstrip()}", flush=True)
    if process.returncode:
        tail = "".join(said[-SHOWN_LINES_ON_FAILURE:])
        raise LabError(
            f"the root file system was not built; mmdebstrap said:\n{tail}\nTry again when the package"
            ' sources answer (`apt-get update`), or name others with LAB_APT="deb URL SUITE main"'
        )


def _given_sources(lines: tuple[str, ...]) -> tuple[str, list[str]]:
    words = [word for word in lines[0].split() if not word.startswith(("deb", "[", "http", "signed-by"))]
    if not words:
        raise LabError(f'LAB_APT={lines[0]!r} is not of the form "deb URL SUITE main"')
    return words[0], list(lines)


def _own_sources() -> tuple[str, list[str]]:
    """This machine's suite, and its own apt sources (main and universe); apt reads both of its formats for us."""
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    suite, distribution = (release.get(name, "").strip('"') for name in ("VERSION_CODENAME", "ID"))
    keyring = Path(f"/usr/share/keyrings/{distribution}-archive-keyring.gpg")
    option = f"[signed-by={keyring}] " if keyring.exists() else ""
    wanted_suites = (suite, f"{suite}-updates", f"{suite}-security")
    columns = "$(SITE) $(RELEASE) $(COMPONENT)"
    targets = run("apt-get", "indextargets", "--format", columns, "Created-By: Packages").stdout
    lines = sorted(
        {
            f"deb {option}{site} {of_suite} {component}"
            for site, of_suite, component in (line.split() for line in targets.splitlines())
            if of_suite in wanted_suites and component in ("main", "universe")
        }
    )
    if not any(line.endswith(f" {suite} main") for line in lines):
        raise LabError(
            f"apt has no source for {distribution or 'this system'} {suite or '(no code name)'};"
            ' name one with LAB_APT="deb URL SUITE main"'
        )
    return suite, lines


def _own_apt_options() -> list[str]:
    """Proxy, certificate and date-check settings of this machine's apt, which mmdebstrap does not read itself."""
    dump = run("apt-config", "dump", "--no-empty", "--format", '%F "%v";%n').stdout
    return [line for line in dump.splitlines() if line.startswith(KEPT_OPTIONS)]
