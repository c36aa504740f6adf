"""Where the `sns` command finds its routers: --router, else SNS_ROUTERS, else the file that deployment wrote."""

import os
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import click

CONFIG = Path("/etc/tinysns/client.toml")

# Literal, because nothing is looked up during a failover.
_ADDRESS = re.compile(r"(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\]):\d{1,5}")


class SettingsMissing(click.ClickException):
    """Nobody said where the routers are, or not in a usable way."""

    exit_code = 2


def routers(given: Sequence[str]) -> tuple[str, ...]:
    """The routers' addresses, from the first place that names any. Raises SettingsMissing."""
    if given:
        return _checked(given, "--router")
    if named := [address.strip() for address in os.environ.get("SNS_ROUTERS", "").split(",") if address.strip()]:
        return _checked(named, "SNS_ROUTERS")
    try:
        read = tomllib.loads(CONFIG.read_text()).get("routers")
    except FileNotFoundError:
        raise SettingsMissing(
            "no router is known: give --router ADDRESS:PORT, or set SNS_ROUTERS, or run this on a host of the service"
        ) from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise SettingsMissing(f"cannot read {CONFIG}: {e}") from None
    if not isinstance(read, list) or not read or not all(isinstance(address, str) for address in read):
        raise SettingsMissing(f'{CONFIG} must hold a line like routers = ["10.0.0.1:3010"]')
    return _checked(read, str(CONFIG))


def _checked(addresses: Sequence[str], where: str) -> tuple[str, ...]:
    for address in addresses:
        if not _ADDRESS.fullmatch(address):
            raise SettingsMissing(f"{where}: a router is an address and a port like 10.0.0.1:3010, not {address!r}")
    return tuple(dict.fromkeys(addresses))
