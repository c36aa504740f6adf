"""When a slave starts, kills and gives up on its master: rules only, times come in.

A watch is fed with what happened (events) and answers with what to do (actions). It must hold, whatever happens in
whatever order:

- At most one master at a time: `Start` is asked for only while no process is known to live. One that does not go away
  after SIGKILL (disk wait) is not replaced until it has gone.
- A master that had served, or at least lived, for SETTLED_SECONDS is started again at once when it ends, by whatever
  hand; only the configured restart delay holds it back. One that ends sooner is in a crash loop and backs off.
- Silence kills, but never because it was the slave itself that slept. A master that is only busy is not silent: its
  heartbeats come from a thread of their own, and say for how long its event loop has not run.
- After `StopRequested` nothing is started, and the watch ends: `Finish` comes once the master has gone, or is stuck.

             Start              Spawned, Adopted         Heartbeat(serving)
    WAITING --------> SPAWNING ------------------> NEW --------------------> SERVING <---> UNWELL
       ^                 |                          |   silence: Kill           |
       |   StartFailed   |                          +------------+--------------+
       +-----------------+                                       v
       |                      Exited                           KILLED ---> STUCK (still there KILL_SECONDS later)
       +-------------------------------------------- from each of these, at any time
"""

from dataclasses import dataclass, replace
from enum import Enum, auto

SETTLED_SECONDS = 10.0
# Before the first, second, ... start after one crash, two crashes, ... in a row.
BACK_OFF_SECONDS = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
USAGE_STATUS = 2  # the exit status of a process that cannot start before a person changes something
KILL_SECONDS = 1.0  # what the kernel may need to end a process; longer: it waits for a disk


@dataclass(frozen=True, slots=True)
class Rules:
    """What a person may configure; see SlaveSettings."""

    restart_delay_seconds: float = 0.0
    silence_seconds: float = 3.0
    stuck_seconds: float = 30.0
    start_seconds: float = 60.0
    stop_seconds: float = 8.0

    @property
    def look_seconds(self) -> float:
        """The longest pause between two ticks while a master lives; a much longer one means that the slave slept."""
        return self.silence_seconds / 4


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended; neither known: it was no child of this slave."""

    status: int | None = None
    signal: str = ""  # "SIGKILL"

    def __str__(self) -> str:
        if self.signal:
            return f"killed by {self.signal}"
        return "unknown (adopted)" if self.status is None else f"exit status {self.status}"


# -- events: `at` is monotonic, in seconds -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tick:
    """It is `wake_at`, or later."""

    at: float


@dataclass(frozen=True, slots=True)
class Spawned:
    at: float
    pid: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """A master of an earlier slave lives, and has done so for `age_seconds`."""

    at: float
    pid: int
    age_seconds: float


@dataclass(frozen=True, slots=True)
class StartFailed:
    at: float
    why: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    at: float
    pid: int
    incarnation: int  # 0: it does not know yet
    serving: bool
    stuck_seconds: float = 0.0  # for how long its event loop has not run


@dataclass(frozen=True, slots=True)
class Exited:
    at: float
    pid: int
    ending: Ending


@dataclass(frozen=True, slots=True)
class StopRequested:
    at: float


Event = Tick | Spawned | Adopted | StartFailed | Heartbeat | Exited | StopRequested

# -- actions -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """Adopt the master that runs, or else spawn one; then say so with Adopted, Spawned or StartFailed."""


@dataclass(frozen=True, slots=True)
class Terminate:
    """SIGTERM: it hands leadership over and ends."""

    pid: int


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL."""

    pid: int


@dataclass(frozen=True, slots=True)
class Announce:
    """The master of this incarnation is dead."""

    incarnation: int


@dataclass(frozen=True, slots=True)
class Say:
    """One sentence for people; `bad`: somebody should look at it."""

    sentence: str
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Finish:
    """There is nothing left to watch; the slave may end."""


Action = Start | Terminate | Kill | Announce | Say | Finish

# -- the watch ---------------------------------------------------------------------------------------------------------


class Phase(Enum):
    WAITING = auto()  # for next_start_at
    SPAWNING = auto()
    NEW = auto()  # a process that has not served yet
    SERVING = auto()
    UNWELL = auto()  # it says that it does not serve
    KILLED = auto()
    STUCK = auto()
    FINISHED = auto()


