"""The rules of the watch over a master: sentence by sentence, then every short sequence, interrupted at every step."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from tinysns.domain.supervision import (
    BACK_OFF_SECONDS,
    SETTLED_SECONDS,
    Action,
    Adopted,
    Announce,
    Ending,
    Event,
    Exited,
    Finish,
    Heartbeat,
    Kill,
    Phase,
    Rules,
    Say,
    Spawned,
    Start,
    StartFailed,
    StopRequested,
    Terminate,
    Tick,
    Watch,
    step,
)

RULES = Rules(silence_seconds=3.0, start_seconds=60.0, stop_seconds=8.0)
BY_KILL = Ending(signal="SIGKILL")


class Story:
    """A watch with what it asked for; time stands in `now`."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules, self.watch, self.now = rules, Watch(), 100.0
        self.actions: list[Action] = []

    def feed(self, event: Event) -> "Story":
        self.watch, actions = step(self.rules, self.watch, event)
        self.actions = list(actions)
        return self

    def does(self, kind: type[Action]) -> bool:
        return any(isinstance(a, kind) for a in self.actions)

    def pass_time(self, seconds: float, *, heartbeats: bool = True) -> "Story":
        """Ticks when the watch wants to be woken, like a slave does; stops at the first action."""
        end = self.now + seconds
        while (wake_at := self.watch.wake_at(self.rules)) is not None and wake_at <= end:
            self.now = max(self.now, wake_at)
            self.feed(Tick(self.now))
            if self.actions:
                return self
            if heartbeats and self.watch.phase is Phase.SERVING:
                self.feed(Heartbeat(self.now, self.watch.pid, self.watch.incarnation, True))
        self.now = end
        return self

    def started(self, pid: int = 1) -> "Story":
        self.feed(Tick(self.now))
        assert self.does(Start)
        return self.feed(Spawned(self.now, pid))

    def serving(self, pid: int = 1) -> "Story":
        if self.watch.phase is not Phase.SPAWNING:
            self.feed(Tick(self.now))
        self.feed(Spawned(self.now, pid))
        return self.feed(Heartbeat(self.now, pid, 100 + pid, True))

    def exits(self, ending: Ending = BY_KILL) -> "Story":
        return self.feed(Exited(self.now, self.watch.pid, ending))


def sentences(actions: list[Action]) -> str:
    return "; ".join(a.sentence for a in actions if isinstance(a, Say))


def test_the_first_master_starts_at_once_even_with_a_restart_delay() -> None:
    story = Story(Rules(restart_delay_seconds=25.0))
    story.feed(Tick(story.now))
    assert story.does(Start)


@pytest.mark.parametrize("ending", [BY_KILL, Ending(status=0), Ending(status=70), Ending()])
def test_a_settled_master_is_replaced_at_once_and_its_death_told_first(ending: Ending) -> None:
    story = Story().serving().pass_time(SETTLED_SECONDS)
    story.exits(ending)
    assert story.actions[:2] == [Announce(101), Start()]
    assert str(ending) in sentences(story.actions)


def test_a_settled_master_that_is_killed_again_and_again_never_waits() -> None:
    story = Story()
    for pid in range(1, 8):
        story.serving(pid).pass_time(SETTLED_SECONDS).exits()
        assert story.does(Start)


def test_the_restart_delay_holds_every_restart_back() -> None:
    story = Story(replace(RULES, restart_delay_seconds=25.0)).serving().pass_time(30).exits()
    assert story.does(Announce)
    assert not story.does(Start)
    died_at = story.now
    assert story.watch.state == "backing-off"
    story.pass_time(60)
    assert story.does(Start)
    assert story.now == died_at + 25.0


def test_a_crash_loop_backs_off_up_to_a_cap_and_is_forgotten_after_one_settled_run() -> None:
    story, waited = Story(), []
    for pid in range(1, 9):
        story.serving(pid).exits(Ending(status=70))
        waited.append(story.watch.next_start_at - story.now)
        if not story.does(Start):
            story.pass_time(10)
            assert story.does(Start)
    assert waited == pytest.approx([*BACK_OFF_SECONDS, BACK_OFF_SECONDS[-1], BACK_OFF_SECONDS[-1]])
    story.serving(20).pass_time(SETTLED_SECONDS).exits()
    assert story.does(Start)
    story.serving(21).exits()
    assert story.does(Start), "the first crash after a settled run costs nothing"


