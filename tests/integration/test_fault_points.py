"""The points at which a master kills itself are in tests only: no release holds one."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.integration.faulty_master import DIE_AT, DIED_AT

REPOSITORY = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(600)  # it may build a release


def test_no_release_has_a_fault_point() -> None:
    """Neither the file nor anything that looks at a trigger; judged from the very tar that deploy unpacks."""
    built = subprocess.run([sys.executable, REPOSITORY / "scripts/build_release"], stdout=subprocess.PIPE, check=True)
    with tarfile.open(json.loads(built.stdout)["archive"]) as release:
        ours = [member for member in release if "/site/tinysns/" in member.name]
        assert any(member.name.endswith("/tinysns/replication/replica.py") for member in ours)
        for member in ours:
            assert "fault" not in Path(member.name).name
            content = release.extractfile(member)
            code = content.read() if content is not None else b""
            assert not any(word.encode() in code for word in (DIE_AT, DIED_AT, "faulty_master")), member.name