_ALIVE = frozenset({Phase.NEW, Phase.SERVING, Phase.UNWELL})
_DYING = frozenset({Phase.KILLED, Phase.STUCK})
_SHOWN = {
    Phase.WAITING: "backing-off",
    Phase.SPAWNING: "starting",
    Phase.NEW: "starting",
    Phase.SERVING: "serving",
    Phase.UNWELL: "unwell",
    Phase.KILLED: "unwell",
    Phase.STUCK: "stuck",
    Phase.FINISHED: "stopping",
}


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known of the master. The first start is due at once: a restart delay is for restarts."""

    phase: Phase = Phase.WAITING
    pid: int = 0  # 0: none lives
    incarnation: int = 0
    adopted: bool = False
    started_at: float = 0.0
    served_since: float | None = None
    stuck: bool = False  # its event loop has not run for a while, as it says
    heartbeat_by: float = 0.0  # it is silent if none came until then
    killed_at: float = 0.0
    next_start_at: float = 0.0
    stop_by: float | None = None  # set: stopping, SIGKILL at that time
    crashes: int = 0  # ends in a row before it had settled
    starts: int = 0
    last_ending: str = ""
    stepped_at: float | None = None  # when the slave was last awake

    @property
    def state(self) -> str:
        """As SlaveStatus.state says it."""
        return "stopping" if self.stop_by is not None and self.phase is not Phase.STUCK else _SHOWN[self.phase]

    @property
    def restarts(self) -> int:
        return max(0, self.starts - 1)

    def wake_at(self, rules: Rules) -> float | None:
        """When to feed the next Tick, if nothing else happens before; None: only another event can change anything."""
        if self.phase is Phase.WAITING:
            return self.next_start_at
        due = self._due_at()
        if due is None or self.stepped_at is None:
            return None
        return min(due, self.stepped_at + rules.look_seconds)

    def _due_at(self) -> float | None:
        if self.phase in _ALIVE:
            return self.heartbeat_by if self.stop_by is None else self.stop_by
        return self.killed_at + KILL_SECONDS if self.phase is Phase.KILLED else None


Outcome = tuple[Watch, tuple[Action, ...]]


def step(rules: Rules, watch: Watch, event: Event) -> Outcome:
    """What is known after `event`, and what to do. Events of a process that is not watched change nothing."""
    if watch.phase is Phase.FINISHED:
        return watch, ()
    after, actions = _dispatch(rules, watch, event)
    return replace(after, stepped_at=event.at), actions


def _dispatch(rules: Rules, watch: Watch, event: Event) -> Outcome:
    match event:
        case Tick():
            return _tick(rules, watch, event)
        case Spawned() | Adopted():
            return _has_process(rules, watch, event)
        case StartFailed():
            return _start_failed(rules, watch, event)
        case Heartbeat():
            return _heartbeat(rules, watch, event)
        case Exited():
            return _exited(rules, watch, event)
        case StopRequested():
            return _stop_requested(rules, watch, event)


def _tick(rules: Rules, watch: Watch, event: Tick) -> Outcome:
    if watch.phase is Phase.WAITING:
        return _start(watch) if event.at >= watch.next_start_at else (watch, ())
    if watch.stepped_at is not None and event.at - watch.stepped_at > 2 * rules.look_seconds:
        # Whoever sleeps hears no heartbeats and sees nobody die: what was missed gets its time again.
        by = max(watch.heartbeat_by, event.at + rules.silence_seconds)
        return replace(watch, heartbeat_by=by, killed_at=event.at if watch.killed_at else 0.0), ()
    due = watch._due_at()
    if due is None or event.at < due:
        return watch, ()
    if watch.phase is Phase.KILLED:
        return _stuck(watch)
    reason = f"said nothing for {rules.silence_seconds:g} s" if watch.stop_by is None else "did not stop in time"
    if watch.stop_by is None and not watch.served_since and not watch.incarnation:
        reason = f"did not come up within {rules.start_seconds:g} s"
    killed = replace(watch, phase=Phase.KILLED, killed_at=event.at)
    return killed, (Kill(watch.pid), Say(f"the master (pid {watch.pid}) {reason}: SIGKILL", bad=True))


def _start(watch: Watch) -> Outcome:
    return replace(watch, phase=Phase.SPAWNING), (Start(),)


def _stuck(watch: Watch) -> Outcome:
    sentence = (
        f"the master (pid {watch.pid}) is still there {KILL_SECONDS:g} s after SIGKILL: it waits for its disk;"
        " no other one is started before it has gone"
    )
    say = Say(sentence, bad=True)
    if watch.stop_by is not None:
        return replace(watch, phase=Phase.FINISHED), (say, Finish())
    return replace(watch, phase=Phase.STUCK), (say,)


def _has_process(rules: Rules, watch: Watch, event: Spawned | Adopted) -> Outcome:
    adopted = isinstance(event, Adopted)
    age_seconds = event.age_seconds if isinstance(event, Adopted) else 0.0
    new = replace(
        watch,
        phase=Phase.NEW,
        pid=event.pid,
        incarnation=0,
        adopted=adopted,
        started_at=event.at - age_seconds,
        served_since=None,
        stuck=False,
        heartbeat_by=event.at + max(rules.silence_seconds, rules.start_seconds - age_seconds),
        killed_at=0.0,
        starts=watch.starts + 1,
    )
    say = Say(f"{'adopted the running' if adopted else 'started a'} master, pid {event.pid}")
    return (new, (say,)) if watch.stop_by is None else (new, (say, Terminate(event.pid)))


def _start_failed(rules: Rules, watch: Watch, event: StartFailed) -> Outcome:
    say = Say(f"cannot start the master: {event.why}", bad=True)
    if watch.stop_by is not None:
        return replace(watch, phase=Phase.FINISHED), (say, Finish())
    later = event.at + max(rules.restart_delay_seconds, BACK_OFF_SECONDS[-1])
    return replace(watch, phase=Phase.WAITING, next_start_at=later, last_ending=event.why), (say,)


def _heartbeat(rules: Rules, watch: Watch, event: Heartbeat) -> Outcome:
    if event.pid != watch.pid or watch.phase not in _ALIVE:
        return watch, ()
    served_since = watch.served_since
    if event.serving and served_since is None:
        served_since = watch.started_at if watch.adopted else event.at
    phase = Phase.SERVING if event.serving else Phase.NEW if served_since is None else Phase.UNWELL
    said = replace(
        watch,
        phase=phase,
        incarnation=event.incarnation or watch.incarnation,
        served_since=served_since,
        stuck=event.stuck_seconds >= rules.silence_seconds,
        heartbeat_by=event.at + rules.silence_seconds,
    )
    loop = f"the event loop of the master (pid {watch.pid})"
    for_long = f"{loop} has not run for {event.stuck_seconds:.1f} s"
    if event.stuck_seconds >= rules.stuck_seconds and watch.stop_by is None:
        killed = replace(said, phase=Phase.KILLED, killed_at=event.at)
        return killed, (Kill(watch.pid), Say(f"{for_long}: SIGKILL", bad=True))
    if said.stuck and not watch.stuck:
        return said, (Say(for_long, bad=True),)
    return said, ((Say(f"{loop} runs again"),) if watch.stuck and not said.stuck else ())


def _exited(rules: Rules, watch: Watch, event: Exited) -> Outcome:
    if event.pid != watch.pid or watch.phase not in _ALIVE | _DYING:
        return watch, ()
    settled = event.at - (watch.served_since or watch.started_at) >= SETTLED_SECONDS
    crashes = 0 if settled else watch.crashes + 1
    announce = (Announce(watch.incarnation),) if watch.incarnation else ()
    gone = replace(watch, phase=Phase.WAITING, pid=0, crashes=crashes, last_ending=str(event.ending))
    ended = f"the master (pid {event.pid}) has ended: {event.ending}"
    if watch.stop_by is not None:
        return replace(gone, phase=Phase.FINISHED), (*announce, Say(ended), Finish())
    delay_seconds = max(rules.restart_delay_seconds, _back_off_seconds(crashes, event.ending))
    gone = replace(gone, next_start_at=event.at + delay_seconds)
    if delay_seconds > 0:
        why = "; a person must change something first, see what it said" if event.ending.status == USAGE_STATUS else ""
        say = Say(f"{ended}; the next one starts in {delay_seconds:g} s{why}", bad=True)
        return gone, (*announce, say)
    started, start = _start(gone)
    return started, (*announce, *start, Say(f"{ended}; starting the next one", bad=True))


def _back_off_seconds(crashes: int, ending: Ending) -> float:
    if ending.status == USAGE_STATUS:
        return BACK_OFF_SECONDS[-1]
    return BACK_OFF_SECONDS[min(crashes, len(BACK_OFF_SECONDS)) - 1] if crashes else 0.0


def _stop_requested(rules: Rules, watch: Watch, event: StopRequested) -> Outcome:
    if watch.stop_by is not None:
        return watch, ()
    stopping = replace(watch, stop_by=event.at + rules.stop_seconds)
    if watch.phase is Phase.WAITING:
        return replace(stopping, phase=Phase.FINISHED), (Finish(),)
    if watch.phase is Phase.STUCK:
        return _stuck(stopping)
    return stopping, ((Terminate(watch.pid),) if watch.phase in _ALIVE else ())
