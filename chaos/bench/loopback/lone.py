"""post_to_follower_ms, cpu_ms_per_post_*: posts that come one by one, to a follower on another master."""

import time

from chaos.bench.loopback import accounting
from chaos.bench.loopback.cluster import is_master
from chaos.bench.loopback.fsyncs import count_fsyncs
from chaos.bench.loopback.session import Session
from chaos.bench.loopback.traffic import lone_posts

_WARM_SECONDS = 1.5
_FSYNC_SECONDS = 2.0


def lone_100(session: Session) -> None:
    """Latency, one value for each post; CPU, wake-ups and fsyncs of all masters per post, one value for each span."""
    _lone(session, 100)


def lone_500(session: Session) -> None:
    """The same at five times the pace; what came of the pace is a measure as well."""
    _lone(session, 500)


def _lone(session: Session, per_second: int) -> None:
    cluster, sink = session.cluster, session.sink
    servers = cluster.pids()
    masters = [name for name in servers if is_master(name)]
    with lone_posts(session, f"lone-{per_second}", 1000 / per_second, cluster.standby().host.master) as run:
        pids = servers | run.pids
        time.sleep(_WARM_SECONDS)
        begin_ns, before = time.monotonic_ns(), accounting.usages(pids)
        time.sleep(session.effort.lone_seconds)
        end_ns, used = time.monotonic_ns(), accounting.between(before, accounting.usages(pids))
        # Counted afterwards, because counting costs CPU time.
        fsync_begin_ns = time.monotonic_ns()
        fsyncs = count_fsyncs([servers[name] for name in masters], _FSYNC_SECONDS)
        fsync_end_ns = time.monotonic_ns()
    acknowledged = run.writers[0].acknowledged
    posts = max(1, sum(begin_ns <= write.answered_ns < end_ns for write in acknowledged))
    cpu = {name: found.cpu_ns / 1e6 / posts for name, found in used.items()}
    wakeups = {name: used[name].wakeups / posts for name in masters}
    sink.add(f"cpu_ms_per_post_{per_second}", "ms", [sum(cpu[name] for name in masters)], parts=cpu)
    sink.add(f"wakeups_per_post_{per_second}", "", [sum(wakeups.values())], parts=wakeups)
    if fsyncs is None:
        sink.note("fsyncs per post are not known: that needs root, perf and the kernel's tracepoints of system calls")
    else:
        counted = sum(fsync_begin_ns <= write.answered_ns < fsync_end_ns for write in acknowledged)
        sink.add(f"fsyncs_per_post_{per_second}", "", [fsyncs / max(1, counted)])
    seconds = (end_ns - begin_ns) / 1e9
    sink.add(f"reached_per_second_{per_second}", "posts/s", [posts / seconds])
    arrivals = {delivery.text: delivery.at_ns for delivery in run.follower.deliveries}
    waits = [
        (arrivals[write.text] - write.invoked_ns) / 1e6
        for write in acknowledged
        if begin_ns <= write.invoked_ns < end_ns
    ]
    suffix = "" if per_second == 100 else f"_{per_second}"
    sink.add(f"post_to_follower_ms{suffix}", "ms", waits, of="floor_echo")
    session.say(
        f"{per_second} posts/s: reached {posts / seconds:.0f}, masters {sum(cpu[name] for name in masters):.2f} ms"
        f" of CPU per post, to the follower {sorted(waits)[len(waits) // 2]:.1f} ms"
    )
