"""The session for callers that have none: no number is lost, whatever callers do."""

import asyncio

import pytest

from tests.sns.support import Member, NativeTimeline, until
from tinysns.domain.writes import SESSION_WINDOW, Answer, Command, Login, Outcome
from tinysns.replication.interface import NotServing
from tinysns.sns.own_session import OwnSession
from tinysns.wire.csce438.sns_pb2 import Request


class Submitter:
    """Answers when told to."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.answers: list[asyncio.Future[Answer]] = []

    def submit(self, command: Command) -> asyncio.Future[Answer]:
        self.commands.append(command)
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]

    @property
    def names(self) -> list[tuple[int, int]]:
        return [(command.session, command.number) for command in self.commands]


@pytest.fixture
def submitter() -> Submitter:
    return Submitter()


@pytest.fixture
def session(submitter: Submitter) -> OwnSession:
    ids = iter((100, 200, 300))
    return OwnSession(submitter, lambda: next(ids))


async def start(session: OwnSession, count: int) -> list[asyncio.Task[Answer]]:
    calls = [asyncio.create_task(session.submit(Login(f"u{i}"))) for i in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return calls


async def test_numbers_in_order_with_a_window(session: OwnSession, submitter: Submitter) -> None:
    calls = await start(session, SESSION_WINDOW + 10)
    assert submitter.names == [(100, i) for i in range(1, SESSION_WINDOW + 1)]
    for answer in submitter.answers[:10]:
        answer.set_result(Answer(Outcome.DONE))
    await asyncio.gather(*calls[:10])
    await until(lambda: len(submitter.commands) == SESSION_WINDOW + 10, "there was room for the rest")
    assert submitter.names[-1] == (100, SESSION_WINDOW + 10)
    for call in calls:
        call.cancel()


async def test_a_caller_that_goes_away_leaves_no_hole(session: OwnSession, submitter: Submitter) -> None:
    calls = await start(session, 3)
    calls[1].cancel()
    await asyncio.sleep(0)
    for answer in submitter.answers:
        assert not answer.cancelled()
        answer.set_result(Answer(Outcome.DONE))
    await asyncio.gather(calls[0], calls[2])
    assert submitter.names == [(100, 1), (100, 2), (100, 3)]


async def test_a_caller_that_goes_away_while_it_waits_for_room_takes_no_number(
    session: OwnSession, submitter: Submitter
) -> None:
    calls = await start(session, SESSION_WINDOW + 2)
    calls[SESSION_WINDOW].cancel()
    await asyncio.sleep(0)
    submitter.answers[0].set_result(Answer(Outcome.DONE))
    await until(lambda: len(submitter.commands) == SESSION_WINDOW + 1, "the next one was submitted")
    assert submitter.commands[-1] == Command(100, SESSION_WINDOW + 1, Login(f"u{SESSION_WINDOW + 1}"))
    for call in calls:
        call.cancel()


async def test_after_an_unknown_outcome_a_new_session_begins(session: OwnSession, submitter: Submitter) -> None:
    calls = await start(session, 2)
    for answer in submitter.answers:
        answer.set_exception(NotServing("no leader"))
    for call in calls:
        with pytest.raises(NotServing):
            await call
    calls = await start(session, 1)
    assert submitter.names[2:] == [(200, 1)]
    submitter.answers[2].set_result(Answer(Outcome.DONE))
    await calls[0]


async def test_an_expired_session_is_renewed_without_the_caller_noticing(
    session: OwnSession, submitter: Submitter
) -> None:
    calls = await start(session, 2)
    for answer in list(submitter.answers):
        answer.set_result(Answer(Outcome.SESSION_EXPIRED))
    await until(lambda: len(submitter.commands) == 4, "both were submitted again")
    assert submitter.names[2:] == [(200, 1), (200, 2)]
    for answer in submitter.answers[2:]:
        answer.set_result(Answer(Outcome.DONE))
    assert [(await call).outcome for call in calls] == [Outcome.DONE] * 2


async def test_a_gap_is_an_error_and_begins_a_new_session(session: OwnSession, submitter: Submitter) -> None:
    (call,) = await start(session, 1)
    submitter.answers[0].set_result(Answer(Outcome.GAP, expected=1))
    with pytest.raises(NotServing):
        await call
    (call,) = await start(session, 1)
    assert submitter.names[-1] == (200, 1)
    submitter.answers[-1].set_result(Answer(Outcome.DONE))
    await call


async def test_calls_that_are_cancelled_in_mid_flight_do_not_harm_the_next(master: Member) -> None:
    await master.login("ann", "reader")
    await master.follow("reader", "ann")
    master.submitter.stop_applying()
    calls = [master.course.Login(Request(username=f"u{i}"), timeout=60) for i in range(10)]
    await until(lambda: len(master.submitter._waiters) == 10, "all are submitted")
    for call in calls[::2]:
        call.cancel()
    master.submitter.go_on()
    assert [(await call).msg for call in calls[1::2]] == ["Login Successful!"] * 5
    await master.post("ann", "all is well")
    async with NativeTimeline(master, "reader") as timeline:
        assert await timeline.read(1) == ["all is well"]
    reply = await master.course.List(Request(username="ann"), timeout=60)
    assert {f"u{i}" for i in range(10)} <= set(reply.all_users)  # a call that was given up took effect all the same
