"""A replica loads on a thread that leaves the cores to engines; its serving threads do not yield.

The replica's part runs in a process of its own, where nothing is imported yet.
"""

import gc
import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.engine.device.cpu_share import ENGINE, LOADING
from deployments.loading import load
from tests.support.cpu_shares import share_of

PROGRAM = """
import asyncio, json, sys, threading
import numpy
from app.config import ServeArgs
from deployments.loading import load
from tests.support.cpu_shares import share_of
from tests.support.cpu_shares import share_of, shares

def open_stage():
    found["loading"] = share_of(0)
    from app.engine.stages.{module} import {stage}
    return {stage}.open(ServeArgs(model="embedded-babble"), "cpu")

async def serve():
    stage = load(open_stage)
    found["event loop"] = share_of(0)
    stage.start()
    (engine,) = (thread for thread in threading.enumerate() if thread.name == "{name}")
    while share_of(engine.native_id) == share_of(0):
        await asyncio.sleep(0.01)
    found["engine"] = share_of(engine.native_id)
    for _ in range(1000):  # the thread that has loaded may not have ended yet
        found["all"] = list(shares().values())
        if found["loading"] not in found["all"]:
            break
        await asyncio.sleep(0.02)
    stage.close()

found = {{}}
asyncio.run(serve())
sys.stdout.write(json.dumps(found))
"""


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="shares are Linux'")
@pytest.mark.parametrize(
    ("module", "stage", "name"),
    [
        ("t3", "T3Stage", "T3"),
        pytest.param("vocoder", "VocoderStage", "vocoder", marks=pytest.mark.long),
    ],
)
def test_a_replica_loads_with_a_small_share_and_serves_with_its_own(
    module: str, stage: str, name: str
) -> None:
    program = PROGRAM.format(module=module, stage=stage, name=name)
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["loading"] == list(LOADING)
    assert found["event loop"] == list(share_of(0))
    assert found["engine"] == list(ENGINE)
    assert list(LOADING) not in found["all"], "a thread that loading has left would serve slowly"


def test_loading_returns_the_stage_and_collects_again_afterwards() -> None:
    def open_stage() -> bool:
        return gc.isenabled()

    assert load(open_stage) is False
    assert gc.isenabled()


def test_an_error_of_loading_is_raised_and_garbage_is_collected_again() -> None:
    def open_stage() -> None:
        raise ValueError("no model")

    with pytest.raises(ValueError, match="no model"):
        load(open_stage)
    assert gc.isenabled()
