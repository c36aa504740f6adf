"""A session's writes take effect exactly once and in order, whatever happens to the masters and to the messages."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from tests.client.double import Cluster
from tinysns.client import Client, Definite, Indefinite, Limits, Refusal, Unreachable
from tinysns.domain.writes import Answer, Outcome, Post

QUICK = Limits(deadline_seconds=2.0, try_seconds=0.1)
PATIENT = Limits(deadline_seconds=120.0, try_seconds=120.0)  # so that whoever waits for a try waits in vain
SOON_SECONDS = 60.0  # much less than that, however busy this machine is


async def test_writes_are_answered_with_what_came_of_them() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses) as client:
        session = client.session()
        assert (await session.login("ada")).outcome is Outcome.DONE
        assert (await session.login("ada")).outcome is Outcome.WELCOME_BACK
        await session.login("bob")
        await session.follow("bob", "ada")
        with pytest.raises(Refusal, match="'bob' follows 'ada' already") as caught:
            await session.follow("bob", "ada")
        assert caught.value.outcome is Outcome.ALREADY_FOLLOWING
        assert caught.value.definite
        with pytest.raises(Refusal, match="'eve' has never logged in"):
            await session.post("eve", ["x"])
        first = await session.post("ada", ["one", "two"])
        assert [(p.position, p.text) for p in await client.history("bob")] == [(first, "one"), (first + 1, "two")]
        listing = await client.list("ada")
        assert listing.followers == ("ada", "bob")
        assert listing.following == ()


async def test_malformed_input_never_gets_a_number() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses) as client:
        session = client.session()
        with pytest.raises(Definite, match="a user name has 1 to 64"):
            await session.login("no spaces")
        with pytest.raises(Definite, match="1 to 65536 bytes"):
            await session.post("ada", [""])
        await session.login("ada")
        assert cluster.model.index == 1


async def test_the_window_bounds_what_is_in_flight() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses) as client:
        session = client.session(window=2)
        await session.login("ada")
        for master in cluster.masters:
            master.hang()
        answers = [session.submit(Post("ada", ("x",))) for _ in range(2)]
        with pytest.raises(RuntimeError, match="no room"):
            session.submit(Post("ada", ("y",)))
        with pytest.raises(Unreachable):
            await session.room(deadline_seconds=0.05)
        for master in cluster.masters:
            master.resume()
        assert [(await a).outcome for a in answers] == [Outcome.DONE] * 2
        await session.room()


async def test_killed_leader_costs_no_write_and_no_timeout() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses, limits=PATIENT) as client:
        session = client.session()
        await session.login("ada")
        assert session.master == cluster.leader.address
        await cluster.leader.kill()
        async with asyncio.timeout(SOON_SECONDS):
            await session.post("ada", ["after"])
        assert session.master == cluster.masters[1].address


async def test_hung_leader_is_left_after_one_try() -> None:
    limits = Limits(deadline_seconds=60.0, try_seconds=1.0)  # far more than those that are well need
    async with Cluster() as cluster, Client(cluster.router_addresses, limits=limits) as client:
        session = client.session()
        await session.login("ada")
        cluster.leader.hang()
        began = asyncio.get_running_loop().time()
        await session.post("ada", ["after"])
        assert asyncio.get_running_loop().time() - began >= limits.try_seconds
        assert [master.streams for master in cluster.masters] == [1, 1, 0], "nobody is asked twice"
        assert session.master == cluster.masters[1].address


async def test_session_goes_where_the_leader_goes_without_losing_order() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses) as client:
        session = client.session()
        await session.login("ada")
        answers = []
        for n in range(300):
            await session.room()
            answers.append(session.submit(Post("ada", (str(n),))))
            if n == 150:
                cluster.elect()
        await asyncio.gather(*answers)
        await _until(lambda: session.master == cluster.leader.address)
        assert [p.text for p in cluster.model.posts] == [str(n) for n in range(300)]


async def test_write_that_was_sent_and_not_answered_is_indefinite_and_its_successors_go_on() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses, limits=QUICK) as client:
        session = client.session()
        await session.login("ada")
        for master in cluster.masters:
            master.hang()
        with pytest.raises(Indefinite, match="may still take effect"):
            await session.post("ada", ["given up"])
        for master in cluster.masters:
            master.resume()
        await session.post("ada", ["next"])
        assert [p.text for p in cluster.model.posts] == ["given up", "next"]


async def test_write_that_was_never_sent_is_definite() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses, limits=QUICK) as client:
        session = client.session()
        await asyncio.gather(*(master.kill() for master in cluster.masters))
        await _until(lambda: not client.connected)
        with pytest.raises(Definite, match="not sent"):
            await session.login("ada")
        await asyncio.gather(*(master.start() for master in cluster.masters))
        assert (await session.login("bob")).outcome is Outcome.DONE
        assert list(cluster.model.users) == ["bob"]


async def test_forgotten_session_is_replaced_when_nothing_can_be_done_twice() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses) as client:
        session = client.session()
        await session.login("ada")
        cluster.forgotten = set(cluster.model.sessions)
        await session.post("ada", ["under a new session"])
        assert [p.text for p in cluster.model.posts] == ["under a new session"]


async def test_forgotten_session_is_indefinite_for_what_was_tried_twice() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses) as client:
        session = client.session()
        await session.login("ada")
        for master in cluster.masters:
            master.hang()
        answer = session.submit(Post("ada", ("tried twice",)))
        await _until(lambda: session.master not in ("", cluster.masters[0].address))
        cluster.forgotten = set(cluster.model.sessions)
        for master in cluster.masters:
            master.resume()
        with pytest.raises(Indefinite, match="forgotten"):
            await answer
        await session.post("ada", ["next"])
        assert [p.text for p in cluster.model.posts][-1] == "next"


async def test_invalid_on_the_wire_fails_that_write_only() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses) as client:
        session = client.session()
        await session.login("ada")
        cluster.invalid_text = "bad"
        answers = [session.submit(Post("ada", (text,))) for text in ("a", "bad", "b", "c")]
        results = await asyncio.gather(*answers, return_exceptions=True)
        assert [type(r) for r in results] == [Answer, Definite, Answer, Answer]
        assert str(results[1]) == "that text is not wanted here"
        assert [p.text for p in cluster.model.posts] == ["a", "b", "c"]


async def test_lost_command_is_sent_again_as_soon_as_its_successor_is_refused() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses, limits=PATIENT) as client:
        session = client.session()
        await session.login("ada")
        cluster.faults = {"lose the command": 1.0}
        lost = session.submit(Post("ada", ("lost",)))
        await _until(lambda: cluster.lost == 1)
        cluster.faults = {}
        async with asyncio.timeout(SOON_SECONDS):
            await asyncio.gather(lost, session.submit(Post("ada", ("next",))))
        assert [p.text for p in cluster.model.posts] == ["lost", "next"]


async def test_concurrent_calls_take_effect_in_their_order_also_when_the_window_is_full() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses) as client:
        session = client.session(window=2)
        await session.login("ada")
        posts: list[asyncio.Task[int]] = []
        for n in range(200):
            posts.append(asyncio.create_task(session.post("ada", [str(n)])))
            if n % 10 == 0:
                await posts[n // 2]  # answers come in between, and with each some room
        await asyncio.gather(*posts)
        assert [p.text for p in cluster.model.posts] == [str(n) for n in range(200)]


async def test_what_gave_up_keeps_nobody_waiting_for_the_rest() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses, limits=QUICK) as client:
        session = client.session()
        await session.login("ada")
        for master in cluster.masters:
            master.hang()
        answers = [session.submit(Post("ada", ("x",))) for _ in range(3)]
        answers[2].cancel()
        async with asyncio.timeout(SOON_SECONDS):
            await session.drain()
        assert [type(a.exception()) for a in answers[:2]] == [Indefinite] * 2


async def test_many_posts_tell_how_far_they_came() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses, limits=QUICK) as client:
        session = client.session(window=4)
        await session.login("ada")
        assert await session.post_all("ada", map(str, range(1000))) == 1000
        with pytest.raises(Refusal, match="never logged in") as refused:
            await session.post_all("eve", map(str, range(1000)))
        assert refused.value.posted == 0

        def texts() -> Iterator[str]:
            for n in range(1000, 2000):
                if n == 1500:
                    for master in cluster.masters:
                        master.hang()
                yield str(n)

        with pytest.raises((Indefinite, Unreachable)) as caught:
            await session.post_all("ada", texts())
        took_effect = len(cluster.model.posts) - 1000
        assert not caught.value.definite
        assert caught.value.posted <= took_effect < 1000
        assert [p.text for p in cluster.model.posts] == [str(n) for n in range(1000 + took_effect)]


async def test_closing_fails_what_is_not_answered() -> None:
    async with Cluster() as cluster:
        async with Client(cluster.router_addresses) as client:
            session = client.session()
            await session.login("ada")
            cluster.leader.hang()
            answer = session.submit(Post("ada", ("x",)))
        with pytest.raises(Indefinite, match="closed"):
            await answer


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  the client tells nobody when it moves
            await asyncio.sleep(0.005)
