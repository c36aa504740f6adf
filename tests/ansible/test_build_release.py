"""The release: an unchanged tree builds nothing, a changed one another release, the same tree the same bytes."""

import hashlib
import importlib.machinery
import importlib.util
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.ansible.playbook import REPOSITORY

pytestmark = pytest.mark.timeout(600)

SCRIPT = REPOSITORY / "scripts" / "build_release"


@pytest.fixture
def builder() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("build_release", str(SCRIPT))
    spec = importlib.util.spec_from_loader("build_release", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_release"] = module  # dataclasses look themselves up there
    loader.exec_module(module)
    return module


def run(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, "--out", out, *arguments], capture_output=True, text=True, timeout=500, check=False
    )


def test_an_unchanged_tree_builds_nothing(builder: ModuleType, tmp_path: Path) -> None:
    release = builder.release_id(builder.Hosts(builder.THIS_PYTHON, builder.platform.machine()))
    archive = tmp_path / "release" / f"{release}.tar"
    archive.parent.mkdir()
    archive.touch()
    said = json.loads(run(tmp_path).stdout)
    assert said == {"id": release, "archive": str(archive), "built": False}
    assert list(tmp_path.rglob("*")) == [archive.parent, archive]
    assert archive.read_bytes() == b"", "what is there is not even opened"


def test_whatever_a_host_gets_is_in_the_id(
    builder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    native = ("native/member/src/lib.rs", "native/raftnode/Cargo.toml", "native/Cargo.toml", "native/Cargo.lock")
    for path in ("src/tinysns/a.py", "requirements/runtime.txt", *native):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text("as it was")
    monkeypatch.setattr(builder, "ROOT", tree)
    monkeypatch.setattr(builder, "PACKAGE", tree / "src/tinysns")
    monkeypatch.setattr(builder, "NATIVE", tree / "native")
    monkeypatch.setattr(builder, "REQUIREMENTS", tree / "requirements/runtime.txt")
    monkeypatch.setattr(builder, "__file__", str(tree / "requirements/runtime.txt"))
    hosts = builder.Hosts("3.11", "x86_64")
    before = builder.release_id(hosts)
    (tree / "src/tinysns/__pycache__").mkdir()
    (tree / "src/tinysns/__pycache__/a.pyc").touch()
    assert builder.release_id(hosts) == before
    assert builder.release_id(builder.Hosts("3.12", "x86_64")) != before
    for path in ("src/tinysns/a.py", "requirements/runtime.txt", "native/member/src/lib.rs"):
        (tree / path).write_text("as it is now")
        assert builder.release_id(hosts) != before
        (tree / path).write_text("as it was")
        assert builder.release_id(hosts) == before


def test_hosts_of_another_kind_are_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "--machine", "riscv64")
    assert done.returncode == 1
    assert "deploy from a machine of the hosts' kind" in done.stderr
    assert not list(tmp_path.rglob("*.tar"))


def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    """What deploys take, whenever it was built, and one that is built now."""
    shutil.copytree(REPOSITORY / "build" / "wheels", tmp_path / "wheels")
    digests = set()
    for out in (REPOSITORY / "build", tmp_path):
        done = run(out)
        assert done.returncode == 0, done.stderr
        archive = Path(json.loads(done.stdout)["archive"])
        digests.add(hashlib.sha256(archive.read_bytes()).hexdigest())
    assert len(digests) == 1
    assert archive.is_relative_to(tmp_path)
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    prefix = f"tinysns/{archive.stem}"
    assert names[-1] == f"{prefix}/zz-complete"  # deploy takes it for the sign that all of it was unpacked
    assert f"{prefix}/site/tinysns/__init__.py" in names
    assert [name for name in names if "/raftnode.abi3.so" in name]
    assert [name for name in names if name.startswith(f"{prefix}/site/tinysns/__pycache__/")]  # byte code is in it