def test_usage_errors_wait_longest_and_name_the_person() -> None:
    story = Story().started().exits(Ending(status=2))
    assert story.watch.next_start_at == story.now + BACK_OFF_SECONDS[-1]
    assert "a person must change something" in sentences(story.actions)
    assert story.watch.last_ending == "exit status 2"


def test_silence_kills_and_the_kill_starts_the_next_one() -> None:
    story = Story().serving().pass_time(20)
    last_heard = story.now
    story.pass_time(10, heartbeats=False)
    assert story.does(Kill)
    assert RULES.silence_seconds - 1 <= story.now - last_heard <= RULES.silence_seconds
    assert not story.does(Start), "not before it is gone"
    story.exits()
    assert story.does(Start)


def test_a_master_that_has_not_spoken_yet_gets_its_time_to_replay_a_log() -> None:
    story = Story().started().pass_time(59.0)
    assert not story.actions
    story.pass_time(2.0)
    assert story.does(Kill)
    assert "did not come up within 60 s" in sentences(story.actions)


def test_a_heartbeat_of_a_master_that_does_not_serve_is_a_sign_of_life_too() -> None:
    story = Story().started()
    story.feed(Heartbeat(story.now, 1, 0, False))
    assert story.watch.state == "starting"
    story.feed(Heartbeat(story.now, 1, 5, True)).feed(Heartbeat(story.now, 1, 5, False))
    assert story.watch.state == "unwell"
    assert story.watch.incarnation == 5


def test_a_slave_that_slept_does_not_kill_for_what_it_did_not_hear() -> None:
    story = Story().serving()
    story.now += 30.0
    story.feed(Tick(story.now))
    assert not story.actions
    story.pass_time(2.9, heartbeats=False)
    assert not story.actions
    story.pass_time(0.2, heartbeats=False)
    assert story.does(Kill)


def test_a_master_in_disk_wait_is_not_replaced_before_it_has_gone() -> None:
    story = Story().serving().pass_time(20).pass_time(10, heartbeats=False)
    assert story.does(Kill)
    story.pass_time(10)
    assert "waits for its disk" in sentences(story.actions)
    assert story.watch.state == "stuck"
    story.pass_time(1000)
    assert not story.does(Start)
    story.exits()
    assert story.does(Start)


def test_an_adopted_master_that_has_lived_long_is_soon_missed_and_settled() -> None:
    story = Story()
    story.feed(Tick(story.now)).feed(Adopted(story.now, 7, age_seconds=500.0))
    story.pass_time(2.9)
    assert not story.actions
    assert story.watch.adopted
    story.feed(Heartbeat(story.now, 7, 3, True)).exits(Ending())
    assert story.actions[:2] == [Announce(3), Start()]
    assert story.watch.crashes == 0


def test_an_adopted_master_that_is_still_starting_gets_the_rest_of_its_time() -> None:
    story = Story()
    story.feed(Tick(story.now)).feed(Adopted(story.now, 7, age_seconds=10.0)).pass_time(49.0)
    assert not story.actions
    story.pass_time(2.0)
    assert story.does(Kill)


def test_a_command_that_cannot_be_executed_is_tried_again_later() -> None:
    story = Story()
    story.feed(Tick(story.now)).feed(StartFailed(story.now, "No such file"))
    assert "No such file" in sentences(story.actions)
    story.pass_time(10)
    assert story.does(Start)


def test_an_orderly_stop_is_term_then_kill_then_the_end() -> None:
    story = Story().serving()
    story.feed(StopRequested(story.now))
    assert story.actions == [Terminate(1)]
    asked_at = story.now
    story.pass_time(20)
    assert story.does(Kill)
    assert story.now == asked_at + RULES.stop_seconds
    story.exits()
    assert story.does(Finish)
    assert not story.does(Start)


def test_a_stop_does_not_wait_for_a_disk_that_does_not_come_back() -> None:
    story = Story().serving()
    story.feed(StopRequested(story.now)).pass_time(20).pass_time(20)
    assert story.does(Finish)
    assert "waits for its disk" in sentences(story.actions)


