"""Each promise about posts has a history that breaks it, and the judge finds it."""

import dataclasses

from chaos.checks.delivery import judge_delivery
from chaos.history import Delivery, Result
from tests.chaos.making import POSTS, READERS, WRITERS, position, spoil_writer, with_deliveries

ALL = list(READERS[0].deliveries)
OTHERS = READERS[1:]


def test_a_run_in_which_all_is_well_has_no_findings() -> None:
    found = judge_delivery(WRITERS, READERS)
    assert found.right
    assert found.acknowledged == 2 * POSTS


def test_a_post_that_one_follower_never_received_is_lost() -> None:
    found = judge_delivery(WRITERS, (with_deliveries(READERS[0], ALL[:100] + ALL[101:]), *OTHERS))
    assert [f.text for f in found.lost] == [ALL[100].text]
    assert "follower-1 never received it" in found.lost[0].sentence
    assert not found.duplicated


def test_a_post_that_only_one_master_has_forgotten_is_lost() -> None:
    found = judge_delivery(WRITERS, (*READERS[:2], with_deliveries(READERS[2], ALL[:-1])))
    assert [f.text for f in found.lost] == [ALL[-1].text]


def test_a_post_missing_everywhere_is_one_lost_post() -> None:
    found = judge_delivery(WRITERS, [with_deliveries(reader, ALL[1:]) for reader in READERS])
    assert len(found.lost) == 1


def test_the_end_that_a_cut_short_reader_did_not_see_is_not_lost_but_a_gap_before_it_is() -> None:
    short = dataclasses.replace(with_deliveries(READERS[0], ALL[:10] + ALL[11:50]), ended=False)
    found = judge_delivery(WRITERS, (short, *OTHERS))
    assert [f.text for f in found.lost] == [ALL[10].text]


def test_a_post_received_twice_is_doubled() -> None:
    found = judge_delivery(WRITERS, (with_deliveries(READERS[0], [*ALL[:100], ALL[99], *ALL[100:]]), *OTHERS))
    assert [f.text for f in found.duplicated] == [ALL[99].text]


def test_a_write_executed_twice_is_doubled() -> None:
    again = dataclasses.replace(ALL[0], position=position(0, POSTS + 1))
    found = judge_delivery(WRITERS, [with_deliveries(reader, [*ALL, again]) for reader in READERS])
    assert [f.text for f in found.duplicated] == [ALL[0].text]


def test_a_post_at_another_position_than_its_writer_was_told_is_found() -> None:
    moved = dataclasses.replace(ALL[-1], position=ALL[-1].position + 1)
    found = judge_delivery(WRITERS, [with_deliveries(reader, [*ALL[:-1], moved]) for reader in READERS])
    assert [f.text for f in found.duplicated] == [ALL[-1].text]


def test_positions_that_go_back_are_out_of_order() -> None:
    found = judge_delivery(WRITERS, (with_deliveries(READERS[0], [ALL[1], ALL[0], *ALL[2:]]), *OTHERS))
    assert [f.text for f in found.disordered] == [ALL[0].text]


def test_an_author_whose_posts_stand_in_another_order_is_found_even_if_all_readers_agree() -> None:
    first, second = position(0, 1), position(0, 2)
    writers = (spoil_writer(spoil_writer(WRITERS[0], 1, position=second), 2, position=first), WRITERS[1])
    swap = {first: second, second: first}
    swapped = sorted(
        (dataclasses.replace(d, position=swap.get(d.position, d.position)) for d in ALL), key=lambda d: d.position
    )
    found = judge_delivery(writers, [with_deliveries(reader, swapped) for reader in READERS])
    assert not found.duplicated
    assert len(found.disordered) == 1


def test_readers_that_see_different_posts_at_one_position_are_found() -> None:
    unknown = spoil_writer(spoil_writer(WRITERS[0], 399, result=Result.UNKNOWN), 400, result=Result.UNKNOWN)
    one = [d for d in ALL if d.text != "r/w0/400"]
    other = [dataclasses.replace(d, position=position(0, 399)) for d in ALL if d.text == "r/w0/400"]
    others = sorted([*(d for d in one if d.text != "r/w0/399"), *other], key=lambda d: d.position)
    found = judge_delivery(
        (unknown, WRITERS[1]), (with_deliveries(READERS[0], one), with_deliveries(READERS[1], others))
    )
    assert found.disordered


def test_an_unknown_write_may_be_there_or_not() -> None:
    writers = (spoil_writer(WRITERS[0], 200, result=Result.UNKNOWN, position=0), WRITERS[1])
    assert judge_delivery(writers, READERS).right
    without = [d for d in ALL if d.text != "r/w0/200"]
    assert judge_delivery(writers, [with_deliveries(reader, without) for reader in READERS]).right


def test_an_unknown_write_must_not_be_there_twice() -> None:
    writers = (spoil_writer(WRITERS[0], 400, result=Result.UNKNOWN, position=0), WRITERS[1])
    again = Delivery(ALL[-1].at_ns, position(0, POSTS + 1), "w0", "r/w0/400")
    found = judge_delivery(writers, [with_deliveries(reader, [*ALL, again]) for reader in READERS])
    assert [f.text for f in found.duplicated] == ["r/w0/400"]


def test_a_refused_write_must_not_appear() -> None:
    found = judge_delivery((spoil_writer(WRITERS[0], 7, result=Result.FAIL), WRITERS[1]), READERS)
    assert [f.text for f in found.invented] == ["r/w0/7"]


def test_a_post_that_nobody_wrote_is_found() -> None:
    ghost = Delivery(1, position(1, POSTS + 5), "w1", "r/w1/999")
    found = judge_delivery(WRITERS, (with_deliveries(READERS[0], [*ALL, ghost]), *OTHERS))
    assert [f.text for f in found.invented] == ["r/w1/999"]


def test_a_post_under_a_wrong_name_is_found() -> None:
    stolen = dataclasses.replace(ALL[3], author="w0" if ALL[3].author == "w1" else "w1")
    found = judge_delivery(WRITERS, (with_deliveries(READERS[0], [*ALL[:3], stolen, *ALL[4:]]), *OTHERS))
    assert [f.text for f in found.invented] == [stolen.text]
