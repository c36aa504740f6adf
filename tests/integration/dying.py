"""Services whose masters die when a test says so, and the proof that one died there and nowhere else."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.integration.faulty_master import DIE_AT, DIED_AT
from tests.integration.service import FORGIVING, Service, until
from tinysns.domain.writes import Follow, Login, Post, Unfollow, Write


@contextlib.contextmanager
def mortal_service(folder: Path) -> Iterator[Service]:
    """Three hosts with masters of faulty_master.py, started."""
    service = Service(folder, run_master=(str(Path(__file__).with_name("faulty_master.py")),), run_slave=FORGIVING)
    try:
        service.start()
        yield service
    finally:
        service.end()


@dataclass(frozen=True)
class Death:
    """The log entry that the master died with: its index, and the texts of all posts in it."""

    index: int
    texts: tuple[str, ...]


class Doom:
    """The next death of the master of one host, a leader: at `point`, in the entry that holds `write`."""

    def __init__(self, service: Service, host: str, point: str, write: Write) -> None:
        self._service, self._host = service, host
        self._die_at, self._died_at = service.folder / host / DIE_AT, service.folder / host / DIED_AT
        self._wanted = {"point": point, "kind": type(write).__name__, "marker": _marker(write)}

    async def __aenter__(self) -> "Doom":
        self._before = await self._service.master_status(self._host)
        assert self._before is not None
        self._died_at.unlink(missing_ok=True)
        draft = self._die_at.with_suffix(".draft")
        draft.write_text(json.dumps(self._wanted))
        draft.rename(self._die_at)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._die_at.unlink(missing_ok=True)

    async def came(self) -> Death:
        """What the dead master said with its last breath, once the next one of that host serves."""

        async def died() -> bool:
            return self._died_at.exists()

        # A master for whose clients nobody waits applies what is committed a little later than others.
        await until(died, f"an entry is at the point where {self._host} is to die: {self._wanted}", 60)
        assert not self._die_at.exists()
        said = json.loads(self._died_at.read_text())
        assert (said["point"], said["led"]) == (self._wanted["point"], True)
        assert (said["pid"], said["incarnation"]) == (self._before.pid, self._before.incarnation)

        async def serves_again() -> bool:
            status = await self._service.master_status(self._host)
            return status is not None and status.serving and status.incarnation == self._before.incarnation + 1

        await until(serves_again, f"the next master of {self._host} serves")
        texts = (text for command in said["writes"] for text in command["write"].get("texts", ()))
        return Death(said["index"], tuple(texts))


def _marker(write: Write) -> str:
    """What no other write of this kind holds, as these tests choose their names and texts."""
    match write:
        case Login(user) | Follow(user, _) | Unfollow(user, _):
            return user
        case Post(_, texts):
            return texts[-1]
