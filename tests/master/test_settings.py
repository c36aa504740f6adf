"""What a master's settings may say of the service's texts."""

from pathlib import Path

import pytest

from tinysns.course.texts import DIALECTS
from tinysns.runtime import settings
from tinysns.runtime.settings import MasterSettings, SettingsError, load

MEMBER = '[[members]]\nname = "h1"\nnode = 1\naddress = "127.0.0.1:1"\nslave = "127.0.0.1:2"\n'


def master_toml(folder: Path, more: str = "") -> Path:
    path = folder / "master.toml"
    path.write_text(f'name = "h1"\nlisten = "127.0.0.1:1"\ndata = "d"\nruntime = "r"\nrouters = []\n{more}{MEMBER}')
    return path


def test_the_choice_is_of_all_dialects_that_there_are() -> None:
    assert tuple(DIALECTS) == settings.DIALECTS


@pytest.mark.parametrize("name", DIALECTS)
def test_each_dialect_can_be_chosen(name: str, tmp_path: Path) -> None:
    assert load(master_toml(tmp_path, f'dialect = "{name}"\n'), MasterSettings).dialect == name


def test_without_a_choice_it_is_spring2019(tmp_path: Path) -> None:
    assert load(master_toml(tmp_path), MasterSettings).dialect == "spring2019"


def test_another_dialect_is_refused_with_the_choice_there_is(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="one of spring2019, spring2020, fall2022, fall2023, hw2, not 'summer'"):
        load(master_toml(tmp_path, 'dialect = "summer"\n'), MasterSettings)
