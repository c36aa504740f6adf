"""Histories made by hand: two authors, two followers and a fresh read, all well; tests then spoil them."""

import dataclasses
import json
from pathlib import Path

from chaos.faults import Process
from chaos.history import Delivery, ReaderHistory, Recorder, Result, Write, WriterHistory, text_of
from chaos.plan import Plan, Step
from chaos.record import FaultRecord, RunRecord, Window

RUN = "r"
MS = 1_000_000
S = 1000 * MS
POSTS = 400  # of each author
EVERY_NS = 5 * MS
PLAN = Plan(seed=1, window_seconds=1.0, steps=(Step("kill", "available", 0.3, 0.0), Step("kill", "slave", 0.3, 0.0)))


def position(author: int, number: int) -> int:
    """Both authors' posts alternate in the log."""
    return (number * 2 + author) << 16


def writer(author: int) -> WriterHistory:
    """One acknowledged post each 5 ms, 2 s long."""
    writes = (
        Write(
            text=text_of(RUN, f"w{author}", n),
            number=n,
            invoked_ns=n * EVERY_NS,
            answered_ns=n * EVERY_NS + MS,
            result=Result.OK,
            position=position(author, n),
        )
        for n in range(1, POSTS + 1)
    )
    return WriterHistory(f"writer-{author}", f"w{author}", tuple(writes), ended=True)


def reader(name: str, *, live: bool = True) -> ReaderHistory:
    """Receives everything 2 ms after it was tried."""
    deliveries = (
        Delivery(n * EVERY_NS + 2 * MS, position(author, n), f"w{author}", text_of(RUN, f"w{author}", n))
        for n in range(1, POSTS + 1)
        for author in (0, 1)
    )
    return ReaderHistory(name, tuple(deliveries), ended=True, live=live)


WRITERS = (writer(0), writer(1))
READERS = (reader("follower-1"), reader("follower-2"), reader("reread-h1", live=False))
RECORD = RunRecord(
    run=RUN,
    started="2026-01-01T00:00:00+00:00",
    began_ns=1,
    ended_ns=2 * S,
    inventory="inventory/lab.yml",
    hosts=1,
    masters=("h1",),
    faults=(
        FaultRecord(
            1, "kill", "available", "h1", 300 * MS, 305 * MS, 900 * MS, "1.0", Process(1, 2, 3), Process(4, 3, 4)
        ),
        FaultRecord(2, "kill", "slave", "h1", 1300 * MS, 1305 * MS, 1900 * MS, "2.0", Process(5), Process(6)),
    ),
    windows=(Window(1, 1, S), Window(2, S, 2 * S)),
    reread=("h1",),
    finished=True,
)


def spoil_writer(found: WriterHistory, number: int, **change: object) -> WriterHistory:
    """The same with one write changed."""
    writes = (dataclasses.replace(w, **change) if w.number == number else w for w in found.writes)  # type: ignore[arg-type]
    return dataclasses.replace(found, writes=tuple(writes))


def with_deliveries(found: ReaderHistory, deliveries: list[Delivery]) -> ReaderHistory:
    """The same reader with other deliveries."""
    return dataclasses.replace(found, deliveries=tuple(deliveries))


def write_run(folder: Path) -> None:
    """The run directory that these histories would come from."""
    (folder / "plan.json").write_text(PLAN.to_json())
    for w in WRITERS:
        recorder = Recorder(folder / "history" / f"{w.name}.jsonl")
        recorder.write("writer", run=RUN, author=w.author)
        recorder.close()
        events = [(write.invoked_ns, {"e": "invoke", "n": write.number}) for write in w.writes]
        events += [(write.answered_ns, {"e": "ok", "n": write.number, "p": write.position}) for write in w.writes]
        append(folder / "history" / f"{w.name}.jsonl", [{"t": t, **fields} for t, fields in sorted(events, key=str)])
        append(folder / "history" / f"{w.name}.jsonl", [{"t": 3 * S, "e": "end", "trouble": ""}])
    for r in READERS:
        first = [] if r.live else [{"t": 1, "e": "reread"}]
        got = [{"t": d.at_ns, "e": "got", "p": d.position, "a": d.author, "x": d.text} for d in r.deliveries]
        append(folder / "history" / f"{r.name}.jsonl", [*first, *got, {"t": 3 * S, "e": "end", "trouble": ""}])
    lines: list[dict[str, object]] = [
        {"t": 1, "e": "started", "run": RUN, "started": RECORD.started, "masters": "h1", "inventory": RECORD.inventory},
        {"t": 1, "e": "traffic"},
    ]
    for window, fault in zip(RECORD.windows, RECORD.faults, strict=True):
        lines.append({"t": window.begin_ns, "e": "window", "number": window.number})
        flat = {key: value for key, value in dataclasses.asdict(fault).items() if not isinstance(value, dict)}
        for prefix, process in (("before", fault.before), ("after", fault.after)):
            flat |= {f"{prefix}_{key}": value for key, value in dataclasses.asdict(process).items()}
        lines.append({"t": fault.recovered_ns, "e": "fault", **flat})
        lines.append({"t": window.end_ns, "e": "window over", "number": window.number})
    lines += [
        {"t": 2 * S, "e": "traffic over"},
        {"t": 2 * S, "e": "reread", "host": "h1"},
        {"t": 2 * S, "e": "finished"},
    ]
    append(folder / "run.jsonl", lines)


def append(path: Path, lines: list[dict[str, object]]) -> None:
    """Events behind those that a file has."""
    with path.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