def test_a_busy_master_is_said_to_be_so_once_and_killed_only_when_it_is_stuck() -> None:
    story = Story().serving()
    said = []
    for stuck_seconds in (0.5, 3.5, 10.0, 0.0, 4.0, 29.9):
        story.feed(Heartbeat(story.now, 1, 101, True, stuck_seconds))
        said.append(sentences(story.actions))
        assert not story.does(Kill)
    assert "has not run for 3.5 s" in said[1]
    assert "runs again" in said[3]
    assert "has not run for 4.0 s" in said[4]
    assert said[0] == said[2] == said[5] == ""
    story.feed(Heartbeat(story.now, 1, 101, True, 30.0))
    assert Kill(1) in story.actions
    assert "has not run for 30.0 s: SIGKILL" in sentences(story.actions)
    story.exits()
    assert story.does(Start)


# -- every sequence ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """What is really the case: who lives, and what the slave has yet to do."""

    living: int = 0  # pid, 0: nobody
    born: int = 0
    starting: bool = False
    sentenced: bool = False
    announced: int = 0
    stopping: bool = False
    finished: bool = False
    now: float = 100.0


def _choices(world: World, watch: Watch) -> Iterator[tuple[World, Event]]:
    """All that can happen next."""
    now = world.now
    if world.starting:
        pid = world.born + 1
        born = replace(world, starting=False, living=pid, born=pid)
        yield born, Spawned(now, pid)
        yield born, Adopted(now, pid, 100.0)
        yield replace(world, starting=False), StartFailed(now, "no")
    if world.living:
        gone = replace(world, living=0, sentenced=False)
        yield gone, Exited(now, world.living, BY_KILL)
        yield gone, Exited(now, world.living, Ending(status=2))
        if not world.sentenced:
            yield world, Heartbeat(now, world.living, world.living, True)
            yield world, Heartbeat(now, world.living, world.living, False)
            yield world, Heartbeat(now, world.living, world.living, True, stuck_seconds=RULES.silence_seconds)
            yield world, Heartbeat(now, world.living, world.living, True, stuck_seconds=RULES.stuck_seconds)
    for dead in {world.born, world.born - 1} - {world.living}:  # what was on its way when its sender died
        yield world, Heartbeat(now, dead, dead, True)
        yield world, Exited(now, dead, BY_KILL)
    if not world.stopping:
        yield replace(world, stopping=True), StopRequested(now)
    if (wake_at := watch.wake_at(RULES)) is not None:
        awake = replace(world, now=max(now, wake_at))
        yield awake, Tick(awake.now)
    slept = replace(world, now=now + 100.0)
    yield slept, Tick(slept.now)


def _obey(world: World, before: Watch, actions: tuple[Action, ...]) -> World:
    """Carries the actions out, and checks each against the invariants of the module."""
    for action in actions:
        assert not world.finished, "nothing after the end"
        match action:
            case Start():
                assert not world.living, "a second master"
                assert not world.starting, "a second start"
                assert not world.stopping, "a start after the stop"
                world = replace(world, starting=True)
            case Kill(pid) | Terminate(pid):
                assert pid == world.living, "a signal for somebody else"
                world = replace(world, sentenced=world.sentenced or isinstance(action, Kill))
            case Announce(incarnation):
                assert incarnation == before.pid, "an obituary for somebody else"
                assert incarnation != world.living, "an obituary for a living master"
                assert incarnation != world.announced, "told twice"
                world = replace(world, announced=incarnation)
            case Finish():
                assert world.stopping
                assert not world.starting
                assert not world.living or world.sentenced, "left a master behind that was never killed"
                world = replace(world, finished=True)
    return world


def _explore(world: World, watch: Watch, depth: int, seen: dict[tuple[World, Watch], int]) -> None:
    if seen.get((world, watch), -1) >= depth:
        return
    seen[world, watch] = depth
    if depth == 0:
        return
    for after, event in _choices(world, watch):
        next_watch, actions = step(RULES, watch, event)
        obeyed = _obey(after, watch, actions)
        assert obeyed.finished or (next_watch.pid != 0) == (obeyed.living != 0)
        if not obeyed.finished and not obeyed.starting and not obeyed.living:
            assert next_watch.wake_at(RULES) is not None, "would sleep for ever with no master"
        _explore(obeyed, next_watch, depth - 1, seen)


def test_no_sequence_of_events_breaks_an_invariant() -> None:
    seen: dict[tuple[World, Watch], int] = {}
    _explore(World(), Watch(), 7, seen)
    assert len(seen) > 10_000
