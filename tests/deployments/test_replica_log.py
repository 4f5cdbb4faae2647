"""In a replica, our loggers write where Serve's logger writes."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ray.serve._private.common import ServeComponentType
from ray.serve._private.logging_utils import configure_component_logger
from ray.serve.schema import LoggingConfig

from deployments.replica_log import OUR_LOGGERS, SERVE_LOGGER, log_as_serve_does
from tests.support.deployments.replica_logs import lines_of
from tests.support.log_calls import log_calls

Configure = Callable[[Path, str], None]


@pytest.fixture
def configure(monkeypatch) -> Iterator[Configure]:
    """Configures Serve's logger in this process as Serve does in a replica."""
    monkeypatch.setattr("ray.serve._private.logging_utils.RAY_SERVE_LOG_TO_STDERR", True)
    loggers = [logging.getLogger(name) for name in (SERVE_LOGGER, *OUR_LOGGERS)]
    kept = [(each.parent, each.level, each.propagate, each.handlers[:]) for each in loggers]
    serve, files = loggers[0], []

    def configure(folder: Path, level: str) -> None:
        configure_component_logger(
            component_name="T3",
            component_id="r1",
            component_type=ServeComponentType.REPLICA,
            logging_config=LoggingConfig(encoding="JSON", log_level=level, logs_dir=str(folder)),
            max_bytes=10**6,
            backup_count=1,
        )
        files.append(serve.handlers[-1].target)

    yield configure
    for file in files:
        file.close()
    for each, (parent, level, propagate, handlers) in zip(loggers, kept, strict=True):
        each.parent, each.propagate, each.handlers = parent, propagate, handlers
        each.setLevel(level)


@pytest.fixture
def replica(configure: Configure, tmp_path: Path) -> Path:
    """The folder of the replica's log file."""
    configure(tmp_path, "INFO")
    log_as_serve_does()
    return tmp_path


def lines(folder: Path) -> list[dict[str, object]]:
    (path,) = folder.glob("*.log")
    return lines_of(path.read_text())


@pytest.mark.parametrize("call", log_calls("app", "deployments"), ids=str)
def test_each_log_call_writes_to_the_replicas_log_file(configure, replica, call):
    configure(replica, "DEBUG")
    getattr(logging.getLogger(call.logger), call.level)("told", extra={"session": "turn-7"})
    (line,) = lines(replica)
    assert (line["message"], line["session"]) == ("told", "turn-7")
    assert (line["deployment"], line["replica"]) == ("T3", "r1")


def test_a_traceback_is_a_field_of_its_line(replica):
    try:
        raise ZeroDivisionError("at all")
    except ZeroDivisionError:
        logging.getLogger("app.api.errors").exception("failed")
    assert "ZeroDivisionError: at all" in lines(replica)[0]["exc_text"]


def test_our_loggers_have_serves_level(replica):
    log = logging.getLogger("app.engine.loop")
    log.debug("too much")
    assert not log.isEnabledFor(logging.DEBUG)
    assert lines(replica) == []


def test_our_loggers_follow_a_changed_configuration(replica, configure, tmp_path):
    log = logging.getLogger("app.engine.loop")
    log.info("before")
    changed = tmp_path / "changed"
    configure(changed, "WARNING")
    log.info("too little")
    log.warning("after")
    assert [line["message"] for line in lines(replica)] == ["before"]
    assert [line["message"] for line in lines(changed)] == ["after"]
