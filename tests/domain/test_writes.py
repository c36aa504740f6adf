from tinysns.domain.writes import Outcome
from tinysns.wire.v1 import sns_pb2


def test_outcomes_have_the_numbers_that_the_wire_has() -> None:
    wire = {name: number for name, number in sns_pb2.Outcome.items() if number}
    assert wire == {outcome.name: outcome.value for outcome in Outcome}
