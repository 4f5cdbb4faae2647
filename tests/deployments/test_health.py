"""What a replica tells Serve of its engines; what Serve does then is in test_faults.py."""

from dataclasses import dataclass

import pytest

from app.errors import SynthesisFailed
from deployments import health


@dataclass
class Stage:
    failure: BaseException | None = None
    hung: BaseException | None = None


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    codes: list[int] = []
    monkeypatch.setattr(health.os, "_exit", codes.append)
    return codes


def test_a_replica_with_running_engines_is_healthy(exits: list[int]):
    health.check(Stage(), Stage())
    assert exits == []


def test_a_failed_engine_is_told_with_its_error(exits: list[int]):
    error = SynthesisFailed("the device is gone")
    with pytest.raises(RuntimeError) as told:
        health.check(Stage(), Stage(failure=error))
    assert told.value.__cause__ is error
    assert exits == []


def test_a_hung_step_ends_the_process(exits: list[int]):
    health.check(Stage(), Stage(hung=SynthesisFailed("a step has run for 121 s")))
    assert exits == [1]
