"""The outbox of a session: which writes wait, which are on the way, what each answer means. No IO, clock or chance.

A write gets its number when it is sent for the first time, and keeps it until it is answered: it is on its way, and
every new stream begins with all of those again, in order. Nothing may drop out of the middle: its successors would be
GAPs for ever. A write whose caller gave up therefore stays on its way, only nobody listens for its answer any more.

    waiting --send--> on the way --answer--> done
       ^                  |
       +---- renew -------+   SESSION_EXPIRED or behind INVALID: under a new session, if certainly not executed
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from tinysns.client.errors import Definite, Indefinite, SnsError
from tinysns.domain.writes import Answer, Outcome, Write


class Next(Enum):
    """What the stream has to do after an answer."""

    GO_ON = auto()
    NEW_STREAM = auto()  # send everything on the way again, to the same master


@dataclass(slots=True, eq=False)
class Item:
    """A write with the future of its answer."""

    write: Write
    future: asyncio.Future[Answer]
    number: int = 0  # 0: waiting
    tries: int = 0


class Outbox:
    """`new_session` gives a random session id that is not 0.

    `insists`: what the service says it has forgotten is written again in a new session. For who has nobody to ask what
    to do then; a write could be done twice if a session's whole lifetime passed between two tries of it.
    """

    def __init__(self, new_session: Callable[[], int], *, insists: bool = False) -> None:
        self._new_session = new_session
        self._insists = insists
        self.session = new_session()
        self._number = 0  # the last one given
        self._waiting: deque[Item] = deque()
        self._on_the_way: dict[int, Item] = {}
        self._refused_number = 0  # 0: none; else its successors are neither sent nor believed

    def __len__(self) -> int:
        return len(self._waiting) + len(self._on_the_way)

    @property
    def on_the_way(self) -> int:
        """How many writes were sent and not answered."""
        return len(self._on_the_way)

    @property
    def awaited(self) -> bool:
        """Whether somebody still waits for an answer."""
        return any(not item.future.done() for items in (self._on_the_way.values(), self._waiting) for item in items)

    def add(self, item: Item) -> None:
        self._waiting.append(item)

    def again(self) -> Iterator[Item]:
        """What a new stream begins with, each marked as tried once more."""
        for item in self._on_the_way.values():
            if self._refused_number and item.number > self._refused_number:
                return
            item.tries += 1
            yield item

    def first_time(self) -> Iterator[Item]:
        """What can be sent behind that: each waiting write, which thereby gets its number."""
        while self._waiting and not self._refused_number:
            item = self._waiting.popleft()
            if not item.future.done():
                self._number += 1
                item.number, item.tries = self._number, 1
                self._on_the_way[item.number] = item
                yield item

    def expire(self, item: Item, sentence: str) -> None:
        """Its deadline has passed: what was never sent can be taken back, anything else may still take effect."""
        if item.future.done():
            return
        if item.number == 0:
            self._waiting.remove(item)
            item.future.set_exception(Definite(f"{sentence}; it was not sent"))
        else:
            item.future.set_exception(Indefinite(f"{sentence}; it may still take effect"))

    def answered(self, number: int, answer: Answer, detail: str = "") -> Next:
        """Settles what this answer decides."""
        item = self._on_the_way.get(number)
        if item is None:
            return Next.GO_ON  # of an earlier try, settled already
        if answer.outcome is Outcome.GAP:
            return self._gap(number, answer.expected)
        if answer.outcome is Outcome.SESSION_EXPIRED:
            self._renew()
            return Next.NEW_STREAM
        del self._on_the_way[number]
        if answer.outcome is Outcome.INVALID:
            _fail(item, Definite(detail or "the service refuses this write as malformed"))
            self._refused_number = min(number, self._refused_number or number)
        elif not item.future.done():
            item.future.set_result(answer)
        if self._refused_number and all(n > self._refused_number for n in self._on_the_way):
            return self._renew_behind_refused()
        return Next.GO_ON

    def close(self, sentence: str) -> None:
        """Fails whatever is not answered."""
        for item in self._waiting:
            _fail(item, Definite(f"{sentence}; it was not sent"))
        for item in self._on_the_way.values():
            _fail(item, Indefinite(f"{sentence}; it may take effect"))
        self._waiting.clear()
        self._on_the_way.clear()

    def _gap(self, number: int, expected: int) -> Next:
        if self._refused_number and number > self._refused_number:
            return Next.GO_ON  # of course: its predecessor was refused
        if expected < next(iter(self._on_the_way)):
            # The service has forgotten a write that it answered. Going on would hide that.
            self._start_session([], Indefinite(f"the service has forgotten that it answered write {expected}"))
        return Next.NEW_STREAM

    def _renew(self) -> None:
        """The session was forgotten. A write that was tried only once certainly did not take effect in that try."""
        once = [item for item in self._on_the_way.values() if item.tries == 1]
        sentence = "the service has forgotten the session; whether this write took effect before that is not known"
        self._start_session(once, Indefinite(sentence))

    def _renew_behind_refused(self) -> Next:
        """A refused number is not used up, so none of its successors was executed: all go under a new session."""
        self._refused_number = 0
        self._start_session(list(self._on_the_way.values()), None)
        return Next.NEW_STREAM

    def _start_session(self, keep: list[Item], error: SnsError | None) -> None:
        if self._insists:
            keep = list(self._on_the_way.values())
        for item in self._on_the_way.values():
            if error is not None and item not in keep:
                _fail(item, error)
        for item in keep:
            item.number = item.tries = 0
        self._waiting.extendleft(reversed(keep))
        self._on_the_way.clear()
        self._number = 0
        self.session = self._new_session()


def _fail(item: Item, error: SnsError) -> None:
    if not item.future.done():
        item.future.set_exception(error)
