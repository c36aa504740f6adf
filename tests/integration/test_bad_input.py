"""What a person can get wrong is told in one sentence, with a status other than 0, and nothing half-done."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from tests.integration.service import Service
from tinysns.wire.csce438 import sns_pb2, sns_pb2_grpc
from tinysns.wire.v1 import sns_pb2 as v1
from tinysns.wire.v1 import sns_pb2_grpc as v1_grpc

pytestmark = pytest.mark.timeout(600)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, timeout=120, check=False)


def assert_one_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize("process", ["master", "slave", "router"])
def test_a_missing_settings_file(process: str, tmp_path: Path) -> None:
    assert_one_sentence(run(f"tinysns.{process}", str(tmp_path / "none.toml")), "none.toml", "deploy.yml")


@pytest.mark.parametrize("process", ["master", "slave", "router"])
def test_a_misspelt_setting(process: str, make_service: Callable[..., Service]) -> None:
    service = make_service(3)
    path = service.folder / ("router.toml" if process == "router" else f"h1/{process}.toml")
    path.write_text("lisen = 1\n" + path.read_text())
    assert_one_sentence(run(f"tinysns.{process}", str(path)), "lisen")


def test_a_master_that_was_never_founded(make_service: Callable[..., Service]) -> None:
    service = make_service(3)
    assert_one_sentence(run("tinysns.master", str(service.folder / "h1/master.toml")), "founded", "deploy.yml")


async def test_a_second_master_on_the_same_host(service: Service) -> None:
    await service.ready()
    second = run("tinysns.master", str(service.folder / "h1/master.toml"))
    assert_one_sentence(second, "another master runs", str(service.master_pid("h1")))


async def test_a_port_that_is_in_use(service: Service) -> None:
    await service.ready()
    assert_one_sentence(run("tinysns.router", str(service.folder / "router.toml")), service.router, "uses that port")


def test_data_of_another_member(make_service: Callable[..., Service]) -> None:
    service = make_service(3)
    service.found()
    (service.folder / "h1/data").rename(service.folder / "h1/kept")
    (service.folder / "h2/data").rename(service.folder / "h1/data")
    assert_one_sentence(run("tinysns.master", str(service.folder / "h1/master.toml")), "node 2", "node 1")


def test_a_founded_member_is_not_founded_again_by_an_invitation(make_service: Callable[..., Service]) -> None:
    service = make_service(3)
    service.found()
    done = run("tinysns.master", "found", "--invite", "another", str(service.folder / "h1/master.toml"))
    assert_one_sentence(done, "founded already", "integration")


async def test_bad_messages_are_refused_in_words_and_the_next_call_works(service: Service) -> None:
    leader = service.masters[await service.leader()]
    async with grpc.aio.insecure_channel(leader) as channel:
        course = sns_pb2_grpc.SNSServiceStub(channel)
        login = channel.unary_unary("/csce438.SNSService/Login")
        with pytest.raises(grpc.aio.AioRpcError) as broken:
            await login(b"\xff\xff\xff", timeout=60)
        assert broken.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.aio.AioRpcError) as oversized:
            await login(b"\x0a" + b"x" * (8 << 20), timeout=60)
        assert oversized.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await course.Login(sns_pb2.Request(username="no such name!"), timeout=60)).msg == "Invalid Username"
        call = v1_grpc.SnsStub(channel).Timeline(v1.TimelineRequest(user="nobody"), timeout=60)
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await call.read()
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
        assert "nobody" in unknown.value.details()
        write = v1_grpc.SnsStub(channel).Write(timeout=60)
        await write.write(v1.Command(session=1, number=1, post=v1.Post(author="ann", texts=["x" * 70_000])))
        (answer,) = (await write.read()).answers
        assert answer.outcome == v1.INVALID
        assert "65536" in answer.detail
        assert (await course.Login(sns_pb2.Request(username="ann"), timeout=60)).msg == "Login Successful!"
