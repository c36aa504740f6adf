"""A post is serialised once for each interface, however many timelines it goes to."""

from tinysns.course.interfaces import MESSENGER_SERVER, sns_service
from tinysns.course.texts import SPRING2019
from tinysns.sns.batches import Batch
from tinysns.storage.reader import StoredPost

SNS_SERVICE = sns_service(SPRING2019)


def test_each_interface_has_its_messages_and_makes_them_once() -> None:
    batch = Batch([StoredPost(i, "ann", i, f"{i}\n") for i in range(1, 4)])
    seen = [[batch.serialised(interface.message_of) for interface in (SNS_SERVICE, MESSENGER_SERVER)] for _ in range(2)]
    assert seen[0][0] is seen[1][0]
    assert seen[0][1] is seen[1][1]
    texts = [
        [i.message.FromString(raw).msg for raw in batch.serialised(i.message_of)]
        for i in (SNS_SERVICE, MESSENGER_SERVER)
    ]
    assert texts == [["1\n", "2\n", "3\n"], ["1", "2", "3"]]
