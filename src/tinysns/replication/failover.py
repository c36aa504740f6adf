"""What a follower does from the moment its leader is lost until there is a new one.

Loss is the end of a link, an obituary, or so many others that say so that the leader has no quorum. None needs to be
right: the leader is forgotten (so that votes are granted at once), and whoever campaigns asks by pre-vote first,
which the others refuse as long as they hear the leader themselves. One exception: whoever comes first because a quorum
has told it of the same loss knows what a pre-vote would say, and goes without. The rules of who campaigns are in
domain/succession.py; here are their timers.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from tinysns.domain.succession import LogEnd, Succession, quorum, rank
from tinysns.replication.driver import Driver, View
from tinysns.replication.links import Links

log = logging.getLogger(__name__)

# A survivor that did not speak must not hold the others up: each campaigns after its rank's delay all the same. One
# vote request that got lost costs such a delay too. An election has a few fsyncs in a row: on a disk that takes longer
# for one than QUICK_FSYNC_SECONDS the delays grow with it, and each attempt waits twice as long as the one before, or
# the survivors would depose each other before any of them could win.
QUICK_FSYNC_SECONDS = 0.006
DELAY_SECONDS = 0.03
DELAY_PER_RANK_SECONDS = 0.015
ATTEMPTS = 5  # then the ordinary election timeout takes over
# The journal hears of it afterwards: each line costs its readers and writers time that the failover needs.
SAY_LATER_SECONDS = 0.05


class Failover:
    """`order`: all members as configured; `log_end()`: where this member's log ends now."""

    def __init__(self, me: int, order: Sequence[int], driver: Driver, links: Links) -> None:
        self._me, self._order, self._driver, self._links = me, tuple(order), driver, links
        self._lost: tuple[int, int] | None = None  # (leader, term) that is lost to this member
        self._succession: Succession | None = None
        self._heard: dict[tuple[int, int], dict[int, LogEnd]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._lost_at = 0.0
        self._story: list[str] = []
        self.may_campaign = True  # false while this member's disk could not lead

    def leader_lost(self, peer: int, why: str) -> None:
        """A link of `peer` ended, or its slave announced its death. Does nothing unless it leads as far as known
        here."""
        view = self._driver.view
        lost = (peer, view.term)
        if peer != view.leader or view.leads or self._lost == lost:
            return
        self._lost = lost
        self._lost_at = time.monotonic()
        self._story = [f"leader {peer} of term {view.term} is lost ({why})"]
        self._succession = Succession(self._order, self._me, peer)
        for member, end in self._heard.pop(lost, {}).items():
            self._succession.heard(member, end)
        end = self._driver.log_end()
        self._succession.heard(self._me, end)
        self._driver.forget_leader(peer)
        self._links.send_log_end(peer, view.term, end)
        self._consider()
        slowness = max(1.0, self._driver.writer.usual_seconds / QUICK_FSYNC_SECONDS)
        delay = DELAY_SECONDS + DELAY_PER_RANK_SECONDS * rank(self._order, peer, self._me)
        self._arm(slowness * delay, ATTEMPTS)

    def log_end(self, peer: int, lost_leader: int, lost_term: int, end: LogEnd) -> None:
        """Another survivor has lost that leader, and its log ends there."""
        if self._succession is not None and self._lost == (lost_leader, lost_term):
            self._succession.heard(peer, end)
            self._consider()
        else:  # it noticed earlier than we did; of older losses nothing is kept
            self._heard = {k: v for k, v in self._heard.items() if k[1] >= lost_term}
            told = self._heard.setdefault((lost_leader, lost_term), {})
            told[peer] = end
            # A leader that so many have lost has no quorum left to commit with: no need to notice it oneself.
            if len(told) > len(self._order) - quorum(self._order) and lost_term == self._driver.view.term:
                self.leader_lost(lost_leader, f"told by {sorted(told)}")

    def leader_known(self, view: View) -> None:
        """There is a leader (again)."""
        self._tell(f"leader {view.leader}{' (this member)' if view.leads else ''} in term {view.term}")
        self._loop.call_later(SAY_LATER_SECONDS, log.info, "; ".join(self._story))
        self._story = []
        self._lost = self._succession = None
        self.close()

    def close(self) -> None:
        """No timer is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _consider(self) -> None:
        if self._succession is not None and self._succession.is_mine(self._links.connected()):
            self._succession = None  # once; after that the timers
            self._campaign(self._driver.campaign_now)

    def _arm(self, delay_seconds: float, attempts: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(delay_seconds, self._again, delay_seconds, attempts)

    def _again(self, delay_seconds: float, attempts: int) -> None:
        self._timer = None
        if self._lost is None or self._driver.view.leads or self._driver.view.leader not in (0, self._lost[0]):
            return
        log.info("no leader yet: %s", "; ".join(self._story))
        self._campaign(self._driver.campaign)
        if attempts > 1:
            self._arm(2 * delay_seconds, attempts - 1)

    def _campaign(self, begin: Callable[[], None]) -> None:
        if self.may_campaign:
            end = self._driver.log_end()
            self._tell(f"campaign, the log ends at {end.index} of term {end.term}")
            begin()

    def _tell(self, event: str) -> None:
        after = f"after {(time.monotonic() - self._lost_at) * 1000:.1f} ms: " if self._lost else ""
        self._story.append(after + event)
