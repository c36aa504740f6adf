"""Histories: what each process of a run did and saw, one JSON line per event, in one file per process.

Times are CLOCK_MONOTONIC in ns: the same clock for all processes of the machine that runs the clients. Each line is
written at once, so that whatever crashes, what was seen until then is kept; a torn last line is left out.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

Field: TypeAlias = str | int | float | bool | None
Line: TypeAlias = dict[str, Field]


class Result(StrEnum):
    """What a writer knows of a write. UNKNOWN: it may have taken effect, at most once."""

    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Write:
    """One attempt to post. A write without an answer (its writer crashed) is UNKNOWN."""

    text: str
    number: int
    invoked_ns: int
    answered_ns: int = 0
    result: Result = Result.UNKNOWN
    position: int = 0  # with OK


@dataclass(frozen=True, slots=True)
class WriterHistory:
    """Everything one writer did, in order. `ended`: it stopped as asked, so nothing is missing."""

    name: str
    author: str
    writes: tuple[Write, ...]
    ended: bool

    @property
    def acknowledged(self) -> tuple[Write, ...]:
        return tuple(write for write in self.writes if write.result is Result.OK)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One post that a reader received."""

    at_ns: int
    position: int
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class ReaderHistory:
    """Everything one reader received, in order. `ended`: it read as far as asked; else `trouble` may say why."""

    name: str
    deliveries: tuple[Delivery, ...]
    ended: bool
    live: bool = True  # a follower; False: a fresh read from the beginning, after the traffic
    trouble: str = ""


def text_of(run: str, author: str, number: int) -> str:
    """The text of a post: unique, and for people to read."""
    return f"{run}/{author}/{number}"


class Recorder:
    """Appends events to one file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", buffering=1, encoding="utf-8")

    def write(self, event: str, **fields: Field) -> None:
        """One event, now."""
        line: Line = {"t": time.monotonic_ns(), "e": event, **fields}
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def close(self) -> None:
        self._file.close()


def lines_of(path: Path) -> Iterator[Line]:
    """The events of a file. A torn last line ends it; a broken one before that raises ValueError."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for text in file:
            if not text.endswith("\n"):
                return
            line = json.loads(text)
            if not isinstance(line, dict):
                raise ValueError(f"{path} holds a line that is not an event: {text[:80]!r}")
            yield line


def number(line: Line, key: str) -> int:
    """A whole number of an event, 0 if it has none."""
    value = line.get(key, 0)
    return value if isinstance(value, int) else 0


def text(line: Line, key: str) -> str:
    """A text of an event, empty if it has none."""
    value = line.get(key, "")
    return value if isinstance(value, str) else ""


def read_writer(path: Path) -> WriterHistory:
    """The history of one writer."""
    run, author, ended = "", "", False
    writes: dict[int, Write] = {}
    for line in lines_of(path):
        event, n, at_ns = text(line, "e"), number(line, "n"), number(line, "t")
        if event == "writer":
            run, author = text(line, "run"), text(line, "author")
        elif event == "invoke":
            writes[n] = Write(text_of(run, author, n), n, at_ns)
        elif event in tuple(Result) and n in writes:
            was = writes[n]
            writes[n] = Write(was.text, n, was.invoked_ns, at_ns, Result(event), number(line, "p"))
        elif event == "end":
            ended = True
    return WriterHistory(path.stem, author, tuple(writes.values()), ended)


def read_reader(path: Path) -> ReaderHistory:
    """The history of one follower, or of one fresh read."""
    deliveries: list[Delivery] = []
    ended, live, trouble = False, True, ""
    for line in lines_of(path):
        event = text(line, "e")
        if event == "got":
            deliveries.append(Delivery(number(line, "t"), number(line, "p"), text(line, "a"), text(line, "x")))
        elif event == "reread":
            live = False
        elif event == "end":
            ended, trouble = not text(line, "trouble"), text(line, "trouble")
    return ReaderHistory(path.stem, tuple(deliveries), ended, live, trouble)


def read_all(folder: Path) -> tuple[tuple[WriterHistory, ...], tuple[ReaderHistory, ...]]:
    """All histories of a run directory: the writers', the readers'."""
    writers = tuple(read_writer(path) for path in sorted(folder.glob("history/writer-*.jsonl")))
    readers = [*folder.glob("history/follower-*.jsonl"), *folder.glob("history/reread-*.jsonl")]
    return writers, tuple(read_reader(path) for path in sorted(readers))
