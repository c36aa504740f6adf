"""Random logs: the state machine against a model of a few dictionaries, and against itself in other batches."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.storage.making import CLUSTER, Entry, digest, entry
from tinysns.domain.writes import (
    SESSION_LIFETIME_ENTRIES,
    SESSION_WINDOW,
    Answer,
    Command,
    Effect,
    Follow,
    Login,
    Outcome,
    Post,
    Unfollow,
    Write,
)
from tinysns.storage.reader import Reader
from tinysns.storage.state import StateMachine

USERS = ("ann", "bob", "cid")
NAMES = st.sampled_from((*USERS, "nobody"))
WRITES = st.one_of(
    st.builds(Login, st.sampled_from(USERS)),
    st.builds(Follow, NAMES, NAMES),
    st.builds(Unfollow, NAMES, NAMES),
    st.builds(Post, NAMES, st.lists(st.sampled_from(("x", "\0", "😀")), min_size=1, max_size=3).map(tuple)),
)
# How far a number is from the one that comes next: mostly not at all, else a retry (outside the window too) or a gap.
OFFSETS = st.sampled_from((0, 0, 0, 0, 0, 0, -1, -2, -SESSION_WINDOW, -SESSION_WINDOW - 1, 1, 2))
STEPS = st.sampled_from((1, 1, 1, 1, 3, SESSION_LIFETIME_ENTRIES, SESSION_LIFETIME_ENTRIES + 1))
LOGS = st.lists(
    st.tuples(STEPS, st.lists(st.tuples(st.sampled_from((1, (1 << 64) - 1)), OFFSETS, WRITES), max_size=8)), max_size=12
)
Drawn = list[tuple[int, list[tuple[int, int, Write]]]]


@dataclass
class Model:
    """The rules again, as short as they can be said, with no thought of speed."""

    users: list[str] = field(default_factory=list)
    following: set[tuple[str, str]] = field(default_factory=set)
    sessions: dict[int, tuple[int, list[Answer]]] = field(default_factory=dict)
    timelines: dict[str, list[tuple[int, str, str]]] = field(default_factory=lambda: {user: [] for user in USERS})

    def next_number(self, session: int, index: int) -> int:
        used, answers = self.sessions.get(session, (0, []))
        return len(answers) + 1 if answers and used + SESSION_LIFETIME_ENTRIES >= index else 1

    def answer(self, index: int, place: int, command: Command) -> Answer:
        session, number = command.session, command.number
        expected = self.next_number(session, index)
        answers = self.sessions[session][1] if expected > 1 else []
        if number < expected:
            if number < 1 or expected - number > SESSION_WINDOW:
                return Answer(Outcome.SESSION_EXPIRED)
            return answers[number - 1]
        if number > expected:
            return Answer(Outcome.SESSION_EXPIRED) if expected == 1 else Answer(Outcome.GAP, expected=expected)
        position = index * 65536 + place
        answer = Answer(self.execute(position, command.write), position)
        self.sessions[session] = index, [*answers, answer]
        return answer

    def execute(self, position: int, write: Write) -> Outcome:
        names = [write.author] if isinstance(write, Post) else [write.user]
        names += [write.target] if isinstance(write, Follow | Unfollow) else []
        if isinstance(write, Login):
            if write.user in self.users:
                return Outcome.WELCOME_BACK
            self.users.append(write.user)
        elif not set(names) <= set(self.users):
            return Outcome.UNKNOWN_USER
        elif isinstance(write, Post):
            for reader in self.users:
                if (reader, write.author) in self.following:
                    self.timelines[reader] += [(position + i, write.author, x) for i, x in enumerate(write.texts)]
        elif isinstance(write, Follow):
            if write.user == write.target or (write.user, write.target) in self.following:
                return Outcome.ALREADY_FOLLOWING
            self.following.add((write.user, write.target))
        else:
            if write.user == write.target:
                return Outcome.INVALID_TARGET
            if (write.user, write.target) not in self.following:
                return Outcome.NOT_FOLLOWING
            self.following.remove((write.user, write.target))
        return Outcome.DONE


def written(drawn: Drawn) -> tuple[Model, list[Entry], list[Answer]]:
    """The log that was drawn, and what the model makes of it."""
    model, entries, answers, index = Model(), [], [], 0
    for step, commands in drawn:
        index += step
        place = 0
        named = []
        for session, offset, write in commands:
            expected = model.next_number(session, index)
            command = Command(session, max(0, expected + offset), write)
            named.append(command)
            answers.append(model.answer(index, place, command))
            if command.number == expected:
                place += len(write.texts) if isinstance(write, Post) else 1
        entries.append(entry(index, *named))
    return model, entries, answers


@contextmanager
def empty_state() -> Iterator[StateMachine]:
    with tempfile.TemporaryDirectory() as folder:
        machine = StateMachine.create(Path(folder) / "state", CLUSTER)
        try:
            yield machine
        finally:
            machine.close()


@settings(max_examples=150, deadline=None)
@given(LOGS)
def test_every_log_has_the_answers_and_the_timelines_of_the_model(drawn: Drawn) -> None:
    model, entries, answers = written(drawn)
    with empty_state() as machine:
        effects = [effect for index, data in entries for effect in machine.apply([(index, data)], index)]
        assert [effect.answer for effect in effects] == answers
        reader = Reader(machine)
        for user in USERS:
            page = reader.timeline(user, 0, 1000)
            assert [(p.position, p.author, p.text) for p in page.posts] == model.timelines[user]
            following = {target for follower, target in model.following if follower == user}
            assert reader.following(user)[1] == following
            lists = reader.lists(user)
            assert lists.known == (user in model.users)
            assert lists.users == tuple(sorted(model.users))
            if lists.known:
                assert set(lists.followers) == {f for f, target in model.following if target == user} | {user}
        reader.close()


@settings(max_examples=60, deadline=None)
@given(LOGS, st.data())
def test_batches_and_restarts_change_nothing(drawn: Drawn, data: st.DataObject) -> None:
    _, entries, _ = written(drawn)
    with empty_state() as one, tempfile.TemporaryDirectory() as folder:
        expected = [effect for index, content in entries for effect in one.apply([(index, content)], index)]
        state = Path(folder) / "state"
        other = StateMachine.create(state, CLUSTER)
        effects: list[Effect] = []
        rest: Sequence[Entry] = entries
        while rest:
            size = data.draw(st.integers(1, len(rest)), label="batch")
            effects += other.apply(rest[:size], rest[size - 1][0])
            rest = rest[size:]
            restart = data.draw(st.sampled_from(("no", "restart", "checkpoint and restart")), label="then")
            if restart == "checkpoint and restart":
                assert other.checkpoint() == other.applied_index
            if restart != "no":
                other.close()
                other = StateMachine.open(state, CLUSTER)
        assert effects == expected
        assert digest(other) == digest(one)
        other.close()
