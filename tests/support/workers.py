"""Which tests share a worker when tests run side by side.

The tests of one file share a worker, because they share fixtures. The tests that need a server are
two groups: each keeps one Ray cluster and waits for a good part of its time, in which a third worker
runs the tests of the other files. pytest-xdist's own groups (`--dist loadgroup`) group nothing under
pytest 9.2 (findings/xdist_groups.sh).
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

SERVER_FOLDER = "tests/deployments/"
# These start servers of their own, or damage the cluster's processes: about half of the time.
SECOND_GROUP = ("chaos", "cluster_away", "loading", "serve_run", "server", "storm", "topologies")


def needs_server(nodeid: str) -> bool:
    return nodeid.startswith(SERVER_FOLDER)


def group_of(nodeid: str) -> str:
    """The name of the test's group; for a test without a server that is its file."""
    path = nodeid.partition("::")[0]
    if not needs_server(path):
        return path
    name = path.removeprefix(f"{SERVER_FOLDER}test_").removesuffix(".py")
    return "second servers" if name in SECOND_GROUP else "first servers"


class GroupScheduling(LoadScopeScheduling):
    """A worker takes a group at a time, in the order in which tests are collected."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


class WorkerGroups:
    """The plugin of the process that hands out tests."""

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> GroupScheduling:
        config.option.loadscopereorder = False
        return GroupScheduling(config, log)


def pytest_configure(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("dsession"):
        config.pluginmanager.register(WorkerGroups())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest groups come first."""
    items.sort(key=lambda item: not needs_server(item.nodeid))
