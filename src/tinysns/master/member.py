"""Opening the data of a founded member: its state, and its native node, which then lives by itself."""

import raftnode

from tinysns.runtime.process import CannotStart
from tinysns.runtime.settings import MasterSettings
from tinysns.storage.schema import StateError
from tinysns.storage.state import StateMachine

_LOG_FILE_MB, _LOG_KEEP_MB = 16, 64


def open_member(settings: MasterSettings, cluster_id: str, incarnation: int) -> tuple[StateMachine, raftnode.Node]:
    """Blocks while the log is read. The node speaks to its peers from now on. Raises CannotStart."""
    try:
        state = StateMachine.open(settings.data / "state", cluster_id)
        node = raftnode.Node(
            str(settings.data / "log"),
            settings.node,
            settings.me.peers,
            {m.node: m.peers for m in settings.members},
            cluster_id,
            incarnation,
            state.applied_index,
            state.installed_index,
            reserve_bytes=settings.reserve_mb << 20,
            stuck_seconds=settings.stuck_seconds,
            durations_ms=settings.consensus.durations_ms,
            file_mb=_LOG_FILE_MB,
            keep_mb=_LOG_KEEP_MB,
        )
    except (raftnode.Unusable, StateError) as e:
        raise CannotStart(f"the data in {settings.data} cannot be used, and must not vote: {e}") from e
    except (raftnode.InUse, raftnode.CannotListen) as e:
        raise CannotStart(f"{settings.name}: {e}") from e
    except ValueError as e:
        raise CannotStart(f"the addresses in members, or the durations in [consensus], do not fit: {e}") from e
    return state, node
