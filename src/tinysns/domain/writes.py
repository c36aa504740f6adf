"""Writes: what can be asked of the service, by what name, and what can come of it.

A write is named by (session, number). It takes effect only if its number is the session's last one + 1:

    number <= last      a retry: answered with what was remembered, not executed again
    number == last + 1  executed
    number >  last + 1  GAP: a predecessor was lost on the way; "greater than last" would take the lost one for an old
    one

A session that is not known begins with number 1; any other number on it is SESSION_EXPIRED, which is indefinite:
whether the write was executed before the session was forgotten cannot be told any more, so it is never executed.
Sessions are forgotten by log position only, never by a clock.
"""

from dataclasses import dataclass
from enum import IntEnum

from tinysns.domain.names import check_name, check_texts

# Answers remembered for each session, and so the most writes that a session may have in flight.
SESSION_WINDOW = 64
# A session unused for so many log entries is forgotten.
SESSION_LIFETIME_ENTRIES = 1_000_000


class Outcome(IntEnum):
    """What came of a write. Same numbers as tinysns.v1.Outcome."""

    DONE = 1
    WELCOME_BACK = 2
    UNKNOWN_USER = 3
    ALREADY_FOLLOWING = 4
    NOT_FOLLOWING = 5
    INVALID_TARGET = 6
    GAP = 7
    SESSION_EXPIRED = 8
    INVALID = 9


@dataclass(frozen=True, slots=True)
class Login:
    user: str


@dataclass(frozen=True, slots=True)
class Follow:
    user: str
    target: str


@dataclass(frozen=True, slots=True)
class Unfollow:
    user: str
    target: str


@dataclass(frozen=True, slots=True)
class Post:
    author: str
    texts: tuple[str, ...]


Write = Login | Follow | Unfollow | Post


def check_write(write: Write) -> None:
    """Raises Refused unless all names and texts of the write may be what they are."""
    match write:
        case Login(user):
            check_name(user)
        case Follow(user, target) | Unfollow(user, target):
            check_name(user)
            check_name(target)
        case Post(author, texts):
            check_name(author)
            check_texts(texts)


@dataclass(frozen=True, slots=True)
class Command:
    """A write with its name."""

    session: int
    number: int
    write: Write


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a command. `expected` counts only with GAP: the number that the session takes next."""

    outcome: Outcome
    position: int = 0
    expected: int = 0


@dataclass(frozen=True, slots=True)
class Effect:
    """What applying one command of the log did. `fresh`: it was executed now, not answered from memory or refused."""

    entry_index: int
    command: Command
    answer: Answer
    fresh: bool
    time_unix_ns: int
