"""A run passes only if it saw everything that it had to see."""

import dataclasses

import pytest

from chaos.checks.verdict import Word, judge
from chaos.plan import Plan
from chaos.record import RunRecord
from tests.chaos.making import PLAN, READERS, RECORD, WRITERS, with_deliveries


def changed(**fields: object) -> RunRecord:
    return dataclasses.replace(RECORD, **fields)  # type: ignore[arg-type]


def test_a_good_run_passes_without_a_reason() -> None:
    verdict = judge(PLAN, RECORD, WRITERS, READERS)
    assert (verdict.word, verdict.reasons) == (Word.PASS, ())
    assert [judged.fault.target for judged in verdict.faults] == ["available", "slave"]


def test_a_lost_post_fails() -> None:
    readers = (with_deliveries(READERS[0], list(READERS[0].deliveries[1:])), *READERS[1:])
    verdict = judge(PLAN, RECORD, WRITERS, readers)
    assert verdict.word is Word.FAIL
    assert verdict.reasons[0].startswith("1 post was lost, the first is r/w0/1: ")


def test_a_process_that_did_not_come_back_fails() -> None:
    gone = dataclasses.replace(RECORD.faults[0], recovered_ns=0, trouble="after 30 s: the master of h1 is not back")
    verdict = judge(PLAN, changed(faults=(gone, RECORD.faults[1])), WRITERS, READERS)
    assert verdict.word is Word.FAIL
    assert "the master of h1 is not back" in verdict.reasons[0]


def test_a_failure_outweighs_what_was_not_seen() -> None:
    readers = (with_deliveries(READERS[0], list(READERS[0].deliveries[1:])), *READERS[1:])
    assert judge(PLAN, changed(finished=False), WRITERS, readers).word is Word.FAIL


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (changed(faults=RECORD.faults[:1]), "1 of 2 windows did not happen"),
        (changed(faults=(dataclasses.replace(RECORD.faults[0], asked_ns=0, trouble="nobody leads"), RECORD.faults[1])),
         "window 1: kill of available was not injected: nobody leads"),
        (changed(faults=(dataclasses.replace(RECORD.faults[0], recovered_ns=0), RECORD.faults[1])),
         "window 1: the run ended before available on h1 was seen back"),
        (changed(reread=()), "the timeline was not read again on h1"),
        (changed(finished=False), "the runner did not come to its end"),
        (changed(troubles=("it was interrupted",)), "it was interrupted"),
    ],
)  # fmt: skip
def test_what_was_not_seen_is_not_judged(record: RunRecord, reason: str) -> None:
    verdict = judge(PLAN, record, WRITERS, READERS)
    assert verdict.word is Word.NO_VERDICT
    assert reason in verdict.reasons


def test_a_window_with_fewer_than_50_posts_a_second_gives_no_verdict() -> None:
    few = tuple(dataclasses.replace(w, writes=tuple(x for x in w.writes if x.number % 10 == 0)) for w in WRITERS)
    texts = {write.text for writer in few for write in writer.writes}
    readers = [with_deliveries(r, [d for d in r.deliveries if d.text in texts]) for r in READERS]
    verdict = judge(PLAN, RECORD, few, readers)
    assert verdict.word is Word.NO_VERDICT
    assert "window 2: only 40 acknowledged posts/s, at least 50 are needed" in verdict.reasons


def test_a_client_whose_record_ends_early_gives_no_verdict() -> None:
    writers = (dataclasses.replace(WRITERS[0], ended=False), WRITERS[1])
    verdict = judge(PLAN, RECORD, writers, READERS)
    assert verdict.reasons == ("the record of writer-0 ends early",)
    assert verdict.word is Word.NO_VERDICT


def test_nothing_at_all_gives_no_verdict() -> None:
    assert judge(Plan(1, 1.0, ()), RunRecord(), (), ()).word is Word.NO_VERDICT
