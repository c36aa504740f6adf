"""available_kill_*: the Available master is SIGKILLed again and again; how long a writer and a follower wait."""

import os
import random
import signal
import time

from chaos.bench.loopback.gaps import wait_ms
from chaos.bench.loopback.session import Session
from chaos.bench.loopback.traffic import lone_posts

_EVERY_MS = 5.0
_CALM_SECONDS = 1.0  # between "all is well" and the kill
_JITTER_SECONDS = 0.2  # so that kills do not fall into step with any clock of the service
_FLOOR = "floor_kill"


def available_kill(session: Session) -> None:
    """One value for each kill. The follower reads from a standby, which may be the next one to lead."""
    cluster, chance = session.cluster, random.Random(session.runs)
    first = cluster.standby()
    kills: list[tuple[int, int]] = []  # when it was killed, when the new one served
    with lone_posts(session, "kills", _EVERY_MS, first.host.master) as run:
        for n in range(session.effort.kills):
            run.traffic.move_followers(cluster.standby(n).host.master)
            victim = cluster.leader()
            time.sleep(_CALM_SECONDS + chance.uniform(0, _JITTER_SECONDS))  # the traffic's own time
            asked_ns = time.monotonic_ns()
            os.kill(victim.pid, signal.SIGKILL)
            kills.append((asked_ns, cluster.wait_serving(victim.host, victim.pid)))
        time.sleep(_CALM_SECONDS)
    acknowledged = [write.answered_ns for write in sorted(run.writers[0].acknowledged, key=lambda w: w.answered_ns)]
    delivered = sorted(delivery.at_ns for delivery in run.follower.deliveries)
    writes = [wait_ms(acknowledged, asked_ns) for asked_ns, _ in kills]
    timeline = [wait_ms(delivered, asked_ns, within=acknowledged) for asked_ns, _ in kills]
    back = [wait_ms(acknowledged, asked_ns, until_ns=back_ns) for asked_ns, back_ns in kills]
    session.sink.add("available_kill_write_gap", "ms", writes, of=_FLOOR)
    session.sink.add("available_kill_timeline_gap", "ms", timeline, of=_FLOOR)
    session.sink.add("available_kill_write_gap_until_back", "ms", back, of=_FLOOR)
    session.say(f"kills: a writer waited {', '.join(f'{value:.0f}' for value in writes)} ms")
