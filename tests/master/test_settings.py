"""What a master's settings may say."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.master.test_founding import settings
from tinysns.course.texts import DIALECTS
from tinysns.master import founding
from tinysns.master.member import open_member
from tinysns.runtime.process import CannotStart
from tinysns.runtime.settings import DIALECTS as DIALECT_NAMES
from tinysns.runtime.settings import Consensus, MasterSettings, SettingsError, load

MEMBER = '[[members]]\nname = "h1"\nnode = 1\naddress = "127.0.0.1:1"\nslave = "127.0.0.1:2"\npeers = "127.0.0.1:3"\n'


def master_toml(folder: Path, more: str = "") -> Path:
    path = folder / "master.toml"
    path.write_text(f'name = "h1"\nlisten = "127.0.0.1:1"\ndata = "d"\nruntime = "r"\nrouters = []\n{more}{MEMBER}')
    return path


def test_the_choice_is_of_all_dialects_that_there_are() -> None:
    assert tuple(DIALECTS) == DIALECT_NAMES


@pytest.mark.parametrize("name", DIALECTS)
def test_each_dialect_can_be_chosen(name: str, tmp_path: Path) -> None:
    assert load(master_toml(tmp_path, f'dialect = "{name}"\n'), MasterSettings).dialect == name


def test_an_election_takes_as_long_here_as_in_the_native_member() -> None:
    timing = Path(__file__).parents[2] / "native/member/src/timing.rs"
    (election_ms,) = re.findall(r"\belection: ms\((\d+)\)", timing.read_text())
    assert Consensus().election_seconds == int(election_ms) / 1000


def test_without_a_choice_it_is_spring2019(tmp_path: Path) -> None:
    assert load(master_toml(tmp_path), MasterSettings).dialect == "spring2019"


def test_another_dialect_is_refused_with_the_choice_there_is(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="one of spring2019, spring2020, fall2022, fall2023, hw2, not 'summer'"):
        load(master_toml(tmp_path, 'dialect = "summer"\n'), MasterSettings)


def test_durations_that_are_not_given_are_the_native_members_own(tmp_path: Path) -> None:
    table = "[consensus]\ndisk_stall_ms = 700\n"
    given = load(master_toml(tmp_path, ""), MasterSettings).consensus
    assert given.durations_ms == {}
    path = master_toml(tmp_path, "")
    path.write_text(path.read_text() + table)
    assert load(path, MasterSettings).consensus.durations_ms == {"disk_stall": 700.0}


def test_durations_that_do_not_fit_are_refused_with_a_sentence(tmp_path: Path) -> None:
    host = settings(tmp_path)
    founding.invite(host, "c1")
    founding.confirm(host)
    unfit = replace(host, consensus=Consensus(election_ms=100, heartbeat_ms=90))
    with pytest.raises(CannotStart, match=r"do not fit: three heartbeats .* must not be longer than election"):
        open_member(unfit, "c1", 1)
