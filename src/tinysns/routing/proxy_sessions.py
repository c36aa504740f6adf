"""Ids for the writes that the proxy passes on, so that a write which is tried twice takes effect once.

A session gives its numbers out one at a time: the next one only after a master has answered the last. So whatever
becomes of a call, no other call ever waits for it, and a session whose last call has an unknown end is just left
behind. Masters forget sessions that nobody uses (domain/writes.py).
"""

from collections.abc import Callable

from tinysns.rpc.call_id import CallId


class CallIds:
    """`new_session` gives random session ids that are not 0."""

    def __init__(self, new_session: Callable[[], int]) -> None:
        self._new_session = new_session
        self._answered: list[CallId] = []  # the last id of each session that is free; the one used last is at the end

    def take(self) -> CallId:
        """An id for a new call."""
        if not self._answered:
            return self.fresh()
        last = self._answered.pop()
        return CallId(last.session, last.number + 1)

    def fresh(self) -> CallId:
        """The same in a new session: its number can neither be missing a predecessor nor be forgotten."""
        return CallId(self._new_session(), 1)

    def answered(self, last: CallId) -> None:
        """This call ended with a reply: its session is free for another one. Of any other end say nothing."""
        self._answered.append(last)
