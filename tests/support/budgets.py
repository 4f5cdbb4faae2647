"""A budget for each test: a test that costs more than its budget fails.

The cost of an in-process test is processor time of its own process, so that a busy neighbour is no
failure. The cost of a test with a server is wall time, because other processes do the work. Budgets
are several times what was measured on two cores: they find a test that became slow, not a slow
machine. `@pytest.mark.budget(SECONDS)` gives a test another budget. Tests of the long lane have
none.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest

IN_PROCESS_CPU_S = 60.0
SERVER_WALL_S = 240.0
SERVER_FOLDER = "tests/deployments/"


def budget_of(item: pytest.Item) -> float | None:
    """Seconds; None for a test without a budget."""
    if item.get_closest_marker("long") is not None:
        return None
    marker = item.get_closest_marker("budget")
    if marker is not None:
        return float(marker.args[0])
    return SERVER_WALL_S if needs_server(item) else IN_PROCESS_CPU_S


def needs_server(item: pytest.Item) -> bool:
    return item.nodeid.startswith(SERVER_FOLDER)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    clock = time.monotonic if needs_server(item) else time.process_time
    began_s = clock()
    result: Any = yield
    spent_s, budget_s = clock() - began_s, budget_of(item)
    if budget_s is not None and spent_s > budget_s:
        pytest.fail(f"the test took {spent_s:.1f} s; its budget is {budget_s:g} s", pytrace=False)
    return result
