"""The run's own record (run.jsonl): what the runner did and when; with the histories enough to judge after a crash."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from chaos.faults import Process
from chaos.history import Field, Line, Recorder, lines_of, number, text

FILE = "run.jsonl"


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """One window's fault. `asked_ns` 0: it was not injected; `recovered_ns` 0: it was never over."""

    window: int
    kind: str
    target: str
    host: str = ""
    asked_ns: int = 0
    done_ns: int = 0
    recovered_ns: int = 0
    host_clock: str = ""
    before: Process = field(default_factory=Process)
    after: Process = field(default_factory=Process)
    trouble: str = ""  # why it was not injected, is not over, or hit more than its target


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the run with one fault in it."""

    number: int
    begin_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class RunRecord:
    """All that the runner wrote down."""

    run: str = ""
    started: str = ""  # wall clock, for people
    began_ns: int = 0  # the traffic's begin: second 0 of the report
    ended_ns: int = 0  # the traffic's end, 0: not seen
    inventory: str = ""
    hosts: int = 0
    masters: tuple[str, ...] = ()
    policy: str = ""  # of the routers
    revision: str = ""
    release: str = ""
    command: str = ""
    faults: tuple[FaultRecord, ...] = ()
    windows: tuple[Window, ...] = ()
    reread: tuple[str, ...] = ()  # hosts whose masters were read afresh, whole
    troubles: tuple[str, ...] = ()  # what else went wrong
    finished: bool = False  # the runner came to its end


class RunRecorder:
    """Writes the record while the run goes on."""

    def __init__(self, folder: Path) -> None:
        self._recorder = Recorder(folder / FILE)

    def write(self, event: str, **fields: Field) -> None:
        """One event of the runner's own."""
        self._recorder.write(event, **fields)

    def fault(self, fault: FaultRecord) -> None:
        """What is known of a fault by now; the newest one of a window counts."""
        flat: dict[str, Field] = {}
        for key, value in asdict(fault).items():
            flat |= {f"{key}_{k}": v for k, v in value.items()} if isinstance(value, dict) else {key: value}
        self._recorder.write("fault", **flat)

    def close(self) -> None:
        self._recorder.close()


def read_record(folder: Path) -> RunRecord:
    """Reads what there is, also after a crash in the middle."""
    started: Line = {}
    began_ns = ended_ns = 0
    faults: dict[int, FaultRecord] = {}
    windows: dict[int, Window] = {}
    reread: list[str] = []
    troubles: list[str] = []
    finished = False
    for line in lines_of(folder / FILE):
        at_ns = number(line, "t")
        match text(line, "e"):
            case "started":
                started = line
            case "traffic":
                began_ns = at_ns
            case "window":
                n = number(line, "number")
                windows[n] = Window(n, at_ns, 0)
            case "window over":
                n = number(line, "number")
                windows[n] = Window(n, windows[n].begin_ns, at_ns)
            case "fault":
                faults[number(line, "window")] = _fault(line)
            case "traffic over":
                ended_ns = at_ns
            case "reread":
                reread.append(text(line, "host"))
            case "trouble":
                troubles.append(text(line, "sentence"))
            case "finished":
                finished = True
    return RunRecord(
        run=text(started, "run"),
        started=text(started, "started"),
        began_ns=began_ns,
        ended_ns=ended_ns,
        inventory=text(started, "inventory"),
        hosts=number(started, "hosts"),
        masters=tuple(text(started, "masters").split()),
        policy=text(started, "policy"),
        revision=text(started, "revision"),
        release=text(started, "release"),
        command=text(started, "command"),
        faults=tuple(faults[n] for n in sorted(faults)),
        windows=tuple(window for window in windows.values() if window.end_ns),
        reread=tuple(reread),
        troubles=tuple(troubles),
        finished=finished,
    )


def _fault(line: Line) -> FaultRecord:
    def process(prefix: str) -> Process:
        return Process(*(number(line, f"{prefix}_{key}") for key in ("pid", "incarnation", "term")))

    return FaultRecord(
        window=number(line, "window"),
        kind=text(line, "kind"),
        target=text(line, "target"),
        host=text(line, "host"),
        asked_ns=number(line, "asked_ns"),
        done_ns=number(line, "done_ns"),
        recovered_ns=number(line, "recovered_ns"),
        host_clock=text(line, "host_clock"),
        before=process("before"),
        after=process("after"),
        trouble=text(line, "trouble"),
    )
