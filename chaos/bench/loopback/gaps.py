"""What a client waits behind a kill, judged in the same way for the service and for the yardstick. Pure.

A wait is a span between two successes, or from the kill to the first success behind it: what was in flight at the kill
may succeed a moment later, so the *longest* wait counts, of those that begin within `FAULT_NS` of the kill.
"""

from collections.abc import Sequence

from chaos.checks.downtime import longest_ns

FAULT_NS = 250_000_000
_NS_PER_MS = 1e6


def wait_ms(successes: Sequence[int], kill_ns: int, *, until_ns: int = 0, within: Sequence[int] | None = None) -> float:
    """The longest wait that begins between the kill and `until_ns` (by default the kill's own time is over then).

    Both sorted, ns of one clock. `within`: only waits in which one of these instants lies, e.g. acknowledgements
    for a follower: when nothing is posted, nothing can come.
    """
    behind = [at for at in successes if at >= kill_ns]
    return longest_ns(behind, kill_ns, until_ns or kill_ns + FAULT_NS, within=within) / _NS_PER_MS
