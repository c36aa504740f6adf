"""Whether each acknowledged post arrived exactly once and in order, at every reader.

The model, in full:
    acknowledged write   every reader receives its post, at the position that the writer was told
    unknown write        a reader may receive its post or not, but all agree on its position
    refused write        no reader ever receives its post
    any post             at most once at each reader, and nobody receives what nobody wrote
    order                each reader receives in growing positions, all have the same post at a position, and the posts
                         of one author come in the order in which that author wrote them
A reader that was cut short is judged on what it had received by then.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chaos.history import ReaderHistory, Result, Write, WriterHistory


@dataclass(frozen=True, slots=True)
class Finding:
    """One post that is not where it should be, with a sentence about it."""

    text: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """What was found. Each of the tuples is empty if all is well."""

    acknowledged: int
    lost: tuple[Finding, ...]
    duplicated: tuple[Finding, ...]
    disordered: tuple[Finding, ...]
    invented: tuple[Finding, ...]  # refused or never written, and received all the same

    @property
    def right(self) -> bool:
        return not (self.lost or self.duplicated or self.disordered or self.invented)


def judge_delivery(writers: Sequence[WriterHistory], readers: Sequence[ReaderHistory]) -> Delivered:
    """Compares what writers were told with what readers received."""
    written = {write.text: write for writer in writers for write in writer.writes}
    authors = {write.text: writer.author for writer in writers for write in writer.writes}
    acknowledged = [write for write in written.values() if write.result is Result.OK]
    return Delivered(
        acknowledged=len(acknowledged),
        lost=_once_per_post(f for reader in readers for f in _lost(reader, acknowledged)),
        duplicated=_once_per_post((*_twice(readers), *_two_positions(acknowledged, readers))),
        disordered=(
            *(f for reader in readers for f in _not_growing(reader)),
            *_not_as_written(written, authors, readers),
            *_shared_positions(acknowledged, readers),
        ),
        invented=_once_per_post(f for reader in readers for f in _invented(reader, written, writers)),
    )


def _lost(reader: ReaderHistory, acknowledged: Sequence[Write]) -> Iterator[Finding]:
    received = {delivery.text for delivery in reader.deliveries}
    last = max((delivery.position for delivery in reader.deliveries), default=0)
    for write in acknowledged:
        if write.text not in received and (reader.ended or write.position <= last):
            yield Finding(write.text, f"acknowledged at position {write.position}, and {reader.name} never received it")


def _twice(readers: Sequence[ReaderHistory]) -> Iterator[Finding]:
    for reader in readers:
        for text, times in Counter(delivery.text for delivery in reader.deliveries).items():
            if times > 1:
                yield Finding(text, f"{reader.name} received it {times} times")


def _two_positions(acknowledged: Sequence[Write], readers: Sequence[ReaderHistory]) -> Iterator[Finding]:
    """One write that took effect twice: one reader (or the writer) knows it from elsewhere than another."""
    known = {write.text: (write.position, "its writer was told") for write in acknowledged}
    for reader in readers:
        for delivery in reader.deliveries:
            position, who = known.setdefault(delivery.text, (delivery.position, f"{reader.name} received"))
            if position != delivery.position:
                yield Finding(
                    delivery.text, f"{who} position {position}, but {reader.name} received it at {delivery.position}"
                )


def _shared_positions(acknowledged: Sequence[Write], readers: Sequence[ReaderHistory]) -> Iterator[Finding]:
    """Two posts at one position: readers do not see the same sequence."""
    known = {write.position: write.text for write in acknowledged}
    for reader in readers:
        for delivery in reader.deliveries:
            other = known.setdefault(delivery.position, delivery.text)
            if other != delivery.text:
                yield Finding(
                    delivery.text, f"at position {delivery.position} {reader.name} received it instead of {other}"
                )


def _not_growing(reader: ReaderHistory) -> Iterator[Finding]:
    for before, after in zip(reader.deliveries, reader.deliveries[1:], strict=False):
        if after.position < before.position:
            yield Finding(
                after.text, f"{reader.name} received position {after.position} behind position {before.position}"
            )


def _not_as_written(
    written: dict[str, Write], authors: dict[str, str], readers: Sequence[ReaderHistory]
) -> Iterator[Finding]:
    """Positions against the order of the authors' own numbers."""
    places: dict[str, int] = {text: write.position for text, write in written.items() if write.result is Result.OK}
    for reader in readers:
        for delivery in reader.deliveries:
            if delivery.text in written:
                places.setdefault(delivery.text, delivery.position)
    last: dict[str, tuple[int, str]] = {}
    for text, position in sorted(places.items(), key=lambda place: (authors[place[0]], written[place[0]].number)):
        before, before_text = last.get(authors[text], (0, ""))
        if position <= before:
            yield Finding(text, f"stands at position {position}, before {before_text}, which its author wrote earlier")
        else:
            last[authors[text]] = position, text


def _invented(reader: ReaderHistory, written: dict[str, Write], writers: Sequence[WriterHistory]) -> Iterator[Finding]:
    """What a writer wrote behind the end of a record that was cut short cannot be told, and is let through."""
    authors = {write.text: writer.author for writer in writers for write in writer.writes}
    cut_short = {writer.author for writer in writers if not writer.ended}
    for delivery in reader.deliveries:
        write = written.get(delivery.text)
        if write is None:
            why = "" if delivery.author in cut_short else "nobody wrote it"
        elif delivery.author != authors[delivery.text]:
            why = f"under the name of {delivery.author}, who did not write it"
        else:
            why = "its writer was told that it was refused" if write.result is Result.FAIL else ""
        if why:
            yield Finding(delivery.text, f"{reader.name} received it: {why}")


def _once_per_post(findings: Iterator[Finding] | Sequence[Finding]) -> tuple[Finding, ...]:
    """The first finding about each post: a post lost for four readers is one lost post."""
    first: dict[str, Finding] = {}
    for finding in findings:
        first.setdefault(finding.text, finding)
    return tuple(first.values())
