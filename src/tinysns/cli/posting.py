"""`sns post USER -`: lines of standard input as posts, in batches, several in flight, none kept waiting.

Input is read only while there is room in flight, so a slow service makes the pipe wait and not this process grow. After
a failure the sentence says with which line to go on, or which lines to look for first.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from itertools import islice

import click

from tinysns.cli.lines import Line
from tinysns.client import Client, Definite, Indefinite, SnsError, Unreachable
from tinysns.client.flow import Flow, packed
from tinysns.domain.writes import SESSION_WINDOW


async def post_lines(client: Client, user: str, lines: AsyncIterator[list[Line]]) -> int:
    """Posts all lines that are not empty, in order; returns how many. Raises SnsError."""
    flow, sent = Flow(client.session(), user), _Sent()
    try:
        async for some in lines:
            texts, trouble = _texts(some)
            numbers = iter(texts)
            for batch in packed(texts.values()):
                sent.add(tuple(islice(numbers, len(batch))))
                await flow.add(batch)
            if trouble:
                await flow.finish()
                trouble.posted = flow.posted
                raise trouble
        return await flow.finish()
    except SnsError as e:
        kind = Unreachable if isinstance(e, Unreachable) else Definite if e.definite else Indefinite
        raise kind(f"{e}; {sent.account(e.posted, e.definite)}") from None
    except asyncio.CancelledError:  # ^C: the one chance to say how far it came
        click.echo(f"sns: interrupted; {sent.account(flow.posted, flow.posted == sent.posts)}", err=True)
        raise


class _Sent:
    """The numbers of the lines that were sent, for as many batches as can be unanswered."""

    def __init__(self) -> None:
        self.posts = 0
        self._batches: deque[tuple[int, ...]] = deque(maxlen=SESSION_WINDOW + 1)

    def add(self, numbers: tuple[int, ...]) -> None:
        self.posts += len(numbers)
        self._batches.append(numbers)

    def account(self, posted: int, rest_is_not: bool) -> str:
        """What became of the input when the first `posted` posts took effect and the rest did not, or may have."""
        numbers = [number for batch in self._batches for number in batch]
        before = len(numbers) - (self.posts - posted)  # of these, how many took effect
        if posted == 0:
            done, begin = "nothing was posted", numbers[0] if numbers else 1
        else:
            done = f"posted: {posted}, up to line {numbers[before - 1]}"
            begin = numbers[before] if posted < self.posts else numbers[-1] + 1
        if rest_is_not:
            return f"{done}; go on with line {begin}"
        return f"{done}; whether lines {begin} to {numbers[-1]} were posted is not known: look before you go on"


def _texts(lines: list[Line]) -> tuple[dict[int, str], SnsError | None]:
    """The texts by their lines' numbers, up to the first line that cannot be posted, and what is wrong with that."""
    texts = dict[int, str]()
    for line in lines:
        try:
            if text := line.text():
                texts[line.number] = text
        except SnsError as e:
            return texts, e
    return texts, None
