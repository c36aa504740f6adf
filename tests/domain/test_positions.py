import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinysns.domain.positions import MAX_NUMBER, end_of, entry_of, position_at

INDEXES = st.integers(0, 1 << 44)
NUMBERS = st.integers(0, MAX_NUMBER)


@given(INDEXES, NUMBERS, INDEXES, NUMBERS)
def test_positions_are_ordered_as_entries_and_numbers_are(index: int, number: int, index2: int, number2: int) -> None:
    assert (position_at(index, number) < position_at(index2, number2)) == ((index, number) < (index2, number2))


@given(INDEXES, NUMBERS)
def test_a_position_lies_in_its_entry_and_before_the_entrys_end(index: int, number: int) -> None:
    position = position_at(index, number)
    assert entry_of(position) == index
    assert position <= end_of(index) < position_at(index + 1, 0)


@pytest.mark.parametrize("number", [-1, MAX_NUMBER + 1])
def test_a_number_that_would_run_into_the_next_entry_is_an_error(number: int) -> None:
    with pytest.raises(ValueError, match="room for 65536"):
        position_at(1, number)
