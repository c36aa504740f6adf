"""Packets that no sound member sends are refused or ignored; they never end the process that gets them."""

import contextlib
import random
from collections.abc import Iterator

import pytest
import raftlog
from network import Network, NewNetwork

GROUPS = 12  # a fresh one now and then: after a wild term, most of what follows is only old
ROUNDS = 400


def mutate(packet: bytes, chance: random.Random) -> bytes:
    """One to three small damages: flipped bits, other bytes, bytes lost or doubled, a cut end."""
    damaged = bytearray(packet)
    for _ in range(chance.randint(1, 3)):
        if not damaged:
            break
        place = chance.randrange(len(damaged))
        match chance.randrange(5):
            case 0:
                damaged[place] ^= 1 << chance.randrange(8)
            case 1:
                damaged[place] = chance.choice([0, 1, 2, 0x7F, 0x80, 0xFF, chance.randrange(256)])
            case 2:
                del damaged[place : place + chance.randint(1, 4)]
            case 3:
                damaged[place:place] = damaged[place : place + chance.randint(1, 12)]
            case 4:
                del damaged[place:]
    return bytes(damaged)


def varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def numbers(chance: random.Random) -> Iterator[bytes]:
    """A well-formed message with numbers that do not fit anything: every type, extreme terms, indexes and commits."""
    fields = {1: chance.randrange(20), 2: 1, 3: chance.choice([1, 2, 3, 9])}
    for field in (4, 5, 6, 8, 10, 11, 13, 15):
        if chance.random() < 0.7:
            near = chance.randrange(0, 30)
            fields[field] = chance.choice([near, near, near, 1 << 40, (1 << 63) - 1, (1 << 64) - 1])
    for field, value in fields.items():
        yield varint(field << 3) + varint(value)


def message(*parts: bytes) -> bytes:
    body = b"".join(parts)
    return varint(len(body)) + body


def traffic(network: Network, size: int = 300) -> list[bytes]:
    """What the members of a lively group send to member 1."""
    packets: list[bytes] = []
    while len(packets) < size:
        for member in network.members.values():
            member.group.tick()
        network.elect().group.propose([b"x" * 50])
        if network.random.random() < 0.2:
            network.random.choice(list(network.members.values())).group.campaign_now()
        for _ in range(4):
            packets += network.members[1].inbox
            network.turn()
    network.settle(3)
    return packets


def survives(network: Network, packet: bytes) -> None:
    member = network.members[1]
    with contextlib.suppress(raftlog.RaftError):
        member.group.step(packet)
    network.handle(member)
    member.flush()  # its answers go nowhere


@pytest.mark.parametrize("seed", range(GROUPS))
def test_damaged_packets_never_end_the_process(new_network: NewNetwork, seed: int) -> None:
    network = new_network(3)
    packets = traffic(network)
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        if seed % 2 and not network.members[1].leads:
            network.members[1].group.campaign_now()
            network.settle()
        survives(network, mutate(chance.choice(packets), chance))


@pytest.mark.parametrize("seed", range(GROUPS))
def test_damaged_snapshots_never_end_the_process(new_network: NewNetwork, seed: int) -> None:
    network = new_network(3)
    behind = network.leave_behind()
    network.until_told_to_fetch(behind)
    (packet,) = network.members[behind].inbox
    chance = random.Random(seed)
    for _ in range(ROUNDS // 4):
        network.down(behind)
        group = network.up(behind).group
        with contextlib.suppress(raftlog.RaftError):
            group.step(mutate(packet, chance))
        group.ready()  # never written: a wrong position would be a wrong one for good
        del group


@pytest.mark.parametrize("seed", range(GROUPS))
def test_impossible_numbers_never_end_the_process(new_network: NewNetwork, seed: int) -> None:
    network = new_network(3)
    network.put(5)
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        survives(network, message(*numbers(chance)))


def test_bytes_that_are_no_packet_are_refused(new_network: NewNetwork) -> None:
    group = new_network(3).members[1].group
    for garbage in (b"\x07garbage", b"\xff" * 40, b"\x05\x08"):
        with pytest.raises(raftlog.RaftError, match="garbled packet"):
            group.step(garbage)
    group.step(b"")


def test_nested_groups_do_not_exhaust_the_stack(new_network: NewNetwork) -> None:
    group = new_network(3).members[1].group
    nested = b"\xa3\x06" * 5_000_000  # an unknown group begins, again and again
    for packet in (
        message(nested),
        message(b"\x3a", message(nested)),
        message(b"\x4a", message(b"\x12", message(nested))),
    ):
        with pytest.raises(raftlog.RaftError, match="garbled packet"):
            group.step(packet)


def test_a_packet_that_is_too_large_is_refused(new_network: NewNetwork) -> None:
    with pytest.raises(ValueError, match="at most 67108864 bytes"):
        new_network(3).members[1].group.step(bytes((64 << 20) + 1))


def test_a_message_for_somebody_else_is_ignored(new_network: NewNetwork) -> None:
    network = new_network(3)
    member = network.members[1]
    network.members[2].group.campaign()
    network.handle(network.members[2])
    packets = dict(network.members[2].flush())
    member.group.step(packets[3])
    assert member.group.ready() is None
