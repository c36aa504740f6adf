"""What a router believes, and why."""

from dataclasses import replace

import pytest

from tinysns.domain.addresses import BadAddress, check_address
from tinysns.routing.table import Refused, Report, Table

SILENCE_SECONDS = 1.0


class Router:
    """A table with a count of its changes; each master speaks on a stream of its own."""

    def __init__(self) -> None:
        self.changes = 0
        self.table = Table(SILENCE_SECONDS, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def hear(
        self, host: int, *, leader: int = 0, term: int = 0, at: float = 0.0, stream: int = 0, **more: object
    ) -> None:
        report = Report(
            address=f"a{host}",
            name=f"h{host}",
            incarnation=1,
            serving=True,
            leader=f"a{leader}" if leader else "",
            term=term,
            cluster_id="c",
            rank=host,
        )
        self.table.heard(replace(report, **more), stream or host, at)  # type: ignore[arg-type]

    @property
    def connected(self) -> list[str]:
        return sorted(k.report.address for k in self.table.connected())


@pytest.fixture
def router() -> Router:
    """Three masters are connected, the first leads in term 5."""
    router = Router()
    for host in (1, 2, 3):
        router.hear(host, leader=1, term=5)
    return router


def test_it_learns_the_leader_only_from_somebody_and_only_if_that_one_is_connected() -> None:
    router = Router()
    router.hear(2, leader=1, term=5)
    assert router.table.leader == ""
    router.hear(1, leader=1, term=5)
    assert router.table.leader == "a1"


def test_the_newest_term_wins_and_an_older_one_changes_nothing(router: Router) -> None:
    router.hear(3, leader=2, term=6)
    assert (router.table.leader, router.table.term) == ("a2", 6)
    router.hear(1, leader=1, term=5)
    assert (router.table.leader, router.table.term) == ("a2", 6)


def test_a_new_leader_whose_own_news_is_late_stays_leader(router: Router) -> None:
    router.hear(3, leader=2, term=6)
    router.hear(2, leader=1, term=5)
    assert router.table.leader == "a2"


def test_a_leader_that_resigns_is_believed_and_others_cannot_bring_it_back(router: Router) -> None:
    router.hear(1, term=5)
    assert router.table.leader == ""
    router.hear(2, leader=1, term=5)
    assert router.table.leader == ""
    router.hear(1, leader=1, term=5)
    assert router.table.leader == "a1"


def test_the_end_of_a_stream_takes_a_master_off_until_it_speaks_again(router: Router) -> None:
    router.table.ended("a1", 1, 2.0)
    assert router.connected == ["a2", "a3"]
    assert router.table.leader == ""
    router.hear(1, leader=1, term=5, stream=9)
    assert router.table.leader == "a1"


def test_the_end_of_an_old_stream_means_nothing(router: Router) -> None:
    router.hear(1, leader=1, term=5, stream=9)
    router.table.ended("a1", 1, 2.0)
    assert router.table.leader == "a1"


def test_silence_takes_a_master_off_but_is_no_death(router: Router) -> None:
    assert router.table.next_expiry() == SILENCE_SECONDS
    router.hear(2, leader=1, term=5, at=0.5)
    router.table.expire(1.0)
    assert router.connected == ["a2"]
    assert list(router.table.dead()) == []
    assert router.table.next_expiry() == 1.5


def test_a_router_that_slept_does_not_blame_the_masters(router: Router) -> None:
    router.table.forgive(50.0)
    router.table.expire(50.0)
    assert router.connected == ["a1", "a2", "a3"]


def test_an_obituary_takes_the_dead_off_and_late_words_of_it_do_not_bring_it_back(router: Router) -> None:
    router.table.died("h1", 1, 2.0)
    router.hear(1, leader=1, term=5)
    assert router.connected == ["a2", "a3"]
    assert list(router.table.dead()) == ["a1"]
    assert router.table.leader == ""
    router.hear(1, term=5, stream=9, incarnation=2)
    assert router.connected == ["a1", "a2", "a3"]
    assert list(router.table.dead()) == []
    assert router.table.leader == ""


def test_a_master_that_most_others_have_lost_is_off_until_they_have_it_again(router: Router) -> None:
    router.hear(2, leader=1, term=5, lost_peers=(("h1", 1),))
    assert router.table.leader == "a1", "one link may break"
    router.hear(3, leader=1, term=5, lost_peers=(("h1", 1),))
    assert router.connected == ["a2", "a3"]
    assert list(router.table.dead()) == ["a1"]
    assert router.table.leader == ""
    router.hear(1, leader=1, term=5)
    assert router.connected == ["a2", "a3"], "whatever it says itself"
    router.hear(3, leader=1, term=5)
    assert router.connected == ["a1", "a2", "a3"]
    assert router.table.leader == "a1"


def test_that_others_lost_an_earlier_life_means_nothing(router: Router) -> None:
    router.hear(1, leader=1, term=5, stream=9, incarnation=2)
    for host in (2, 3):
        router.hear(host, leader=1, term=5, lost_peers=(("h1", 1),))
    assert router.table.leader == "a1"


def test_those_who_are_lost_themselves_have_no_word(router: Router) -> None:
    """Two of four are cut off from the other two, and the router hears all."""
    router.hear(4)
    for host, lost in ((1, (2, 3, 4)), (2, (1,)), (3, (1,)), (4, (1,))):
        router.hear(host, lost_peers=tuple((f"h{n}", 1) for n in lost))
    assert router.connected == ["a2", "a3", "a4"]


def test_when_all_have_lost_most_nobody_is_off(router: Router) -> None:
    """Two and two: none has a quorum, and there is nobody better."""
    router.hear(4)
    for host, lost in ((1, (3, 4)), (2, (3, 4)), (3, (1, 2)), (4, (1, 2))):
        router.hear(host, lost_peers=tuple((f"h{n}", 1) for n in lost))
    assert router.connected == ["a1", "a2", "a3", "a4"]
    assert list(router.table.dead()) == []


def test_an_obituary_of_an_earlier_life_or_of_a_stranger_means_nothing(router: Router) -> None:
    router.hear(1, leader=1, term=5, stream=9, incarnation=2)
    changes = router.changes
    router.table.died("h1", 1, 2.0)
    router.table.died("h9", 1, 2.0)
    assert router.table.leader == "a1"
    assert router.changes == changes


def test_only_what_clients_care_about_is_a_change(router: Router) -> None:
    changes = router.changes
    router.hear(2, leader=1, term=5, open_streams=40)
    assert router.changes == changes
    router.hear(2, leader=1, term=5, serving=False)
    assert router.changes == changes + 1


def test_masters_of_another_cluster_are_refused_with_a_reason(router: Router) -> None:
    with pytest.raises(Refused, match="a4 is of cluster other, but this router routes for c"):
        router.hear(4, cluster_id="other")
    assert router.connected == ["a1", "a2", "a3"]


def test_a_bare_address_neither_erases_what_is_known_nor_is_lost(router: Router) -> None:
    router.table.heard(Report("a1"), 7, 0.0)
    assert router.table.leader == "a1"
    router.table.heard(Report("a9"), 8, 0.0)
    assert [k.report.address for k in router.table.known()] == ["a1", "a2", "a3", "a9"]


@pytest.mark.parametrize("text", ["10.0.0.1:3011", "127.0.0.1:1", "[fd00::1]:65535"])
def test_literal_addresses_are_taken(text: str) -> None:
    check_address(text)


@pytest.mark.parametrize(
    "text",
    ["", ":", "h1:3011", "10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:03011", "fd00::1:3011",
     "[10.0.0.1]:3011", "10.0.0.1:3011 ", "10.0.0.1:²", "10.0.0.1:" + "9" * 5000],
)  # fmt: skip
def test_anything_else_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(BadAddress, match=r"like 10\.0\.0\.1:3010") as refused:
        check_address(text)
    assert len(str(refused.value)) < 300
