"""A master outlives its slave, and the next slave takes it over as it is."""

import os
import signal
import socket

import pytest

from tests.slave.support import SILENCE_SECONDS, Host, is_alive, until
from tinysns.runtime import pidlock


async def test_a_new_slave_adopts_the_master_and_replaces_it_when_it_dies(host: Host) -> None:
    host.start_slave()
    first = await host.serving()
    host.kill_slave()
    host.start_slave()
    adopted = await host.serving()
    assert (adopted.master_pid, adopted.master_incarnation) == (first.master_pid, first.master_incarnation)
    assert adopted.adopted
    os.kill(first.master_pid, signal.SIGKILL)
    second = await host.serving(besides=first.master_pid)
    assert second.last_exit == "unknown (adopted)"
    assert not second.adopted


async def test_a_slave_killed_right_after_it_spawned_leaves_no_room_for_a_second_master(host: Host) -> None:
    host.start_slave()
    lock = host.folder / "master.lock"
    pid = await until("a pid in the lock", lambda: pidlock.read_pid(lock))
    host.kill_slave()
    host.start_slave()
    adopted = await host.serving()
    assert adopted.adopted
    assert adopted.master_pid == pid
    assert [s.pid for s in host.starts()] == [pid]


async def test_adoption_again_and_again_keeps_the_same_master(host: Host) -> None:
    host.start_slave()
    first = await host.serving()
    for _ in range(3):
        host.kill_slave()
        host.start_slave()
        assert (await host.serving()).master_pid == first.master_pid
    assert is_alive(first.master_pid)


async def test_a_stopped_master_of_an_earlier_slave_is_replaced(host: Host) -> None:
    start_seconds = max(SILENCE_SECONDS, 4 * await host.come_up_seconds())
    host.write_config(silence_seconds=SILENCE_SECONDS, start_seconds=start_seconds)
    host.start_slave()
    first = await host.serving()
    os.kill(first.master_pid, signal.SIGSTOP)
    host.kill_slave()
    host.start_slave()
    assert (await host.serving(besides=first.master_pid)).master_pid != first.master_pid
    assert not is_alive(first.master_pid)


async def test_a_socket_that_a_dead_process_left_behind_is_replaced(host: Host) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(host.folder / "slave.sock"))
    host.start_slave()
    await host.serving()


async def test_a_second_slave_says_that_there_is_one_and_disturbs_nothing(host: Host) -> None:
    host.start_slave()
    first = await host.serving()
    same_port = host.command("serve")
    assert same_port.returncode == 2
    assert "another slave runs on this host already" in same_port.stderr
    assert (await host.serving()).master_pid == first.master_pid


def test_a_port_in_use_is_one_sentence_and_starts_no_master(host: Host) -> None:
    with socket.create_server(("127.0.0.1", int(host.address.rpartition(":")[2]))):
        refused = host.command("serve")
    assert refused.returncode == 2
    said = [line for line in refused.stderr.splitlines() if line.startswith("slave: ")]
    assert len(said) == 1
    assert f"cannot listen on {host.address}" in said[0]
    assert not host.starts()


def test_a_missing_runtime_folder_is_one_sentence(host: Host) -> None:
    host.write_config(runtime=str(host.folder / "missing"))
    refused = host.command("serve")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "does not exist" in refused.stderr


@pytest.mark.parametrize("content", ["", "not a pid", "4194304000"])
def test_a_lock_whose_holder_does_not_say_who_it_is_is_not_taken(host: Host, content: str) -> None:
    lock = host.folder / "lock"
    held = pidlock.hold(lock)
    assert held is not None
    lock.write_text(content)
    try:
        assert pidlock.claim(lock) is None
    finally:
        os.close(held)
    free = pidlock.claim(lock)
    assert isinstance(free, pidlock.Claim)
    free.give_up()
