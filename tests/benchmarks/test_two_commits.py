"""Two commits take turns, and only neighbouring turns are compared."""

import pytest

from benchmarks.two_commits import compared, take_turns


class FakeWorker:
    def __init__(self, name, asked):
        self.name = name
        self._asked = asked

    def ask(self, numbers):
        self._asked.append((self.name, numbers["n"]))
        return {"x": float(len(self._asked))}


def test_the_sides_alternate_and_the_first_round_is_dropped():
    asked = []
    sides = [FakeWorker(name, asked) for name in ("before", "now")]
    found = take_turns(sides, [{"n": 1}, {"n": 8}], rounds=2)
    turn = [("before", 1), ("now", 1), ("before", 8), ("now", 8)]
    assert asked == 3 * turn
    assert [[len(side) for side in by_side] for by_side in found] == [[2, 2], [2, 2]]
    assert found[0][0] == [{"x": 5.0}, {"x": 9.0}]


def test_a_machine_that_slows_down_changes_no_ratio():
    before = [{"total_s": s} for s in (1.0, 2.0, 4.0)]
    now = [{"total_s": s} for s in (0.5, 1.0, 2.0)]
    assert compared(before, now, "total_s") == {
        "total_s_before": 2.0,
        "total_s": 1.0,
        "ratio": 0.5,
        "ratio_of_best": 0.5,
    }


@pytest.mark.parametrize(("name", "best"), [("tokens_per_s", 3.0), ("total_s", 2.0)])
def test_the_best_is_the_largest_rate_and_the_shortest_time(name, best):
    before = [{name: 1.0}, {name: 1.0}]
    assert compared(before, [{name: 2.0}, {name: 3.0}], name)["ratio_of_best"] == best
