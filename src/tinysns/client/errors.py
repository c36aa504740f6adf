"""Errors of the client: each is definite (the call had no effect and will have none) or indefinite (it may have one).

When in doubt, indefinite (after jepsen-io/maelstrom): who repeats a definite failure does no harm, who takes an
indefinite one for definite does things twice.
"""

from typing import ClassVar

from tinysns.domain.writes import Follow, Login, Outcome, Post, Unfollow, Write


class SnsError(Exception):
    """A call failed; str() is one sentence for people. `posted`: how far `post_all` came before, for certain."""

    definite: ClassVar[bool]
    posted: int = 0


class Definite(SnsError):
    """The call had no effect."""

    definite = True


class Indefinite(SnsError):
    """Whether the call had, or will have, an effect is not known."""

    definite = False


class Unreachable(Definite):
    """Nobody answered in time, and nothing was sent that could take effect."""


class CursorAhead(Definite):
    """The timeline's cursor is ahead of all posts there are: it comes from another cluster. Begin again from 0."""


class Refusal(Definite):
    """The service understood the write and said no; `outcome` says why."""

    def __init__(self, outcome: Outcome, sentence: str) -> None:
        super().__init__(sentence)
        self.outcome = outcome


def refusal(write: Write, outcome: Outcome) -> Refusal | None:
    """The error that this outcome of a write is, or None if the write took effect."""
    match write:
        case Login(user) | Post(user, _):
            target, users = user, repr(user)
        case Follow(user, target) | Unfollow(user, target):
            users = f"{user!r} or {target!r}"
    sentences = {
        Outcome.UNKNOWN_USER: f"{users} has never logged in",
        Outcome.ALREADY_FOLLOWING: f"{user!r} follows {target!r} already",
        Outcome.NOT_FOLLOWING: f"{user!r} does not follow {target!r}",
        Outcome.INVALID_TARGET: f"{user!r} cannot unfollow {target!r}: every user follows itself",
    }
    return Refusal(outcome, sentences[outcome]) if outcome in sentences else None
