"""The blocking face does all that a script needs, without a loop of the script's own."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from tests.client.double import Cluster
from tinysns.client import Definite, Limits, Refusal, Unreachable
from tinysns.client.blocking import BlockingClient
from tinysns.client.routes import Routes


@pytest.fixture(name="cluster")
def _cluster() -> Iterator[Cluster]:
    """A double that runs in a thread of its own, so that a test may block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    cluster = Cluster()
    try:
        asyncio.run_coroutine_threadsafe(cluster.__aenter__(), loop).result(60)
        yield cluster
    finally:
        asyncio.run_coroutine_threadsafe(cluster.__aexit__(None, None, None), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_a_script_from_login_to_timeline(cluster: Cluster) -> None:
    with BlockingClient(cluster.router_addresses) as client:
        client.login("ada")
        client.login("bob")
        client.follow("bob", "ada")
        first = client.post("ada", ["one", "two"])
        assert [post.text for post in client.history("bob")] == ["one", "two"]
        assert [post.text for post in client.history("bob", first)] == ["two"]
        texts = []
        for post in client.timeline("bob"):
            texts.append(post.text)
            if len(texts) == 2:
                break
        assert texts == ["one", "two"]
        assert client.list("ada").followers == ("ada", "bob")
        with pytest.raises(Refusal, match="does not follow"):
            client.unfollow("ada", "bob")


def test_any_number_of_posts_in_one_call(cluster: Cluster) -> None:
    with BlockingClient(cluster.router_addresses) as client:
        client.login("ada")
        assert client.post_all("ada", (str(n) for n in range(5000))) == 5000
        assert [post.text for post in cluster.model.posts] == [str(n) for n in range(5000)]
        assert client.post_all("ada", ()) == 0
        with pytest.raises(Definite, match="65536") as caught:
            client.post_all("ada", (*map(str, range(640)), "x" * 70_000, "never"))
        assert caught.value.posted == 640
        assert len(cluster.model.posts) == 5640


def test_interrupting_a_timeline_ends_it_and_leaves_the_client_usable(cluster: Cluster) -> None:
    with BlockingClient(cluster.router_addresses) as client:
        client.login("ada")
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            for _ in client.timeline("ada"):
                pass
        assert client.list("ada").users == ("ada",)


def test_a_timeline_that_outlives_its_client_ends_without_noise(cluster: Cluster) -> None:
    with BlockingClient(cluster.router_addresses) as client:
        client.login("ada")
        client.login("bob")
        client.follow("bob", "ada")
        client.post("ada", ["one"])
        posts = client.timeline("bob")
        assert next(posts).text == "one"
    del posts
    with pytest.raises(RuntimeError, match="within its context"):
        client.login("ada")


def test_without_a_service_it_gives_up_after_the_limit_that_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, find = list[float](), Routes.find

    async def watched(self: Routes, deadline_seconds: float) -> None:
        asked.append(deadline_seconds)
        await find(self, deadline_seconds)

    monkeypatch.setattr(Routes, "find", watched)
    with (
        pytest.raises(Unreachable, match="nothing listens there"),
        BlockingClient(["127.0.0.1:1"], limits=Limits(connect_seconds=0.2)),
    ):
        pass
    assert asked == [0.2]
