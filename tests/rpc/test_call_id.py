"""The id of a write that was passed on, in metadata and back."""

import pytest

from tinysns.rpc.call_id import BadCallId, CallId

MOST = 2**64 - 1


@pytest.mark.parametrize("call_id", [CallId(1, 1), CallId(MOST, 1), CallId(7, MOST)])
def test_there_and_back(call_id: CallId) -> None:
    assert CallId.from_metadata((("user-agent", "x"), *call_id.to_metadata())) == call_id


def test_the_keys_are_the_documented_ones() -> None:
    assert CallId(12, 3).to_metadata() == (("tinysns-session", "12"), ("tinysns-number", "3"))


@pytest.mark.parametrize("metadata", [None, (), (("user-agent", "x"),)])
def test_a_call_without_an_id(metadata: tuple[tuple[str, str], ...] | None) -> None:
    assert CallId.from_metadata(metadata) is None


@pytest.mark.parametrize("key", ["tinysns-session", "tinysns-number"])
@pytest.mark.parametrize("text", ["", "0", "-1", "+1", " 1", "1.0", "0x1", "1_0", "x", "٣", str(MOST + 1), "9" * 5000])
def test_a_value_that_is_no_such_number(key: str, text: str) -> None:
    metadata = {"tinysns-session": "7", "tinysns-number": "1"} | {key: text}
    with pytest.raises(BadCallId, match=key):
        CallId.from_metadata(metadata.items())


def test_one_key_without_the_other() -> None:
    for pair in CallId(7, 1).to_metadata():
        with pytest.raises(BadCallId, match="both"):
            CallId.from_metadata((pair,))


def test_a_key_that_comes_twice() -> None:
    metadata = CallId(7, 1).to_metadata()
    with pytest.raises(BadCallId, match="twice"):
        CallId.from_metadata((*metadata, metadata[0]))
