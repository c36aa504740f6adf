"""Sessions in memory: which write comes next on each, and what was answered to the last ones (domain/writes.py)."""

import struct
from collections import OrderedDict, deque
from dataclasses import dataclass

from tinysns.domain.writes import SESSION_LIFETIME_ENTRIES, SESSION_WINDOW, Answer, Outcome

_OUTCOME_BITS = 4
_OUTCOME_MASK = (1 << _OUTCOME_BITS) - 1


@dataclass(slots=True)
class Session:
    """`answers`: of the last numbers up to `last`, oldest first, each `position << 4 | outcome`."""

    last: int
    used_index: int
    answers: deque[int]

    def answers_blob(self) -> bytes:
        """As stored: 8 bytes for each, little-endian."""
        return struct.pack(f"<{len(self.answers)}Q", *self.answers)


def answers_from_blob(blob: bytes) -> deque[int]:
    """The reverse of `Session.answers_blob`."""
    return deque(struct.unpack(f"<{len(blob) // 8}Q", blob), maxlen=SESSION_WINDOW)


class Sessions:
    """All sessions, least recently used first. Uses log positions as its only clock."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[int, Session] = OrderedDict()

    def __getitem__(self, session: int) -> Session:
        return self._sessions[session]

    def load(self, session: int, record: Session) -> None:
        """Adds what was stored; call in the order of `used_index`."""
        self._sessions[session] = record

    def recall(self, session: int, number: int, entry_index: int) -> Answer | None:
        """What to answer without executing; None when this write is the one to be executed now."""
        record = self._sessions.get(session)
        if record is None or is_expired(record.used_index, entry_index):
            return None if number == 1 else Answer(Outcome.SESSION_EXPIRED)
        behind = record.last - number
        if behind == -1:
            return None
        if behind < 0:
            return Answer(Outcome.GAP, expected=record.last + 1)
        if behind >= len(record.answers):
            return Answer(Outcome.SESSION_EXPIRED)
        packed = record.answers[-1 - behind]
        return Answer(Outcome(packed & _OUTCOME_MASK), packed >> _OUTCOME_BITS)

    def remember(self, session: int, number: int, entry_index: int, answer: Answer) -> None:
        """The write was executed: its number is used up. Number 1 begins the session (again, if it had expired)."""
        packed = answer.position << _OUTCOME_BITS | answer.outcome
        record = self._sessions.get(session)
        if number == 1 or record is None:
            self._sessions[session] = Session(number, entry_index, deque((packed,), maxlen=SESSION_WINDOW))
        else:
            record.last = number
            record.used_index = entry_index
            record.answers.append(packed)
        self._sessions.move_to_end(session)

    def forget_expired(self, entry_index: int, at_most: int) -> list[int]:
        """Drops sessions that no entry from here on can use; returns them. When it is called changes no answer."""
        forgotten: list[int] = []
        for session, record in self._sessions.items():
            if len(forgotten) == at_most or not is_expired(record.used_index, entry_index):
                break
            forgotten.append(session)
        for session in forgotten:
            del self._sessions[session]
        return forgotten


def is_expired(used_index: int, entry_index: int) -> bool:
    """Whether a session last used by entry `used_index` is unknown to entry `entry_index`."""
    return used_index + SESSION_LIFETIME_ENTRIES < entry_index
