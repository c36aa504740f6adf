"""The outbox against a model of the service that loses, repeats and delays: no loop, no wire, many schedules."""

import asyncio
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinysns.client.errors import Definite, Indefinite
from tinysns.client.outbox import Item, Next, Outbox
from tinysns.domain.writes import Answer, Login, Outcome


@pytest.fixture(name="loop", scope="module")
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


class Service:
    """The rules of a session (domain/writes.py)."""

    def __init__(self) -> None:
        self.last: dict[int, int] = {}
        self.done: list[str] = []

    def take(self, session: int, number: int, write: Login) -> Answer:
        last = self.last.get(session, 0)
        if session not in self.last and number != 1:
            return Answer(Outcome.SESSION_EXPIRED)
        if number > last + 1:
            return Answer(Outcome.GAP, expected=last + 1)
        if number == last + 1 and write.user == "bad":
            return Answer(Outcome.INVALID)
        if number == last + 1:
            self.last[session] = number
            self.done.append(write.user)
        return Answer(Outcome.DONE)


STEPS = st.lists(st.sampled_from(["add", "add", "add bad", "lose", "take", "take", "drop answer", "break", "expire"]))


@settings(max_examples=400, deadline=None)
@given(steps=STEPS)
def test_any_schedule_ends_with_everything_done_once_and_in_order(
    loop: asyncio.AbstractEventLoop, steps: list[str]
) -> None:
    sessions, service, items = itertools.count(1), Service(), list[Item]()
    outbox = Outbox(lambda: next(sessions))
    wire: list[tuple[int, int, Login]] = []

    def send(of: Iterator[Item]) -> None:
        for item in of:
            assert isinstance(item.write, Login)
            wire.append((outbox.session, item.number, item.write))

    def restart() -> None:
        wire.clear()
        send(outbox.again())
        send(outbox.first_time())

    def take(answered: bool = True) -> None:
        session, number, write = wire.pop(0)
        answer = service.take(session, number, write)
        if answered and outbox.answered(number, answer) is Next.NEW_STREAM:
            restart()

    for step in steps:
        if step.startswith("add"):
            items.append(Item(Login("bad" if "bad" in step else str(len(items))), loop.create_future()))
            outbox.add(items[-1])
            send(outbox.first_time())
        elif step == "lose" and wire:
            wire.pop(0)
        elif step == "take" and wire:
            take()
        elif step == "drop answer" and wire:
            take(answered=False)
        elif step == "break":
            restart()
        elif step == "expire" and items:
            outbox.expire(items[-1], "too late")
    for _ in range(2 + 2 * len(items)):  # afterwards, streams that lose nothing
        restart()
        while wire:
            take()
    assert len(outbox) == 0
    wanted = [i.write.user for i in items if i.write != Login("bad")]
    unexpected = [user for user in service.done if user not in wanted]
    assert not unexpected
    assert service.done == sorted(set(service.done), key=wanted.index)
    for item in items:
        error = item.future.exception()
        if error is None:
            assert item.write.user in service.done
        elif isinstance(error, Definite):
            assert item.write.user not in service.done
        else:
            assert isinstance(error, Indefinite)


def test_who_insists_writes_again_what_the_service_has_forgotten_in_the_same_order(
    loop: asyncio.AbstractEventLoop,
) -> None:
    for forgotten in (Answer(Outcome.SESSION_EXPIRED), Answer(Outcome.GAP, expected=1)):
        sessions = itertools.count(1)
        outbox, service = Outbox(sessions.__next__, insists=True), Service()
        items = [Item(Login(name), loop.create_future()) for name in "abcd"]
        for item in items[:3]:
            outbox.add(item)
        list(outbox.first_time())
        outbox.answered(1, Answer(Outcome.DONE))
        list(outbox.again())  # so that what became of the first try is not known
        outbox.add(items[3])
        list(outbox.first_time())
        assert outbox.answered(2, forgotten) is Next.NEW_STREAM
        sent = [*outbox.again(), *outbox.first_time()]
        assert (outbox.session, [item.number for item in sent]) == (2, [1, 2, 3])
        for item in sent:
            outbox.answered(item.number, service.take(2, item.number, item.write))
        assert service.done == ["b", "c", "d"]
        assert all(item.future.result().outcome is Outcome.DONE for item in items)
