"""restart_to_serving_ms: a standby master is SIGKILLed; from then until the new one says that it serves."""

import os
import signal
import time

from chaos.bench.loopback.batches import fill
from chaos.bench.loopback.session import Session

_CALM_SECONDS = 1.0


def restart_to_serving(session: Session) -> None:
    """One value for each restart, with at least `state_posts` posts in the state."""
    cluster = session.cluster
    if (missing := session.effort.state_posts - session.posts) > 0:
        session.say(f"restart: {missing:,} posts first, so that there are {session.effort.state_posts:,}")
        fill(session, missing)
    values = []
    for n in range(session.effort.restarts):
        victim = cluster.standby(n)
        time.sleep(_CALM_SECONDS)  # a pause between two restarts; nothing is waited for
        asked_ns = time.monotonic_ns()
        os.kill(victim.pid, signal.SIGKILL)
        values.append((cluster.wait_serving(victim.host, victim.pid) - asked_ns) / 1e6)
    session.sink.add("restart_to_serving_ms", "ms", values, parts={"posts in the state": session.posts})
    session.say(f"restarts: {', '.join(f'{value:.0f}' for value in values)} ms")
