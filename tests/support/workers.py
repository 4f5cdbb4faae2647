"""Which tests share a worker under `--dist loadgroup`.

The tests of one file share a worker, because they share fixtures. The tests that need a server are
two groups: those of the shared Ray cluster, and those that start a server of their own, one after
the other. Servers wait for a good part of their time, in which a third worker runs the tests of the
other files.
"""

import pytest

SERVER_FOLDER = "tests/deployments/"
ON_THE_SHARED_CLUSTER = "cluster"
WITH_A_SERVER_OF_THEIR_OWN = "servers"


def needs_server(item: pytest.Item) -> bool:
    return item.nodeid.startswith(SERVER_FOLDER)


def group_of(item: pytest.Item) -> str:
    """The group's name; for a test without a server the path of its file."""
    if not needs_server(item):
        return item.nodeid.partition("::")[0]
    return _server_group(item)


def _server_group(item: pytest.Item) -> str:
    shared = "cluster" in getattr(item, "fixturenames", ())
    return ON_THE_SHARED_CLUSTER if shared else WITH_A_SERVER_OF_THEIR_OWN


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name each test's group, before pytest-xdist reads it, and put the longest groups first."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item)))
    items.sort(key=lambda item: not needs_server(item))
