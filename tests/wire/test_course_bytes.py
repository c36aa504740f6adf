"""The wire format of both interfaces of the course, byte for byte: what pins it for clients that others compiled.

Every byte below was put together by hand from the encoding rules (https://protobuf.dev/programming-guides/encoding),
none was printed by the code under test. A field begins with a tag, field number << 3 | wire type:

    0a  field 1, with a length (a string or a message follows)      12  field 2      1a  field 3
    08  field 1, a varint                                           10  field 2, a varint

then comes the length in bytes, then so many bytes. The paths of the methods are those of the provided proto files.
"""

import asyncio
import re

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from tests.sns.support import Member
from tinysns.wire.csce438 import sns_pb2
from tinysns.wire.hw2 import messenger_pb2

# 1 700 000 000 s = 0x6553F100. In groups of 7 bits, lowest first: 00 62 4f 2a 06; all but the last with the high bit:
# 80 e2 cf aa 06. 5 ns = 05. So the Timestamp is 08 80e2cfaa06 10 05: 8 bytes.
TIME = Timestamp(seconds=1_700_000_000, nanos=5)

# The same four in both interfaces.
REQUEST = (
    "0a 03 61 6e 6e"  # username = 1: "ann"
    "12 03 62 6f 62"  # arguments = 2: "bob"
    "12 00"  # arguments = 2 again: ""; an element of a list is sent also when it is empty
)
REPLY = "0a 02 4f 6b"  # msg = 1: "Ok"
SET_STREAM = (
    "0a 03 61 6e 6e"  # username = 1: "ann"
    "12 0a 53 65 74 20 53 74 72 65 61 6d"  # msg = 2: "Set Stream"
)
POST = (
    "0a 03 61 6e 6e"  # username = 1: "ann"
    "12 04 c3 a4 21 0a"  # msg = 2: "ä!\n"
    "1a 08 08 80 e2 cf aa 06 10 05"  # timestamp = 3
)
TWO_LISTS = (
    "0a 03 61 6e 6e"  # list 1: "ann"
    "0a 03 62 6f 62"  # list 1: "bob"
    "12 03 61 6e 6e"  # list 2: "ann"
)
# A map is a list of messages with key = 1 and value = 2 (same page, "Maps").
FOLLOWER_INFO = (
    "0a 25"  # info = 1; 5 + 32 = 37 bytes
    "0a 03 61 6e 6e"  # key = 1: "ann"
    "12 1e 66 6f 6c 6c 6f 77 65 72 73 3a 20 61 6e 6e"  # value = 2, 30 bytes: "followers: ann
    "3b 20 66 6f 6c 6c 6f 77 69 6e 67 3a 20 61 6e 6e"  # ; following: ann"
)

RECORDED = [
    (sns_pb2.Request(username="ann", arguments=["bob", ""]), "csce438.Request", REQUEST),
    (sns_pb2.Reply(msg="Ok"), "csce438.Reply", REPLY),
    (sns_pb2.Message(username="ann", msg="Set Stream"), "csce438.Message", SET_STREAM),
    (sns_pb2.Message(username="ann", msg="ä!\n", timestamp=TIME), "csce438.Message", POST),
    (sns_pb2.ListReply(all_users=["ann", "bob"], followers=["ann"]), "csce438.ListReply", TWO_LISTS),
    (sns_pb2.MapReply(info={"ann": "followers: ann; following: ann"}), "csce438.MapReply", FOLLOWER_INFO),
    (messenger_pb2.Request(username="ann", arguments=["bob", ""]), "hw2.Request", REQUEST),
    (messenger_pb2.Reply(msg="Ok"), "hw2.Reply", REPLY),
    (messenger_pb2.Message(username="ann", msg="Set Stream"), "hw2.Message", SET_STREAM),
    (messenger_pb2.Message(username="ann", msg="ä!\n", timestamp=TIME), "hw2.Message", POST),
    (messenger_pb2.ListReply(all_rooms=["ann", "bob"], joined_rooms=["ann"]), "hw2.ListReply", TWO_LISTS),
]

UNARY, STREAM = "unary", "stream"
METHODS = {
    "/csce438.SNSService/Login": (UNARY, "csce438.Request", "csce438.Reply"),
    "/csce438.SNSService/List": (UNARY, "csce438.Request", "csce438.ListReply"),
    "/csce438.SNSService/Follow": (UNARY, "csce438.Request", "csce438.Reply"),
    "/csce438.SNSService/UnFollow": (UNARY, "csce438.Request", "csce438.Reply"),
    "/csce438.SNSService/Timeline": (STREAM, "csce438.Message", "csce438.Message"),
    "/csce438.SNSService/GetFollowerInfo": (UNARY, "csce438.Request", "csce438.MapReply"),
    "/hw2.MessengerServer/Login": (UNARY, "hw2.Request", "hw2.Reply"),
    "/hw2.MessengerServer/List": (UNARY, "hw2.Request", "hw2.ListReply"),
    "/hw2.MessengerServer/Join": (UNARY, "hw2.Request", "hw2.Reply"),
    "/hw2.MessengerServer/Leave": (UNARY, "hw2.Request", "hw2.Reply"),
    "/hw2.MessengerServer/Chat": (STREAM, "hw2.Message", "hw2.Message"),
}


