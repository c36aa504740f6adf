"""The rules of the service: what each command of the log does, decided in memory, and the rows to write as a result.

A pure function of the log: no IO, no clock, no chance, so that all members decide the same. Nothing here raises for a
command that could be decoded, however odd: one such entry would stop every member for ever.

Numbers within an entry (domain/positions.py): each command that is executed takes one, a post one for each of its
texts, whatever its outcome. Retries, gaps and expired sessions take none. A command that finds no room, and all behind
it that would be executed, are INVALID and use up no number of their session; proposers keep entries far smaller. A post
without a text is INVALID too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tinysns.domain.positions import MAX_NUMBER, position_at
from tinysns.domain.writes import Answer, Command, Effect, Follow, Login, Outcome, Post, Unfollow, Write
from tinysns.storage.sessions import Sessions

_FORGET_AT_MOST = 64


@dataclass(slots=True)
class Changes:
    """Rows that follow from some entries. They may be written kind by kind, `begun` before `ended`."""

    users: list[tuple[str, int]] = field(default_factory=list)
    """name, since"""
    begun: list[tuple[str, str, int]] = field(default_factory=list)
    """user, target, since"""
    ended: list[tuple[int, str, str, int]] = field(default_factory=list)
    """until, user, target, since"""
    posts: list[tuple[str, int, int, str]] = field(default_factory=list)
    """author, position, time_unix_ns, text"""
    sessions: set[int] = field(default_factory=set)
    """used; their content is in Ledger.sessions"""
    forgotten: list[int] = field(default_factory=list)


class Ledger:
    """What the rules need to know of the state: everything but the posts."""

    def __init__(self) -> None:
        self.users: set[str] = set()
        self.follows: dict[tuple[str, str], int] = {}
        """(user, target) of each follow in force, and the position since which it is"""
        self.sessions = Sessions()

    def execute(
        self, entry_index: int, time_unix_ns: int, commands: Iterable[Command], changes: Changes
    ) -> list[Effect]:
        """Executes the commands of one entry; adds to `changes`."""
        effects = []
        taken = 0
        for command in commands:
            answer = self.sessions.recall(command.session, command.number, entry_index)
            fresh = answer is None
            if answer is None:
                size = _numbers_taken(command.write)
                if size == 0 or taken + size > MAX_NUMBER + 1:
                    if size != 0:
                        taken = MAX_NUMBER + 1  # what comes behind must not overtake it, however small
                    answer, fresh = Answer(Outcome.INVALID), False
                else:
                    position = position_at(entry_index, taken)
                    taken += size
                    answer = Answer(self._execute(command.write, position, time_unix_ns, changes), position)
                    self.sessions.remember(command.session, command.number, entry_index, answer)
                    changes.sessions.add(command.session)
            effects.append(Effect(entry_index, command, answer, fresh, time_unix_ns))
        return effects

    def forget_expired(self, entry_index: int, changes: Changes) -> None:
        """Drops some of the sessions that are expired at this index."""
        changes.forgotten = self.sessions.forget_expired(entry_index, _FORGET_AT_MOST)
        changes.sessions.difference_update(changes.forgotten)

    def _execute(self, write: Write, position: int, time_unix_ns: int, changes: Changes) -> Outcome:
        match write:
            case Post(author, texts):
                if author not in self.users:
                    return Outcome.UNKNOWN_USER
                changes.posts.extend((author, position + i, time_unix_ns, text) for i, text in enumerate(texts))
                return Outcome.DONE
            case Login(user):
                if user in self.users:
                    return Outcome.WELCOME_BACK
                self.users.add(user)
                changes.users.append((user, position))
                return Outcome.DONE
            case Follow(user, target):
                return self._follow(user, target, position, changes)
            case Unfollow(user, target):
                return self._unfollow(user, target, position, changes)

    def _follow(self, user: str, target: str, position: int, changes: Changes) -> Outcome:
        if user not in self.users or target not in self.users:
            return Outcome.UNKNOWN_USER
        if user == target or (user, target) in self.follows:
            return Outcome.ALREADY_FOLLOWING
        self.follows[user, target] = position
        changes.begun.append((user, target, position))
        return Outcome.DONE

    def _unfollow(self, user: str, target: str, position: int, changes: Changes) -> Outcome:
        if user not in self.users or target not in self.users:
            return Outcome.UNKNOWN_USER
        if user == target:
            return Outcome.INVALID_TARGET
        since = self.follows.pop((user, target), None)
        if since is None:
            return Outcome.NOT_FOLLOWING
        changes.ended.append((position, user, target, since))
        return Outcome.DONE


def _numbers_taken(write: Write) -> int:
    return len(write.texts) if isinstance(write, Post) else 1
