import pytest

from tinysns.domain.names import (
    MAX_BATCH_BYTES,
    MAX_BATCH_POSTS,
    MAX_NAME_CHARACTERS,
    MAX_TEXT_BYTES,
    Refused,
    check_name,
    check_texts,
)


@pytest.mark.parametrize("name", ["a", "u1", "Ann-Marie_2.0", "x" * MAX_NAME_CHARACTERS])
def test_a_plain_name_is_accepted(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", "x" * (MAX_NAME_CHARACTERS + 1), "a b", "ü", "a\n", "a\0", "a/b", "١"])
def test_any_other_name_is_refused_with_the_rule(name: str) -> None:
    with pytest.raises(Refused, match="1 to 64 of the characters"):
        check_name(name)


@pytest.mark.parametrize(
    "texts",
    [
        ["x"],
        ["\0"],
        ["😀 two\nlines"],
        ["x" * MAX_TEXT_BYTES],
        ["x" * MAX_TEXT_BYTES + "\n"],
        ["\n"],
        ["x"] * MAX_BATCH_POSTS,
        ["x" * MAX_TEXT_BYTES] * (MAX_BATCH_BYTES // MAX_TEXT_BYTES),
    ],
)
def test_texts_up_to_the_limits_are_accepted(texts: list[str]) -> None:
    check_texts(texts)


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ([], "a batch has 1 to 4096 posts, not 0"),
        (["x"] * (MAX_BATCH_POSTS + 1), "not 4097"),
        ([""], "not 0"),
        (["x", ""], "not 0"),
        (["x" * (MAX_TEXT_BYTES + 1)], "not 65537"),
        (["x" * (MAX_TEXT_BYTES + 1) + "\n"], "not 65537"),
        (["x" * MAX_TEXT_BYTES + "\n\n"], "not 65537"),
        (["ü" * (MAX_TEXT_BYTES // 2 + 1)], "not 65538"),
        (["\ud800"], "lone surrogate"),
        (["x" * MAX_TEXT_BYTES] * 17, "send smaller batches"),
    ],
)
def test_texts_beyond_a_limit_are_refused_with_the_limit(texts: list[str], why: str) -> None:
    with pytest.raises(Refused, match=why):
        check_texts(texts)
