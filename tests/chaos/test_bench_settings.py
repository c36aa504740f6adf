"""Settings for a checkout are written in its own words; what the machine says of processes is read rightly."""

import os
import sys
import threading
import tomllib
from pathlib import Path

import pytest

from chaos.bench.loopback import accounting
from chaos.bench.loopback.checkout import ROOT
from chaos.bench.loopback.rounds import chosen
from chaos.bench.loopback.settings import HostPorts, Known, ask_known, write_all
from chaos.errors import CannotRun
from tinysns.runtime.settings import MasterSettings, RouterSettings, SlaveSettings, load

HOSTS = tuple(HostPorts(f"h{n}", n, 21000 + n, 21100 + n, 21200 + n, 21300 + n) for n in (1, 2, 3, 4))


@pytest.fixture(scope="module", name="known")
def fixture_known() -> Known:
    return ask_known(Path(sys.executable), ROOT)


def test_this_checkout_can_read_what_is_written_for_it(tmp_path: Path, known: Known) -> None:
    write_all(known, tmp_path, HOSTS, Path(sys.executable))
    for host in HOSTS:
        master = load(tmp_path / host.name / "master.toml", MasterSettings)
        assert [member.address for member in master.members] == [f"127.0.0.1:2100{n}" for n in (1, 2, 3, 4)]
        slave = load(tmp_path / host.name / "slave.toml", SlaveSettings)
        assert slave.master_command[-1] == str(tmp_path / host.name / "master.toml")
    assert load(tmp_path / "router.toml", RouterSettings).listen == "127.0.0.1:21201"


def test_only_the_first_host_has_no_backup_router(tmp_path: Path, known: Known) -> None:
    write_all(known, tmp_path, HOSTS, Path(sys.executable))
    tables = [
        {key for key, value in tomllib.loads((tmp_path / host.name / "slave.toml").read_text()).items()
         if isinstance(value, dict)}
        for host in HOSTS
    ]  # fmt: skip
    assert not tables[0]
    assert all(len(table) == 1 for table in tables[1:])


def test_a_release_with_more_or_fewer_settings_gets_what_it_knows(tmp_path: Path, known: Known) -> None:
    newer = {**known, "Member": {**known["Member"], "peers": True}}
    write_all(newer, tmp_path, HOSTS, Path(sys.executable))
    members = tomllib.loads((tmp_path / "router.toml").read_text())["members"]
    assert members[1]["peers"] == "127.0.0.1:21302"
    older = {**known, "Member": {key: value for key, value in known["Member"].items() if key not in ("slave", "peers")}}
    write_all(older, tmp_path, HOSTS, Path(sys.executable))
    assert set(tomllib.loads((tmp_path / "router.toml").read_text())["members"][0]) == {"name", "node", "address"}


def test_a_setting_that_is_needed_and_not_known_here_is_said(tmp_path: Path, known: Known) -> None:
    stranger = {**known, "MasterSettings": {**known["MasterSettings"], "certificate": True}}
    with pytest.raises(CannotRun, match="MasterSettings of that checkout needs certificate"):
        write_all(stranger, tmp_path, HOSTS, Path(sys.executable))


def test_a_measure_brings_its_yardstick_along() -> None:
    assert chosen(["available_kill_write_gap"]) == (["floor_kill"], ["available_kill_write_gap"])
    assert chosen(["floor_echo"]) == (["floor_echo"], [])
    floors, measures = chosen([])
    assert floors == ["floor_kill", "floor_echo", "floor_fsync"]
    assert not {"busy", "frozen_python"} & set(measures)


def test_cpu_time_holds_that_of_threads_that_have_ended() -> None:
    before = accounting.usage(os.getpid())
    thread = threading.Thread(target=lambda: sum(range(2_000_000)))
    thread.start()
    thread.join()
    used = accounting.usage(os.getpid()).since(before)
    assert used.cpu_ns > 5_000_000
    assert accounting.resident_bytes(os.getpid()) > 2**20


def test_a_process_that_is_gone_is_named() -> None:
    with pytest.raises(CannotRun, match=r"standby 1 \(process 4194305\) ended"):
        accounting.usages({"standby 1": 2**22 + 1})
