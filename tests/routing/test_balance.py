"""Under `balanced`, load is what masters report and what was given out since."""

from collections import Counter
from random import Random

import pytest

from tinysns.routing.reservations import LIFE_SECONDS, Reservations
from tinysns.routing.servicer import Routing, Self
from tinysns.wire.v1 import router_pb2 as pb

MASTERS = [f"10.0.0.{rank}:3011" for rank in (1, 2, 3, 4)]


class Cluster:
    """Four masters as their reports tell of them, and as many routers as wanted, which hear the same."""

    def __init__(self, routers: int = 1, policy: str = "balanced", seed: int = 1) -> None:
        me = Self("h1", tuple(f"10.0.0.{n}:3010" for n in range(1, routers + 1)), policy, 0)
        self.routers = [Routing(me, 60.0, Random(seed + i)) for i in range(routers)]
        self.streams = Counter[str]()
        self.report()

    def report(self, *, without: str = "") -> None:
        for rank, address in enumerate(MASTERS, start=1):
            if address != without:
                state = pb.MasterState(name=f"h{rank}", incarnation=1, serving=True, rank=rank, term=1)
                state.leader, state.open_streams = MASTERS[2], self.streams[address]
                for router in self.routers:
                    router.heard(pb.Message(text=address, state=state), rank)

    def ask(self, router: int = 0, stay: str = "") -> str:
        route = self.routers[router].route(stay)
        assert route is not None
        return route.primary

    def spread(self) -> list[int]:
        return sorted(self.streams[address] for address in MASTERS)


def test_a_herd_between_two_reports_is_spread_evenly() -> None:
    cluster = Cluster()
    cluster.streams.update(cluster.ask() for _ in range(400))
    assert cluster.spread() == [100, 100, 100, 100]
    cluster.report()
    cluster.streams.update(cluster.ask() for _ in range(40))
    assert cluster.spread() == [110, 110, 110, 110]


def test_a_herd_fills_up_the_master_that_has_the_least() -> None:
    cluster = Cluster()
    cluster.streams.update({MASTERS[0]: 30, MASTERS[1]: 30, MASTERS[2]: 30})
    cluster.report()
    assert Counter(cluster.ask() for _ in range(30)) == {MASTERS[3]: 30}


def test_reports_in_the_midst_of_a_herd_count_nobody_twice() -> None:
    cluster, on_their_way = Cluster(), list[str]()
    for number in range(400):
        on_their_way.append(cluster.ask())
        if number % 7 == 0:
            arrived, on_their_way = on_their_way[:5], on_their_way[5:]
            cluster.streams.update(arrived)
            cluster.report()
    cluster.streams.update(on_their_way)
    assert cluster.spread() == [100, 100, 100, 100]


def test_who_asks_several_routers_and_takes_any_answer_is_balanced_by_the_reports() -> None:
    cluster, chance = Cluster(routers=4), Random(5)
    for _ in range(400):
        answers = [cluster.ask(router) for router in range(4)]
        cluster.streams[chance.choice(answers)] += 1
        cluster.report()
    # All within an instant, in which nobody can tell clients that went elsewhere from clients on their way.
    assert cluster.spread()[0] >= 90
    assert cluster.spread()[3] <= 110


@pytest.mark.parametrize("seed", range(10))
def test_a_herd_that_asks_all_routers_and_arrives_bit_by_bit_is_spread(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No router knows of the clients of the others before they arrive, up to 0.3 s later and a report behind."""
    cluster, chance, ms = Cluster(routers=4), Random(seed), 0
    monkeypatch.setattr("tinysns.routing.servicer.time.monotonic", lambda: 1000 + ms / 1000)
    arrives: dict[int, list[str]] = {}
    for ms in range(5000):
        if ms % 3 == 0 and ms < 1200:
            arrives.setdefault(ms + chance.randint(5, 300), []).append(cluster.ask(ms // 3 % 4))
        cluster.streams.update(arrives.pop(ms, ()))
        if ms % 50 == 0:
            cluster.report()
    assert sum(cluster.streams.values()) == 400
    assert cluster.spread()[0] >= 90
    assert cluster.spread()[3] <= 110


def test_ties_go_at_random_by_the_seed() -> None:
    def firsts(seed: int) -> list[str]:
        return [Cluster(seed=seed).ask() for _ in range(3)]

    assert firsts(7) == firsts(7)
    assert {Cluster(seed=seed).ask() for seed in range(40)} == set(MASTERS)


def test_who_says_where_it_is_stays_there_and_takes_no_place() -> None:
    cluster = Cluster()
    cluster.streams.update({MASTERS[0]: 100})
    cluster.report()
    assert [cluster.ask(stay=MASTERS[0]) for _ in range(50)] == [MASTERS[0]] * 50
    assert Counter(cluster.ask() for _ in range(300)) == dict.fromkeys(MASTERS[1:], 100)


def test_who_cannot_stay_gets_a_place_elsewhere() -> None:
    cluster = Cluster()
    cluster.routers[0].table.died("h1", 1, 0.0)
    assert Counter(cluster.ask(stay=MASTERS[0]) for _ in range(300)) == dict.fromkeys(MASTERS[1:], 100)


def test_under_available_nobody_is_counted_and_all_go_to_the_leader() -> None:
    cluster = Cluster(policy="available")
    assert {cluster.ask(stay=MASTERS[0]) for _ in range(10)} == {MASTERS[2]}


@pytest.mark.parametrize(("at", "places"), [(0.0, 3), (LIFE_SECONDS - 0.1, 3), (LIFE_SECONDS, 2), (9.0, 0)])
def test_a_place_that_nobody_took_expires(at: float, places: int) -> None:
    reservations = Reservations(1)
    for given_at in (0.0, 1.0, 2.0):
        reservations.give("a1", given_at)
    assert reservations.count("a1", at) == places
    assert reservations.count("a2", at) == 0


def test_who_arrives_elsewhere_has_left_the_oldest_place() -> None:
    reservations = Reservations(1)
    reservations.give("a1", 1.0)
    reservations.give("a2", 0.0)
    reservations.reported("a3", 8, 9, at=1.1)
    assert (reservations.count("a1", 1.1), reservations.count("a2", 1.1)) == (1, 0)
    reservations.reported("a3", 9, 10, at=1.1)
    assert reservations.count("a1", 1.1) == 1, "its client may be on its way"
    reservations.reported("a3", 10, 20, at=2.0)
    assert reservations.count("a1", 2.0) == 0


def test_a_report_takes_the_places_of_those_that_arrived() -> None:
    reservations = Reservations(1)
    for _ in range(3):
        reservations.give("a1", 0.0)
    reservations.reported("a1", 5, 7, at=0.1)
    assert reservations.count("a1", 0.1) == 1
    reservations.reported("a1", 7, 2, at=0.1)
    assert reservations.count("a1", 0.1) == 1, "who leaves says nothing about who comes"
    reservations.reported("a1", 2, 90, at=0.1)
    assert reservations.count("a1", 0.1) == 0
