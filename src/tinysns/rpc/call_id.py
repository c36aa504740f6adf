"""The id of a write that was passed on: two keys of the call's metadata that say which write of which session it is.

The interfaces of the course have no place for an id in their messages. Whoever passes a write on to a master names it
here, so that a try at one master and a retry at the next one are one write (domain/writes.py).
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

SESSION_KEY = "tinysns-session"
NUMBER_KEY = "tinysns-number"

_MOST = (1 << 64) - 1
_MOST_DIGITS = len(str(_MOST))


class BadCallId(ValueError):
    """The metadata name no write; str() is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class CallId:
    """`session`: 1 to 2^64 - 1; `number`: 1, 2, 3 and so on within it."""

    session: int
    number: int

    def to_metadata(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """To be sent with the call."""
        return (SESSION_KEY, str(self.session)), (NUMBER_KEY, str(self.number))

    @staticmethod
    def from_metadata(metadata: Iterable[tuple[str, str | bytes]] | None) -> "CallId | None":
        """The id that came with a call; None if there is none. Raises BadCallId."""
        found: dict[str, str] = {}
        for key, value in metadata or ():
            if key in (SESSION_KEY, NUMBER_KEY):
                if key in found:
                    raise BadCallId(f"the call has the metadata {key} twice; send it once")
                found[key] = str(value)
        if not found:
            return None
        if len(found) == 1:
            raise BadCallId(f"the call has only one of the metadata {SESSION_KEY} and {NUMBER_KEY}; send both or none")
        return CallId(_checked(SESSION_KEY, found[SESSION_KEY]), _checked(NUMBER_KEY, found[NUMBER_KEY]))


def random_session() -> int:
    """The id of a new session, which no other one has."""
    return secrets.randbits(64) or 1


def _checked(key: str, text: str) -> int:
    # isdecimal() alone takes the digits of every script.
    if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS and 1 <= (value := int(text)) <= _MOST:
        return value
    raise BadCallId(f"the metadata {key} must be a decimal number from 1 to {_MOST}, not {text[:40]!r}")