@pytest.mark.parametrize(("message", "name", "recorded"), RECORDED)
def test_a_message_is_these_bytes_and_they_are_the_message(message: Message, name: str, recorded: str) -> None:
    assert message.DESCRIPTOR.full_name == name
    assert message.SerializeToString().hex(" ") == bytes.fromhex(recorded).hex(" ")
    assert type(message).FromString(bytes.fromhex(recorded)) == message


def test_every_message_of_both_interfaces_is_recorded() -> None:
    files = (sns_pb2.DESCRIPTOR, messenger_pb2.DESCRIPTOR)
    assert {m.full_name for file in files for m in file.message_types_by_name.values()} == {n for _, n, _ in RECORDED}


def test_every_method_has_its_path_and_its_messages() -> None:
    found = {}
    for file in (sns_pb2.DESCRIPTOR, messenger_pb2.DESCRIPTOR):
        for service in file.services_by_name.values():
            for method in service.methods:
                assert method.client_streaming == method.server_streaming
                kind = STREAM if method.client_streaming else UNARY
                messages = (method.input_type.full_name, method.output_type.full_name)
                found[f"/{service.full_name}/{method.name}"] = (kind, *messages)
    assert found == METHODS


# -- the same, spoken with a master: nothing here knows a proto file -------------------------------------------------

TEXTS = {
    "Login Successful!": "0a 11 4c 6f 67 69 6e 20 53 75 63 63 65 73 73 66 75 6c 21",
    "Follow Successful": "0a 11 46 6f 6c 6c 6f 77 20 53 75 63 63 65 73 73 66 75 6c",
    "UnFollow Successful": "0a 13 55 6e 46 6f 6c 6c 6f 77 20 53 75 63 63 65 73 73 66 75 6c",
    "Join Successful": "0a 0f 4a 6f 69 6e 20 53 75 63 63 65 73 73 66 75 6c",
    "Leave Successful": "0a 10 4c 65 61 76 65 20 53 75 63 63 65 73 73 66 75 6c",
}
ANN, BOB = "0a 03 61 6e 6e", "0a 03 62 6f 62"
BOB_TO_ANN = f"{BOB} 12 03 61 6e 6e"
EVERYBODY = f"{ANN} {BOB}"
SET_STREAM_TEXT = "12 0a 53 65 74 20 53 74 72 65 61 6d"
HI, HI_NEWLINE = "12 02 68 69", "12 03 68 69 0a"


@pytest.mark.parametrize(
    ("service", "follow", "unfollow", "timeline", "lists_of_bob", "line"),
    [
        # all_users and then the followers of bob: himself
        ("csce438.SNSService", "Follow", "UnFollow", "Timeline", f"{EVERYBODY} 12 03 62 6f 62", HI_NEWLINE),
        # all_rooms and then whom bob follows: ann and himself
        ("hw2.MessengerServer", "Join", "Leave", "Chat", f"{EVERYBODY} 12 03 61 6e 6e 12 03 62 6f 62", HI),
    ],
)
async def test_a_conversation_in_bytes(
    master: Member, service: str, follow: str, unfollow: str, timeline: str, lists_of_bob: str, line: str
) -> None:
    async def call(method: str, request: str) -> str:
        answer = await master.channel.unary_unary(f"/{service}/{method}")(bytes.fromhex(request), timeout=60)
        return answer.hex(" ")

    async def open_timeline(user: str) -> grpc.aio.StreamStreamCall:
        stream = master.channel.stream_stream(f"/{service}/{timeline}")(timeout=60)
        await stream.write(bytes.fromhex(f"{user} {SET_STREAM_TEXT}"))
        await stream.initial_metadata()
        return stream

    for user in (ANN, BOB):
        assert await call("Login", user) == TEXTS["Login Successful!"]
    assert await call(follow, BOB_TO_ANN) == TEXTS[f"{follow} Successful"]
    assert await call("List", BOB) == lists_of_bob
    bob, ann = await open_timeline(BOB), await open_timeline(ANN)
    await ann.write(bytes.fromhex(f"{ANN} {line}"))
    post = (await asyncio.wait_for(bob.read(), 60)).hex(" ")
    # The time differs, but for its seconds; its length depends on how many nanoseconds there are.
    assert re.fullmatch(f"{ANN} {line} 1a 0[6-9a-c] 08 80 e2 cf aa 06( 10( [0-9a-f]{{2}}){{1,5}})?", post)
    assert await call(unfollow, BOB_TO_ANN) == TEXTS[f"{unfollow} Successful"]
    bob.cancel()
    ann.cancel()


async def test_follower_info_in_bytes(master: Member) -> None:
    await master.login("ann")
    answer = await master.channel.unary_unary("/csce438.SNSService/GetFollowerInfo")(b"", timeout=60)
    assert answer.hex(" ") == bytes.fromhex(FOLLOWER_INFO).hex(" ")
