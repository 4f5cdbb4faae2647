"""The share of a core beside hogs: what a listener is told to have missed, and one short round."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator

import pytest
import torch

from app.engine.device import cpu_share
from benchmarks import share
from benchmarks.share import Share, hear
from tests.support.last_line import run_main

TINY = ("--model", "embedded-turbo", "--seconds", "3", "--num-streams", "1", "--hogs", "0", "1")


class Pauses:
    """A speaker of parts of 0.05 s, each after a pause in seconds."""

    def __init__(self, *pauses_s: float) -> None:
        self._pauses_s = pauses_s

    async def listen(self, text: str, name: str) -> AsyncGenerator[float, None]:
        for seconds in self._pauses_s:
            await asyncio.sleep(seconds)
            yield 0.05

    async def cancel(self, name: str) -> None: ...


@pytest.mark.parametrize(
    ("text", "policy", "nice", "slice_ms"),
    [
        ("idle", "SCHED_IDLE", 0, None),
        ("batch+10", "SCHED_BATCH", 10, None),
        ("other+5/0.1ms", "SCHED_OTHER", 5, 0.1),
    ],
)
def test_a_share_is_read(text, policy, nice, slice_ms):
    assert Share.parse(text) == (cpu_share.CpuShare(policy, nice), slice_ms)


def test_what_is_no_share_is_refused():
    with pytest.raises(ValueError, match="fifo"):
        Share.parse("fifo")


async def test_silence_is_the_time_with_nothing_to_play():
    now_s = asyncio.get_running_loop().time()
    heard = await hear(Pauses(0.0, 0.3, 0.0), "text", now_s + 60)
    assert 0.2 <= heard.silence_s < 60
    assert heard.audio_s == pytest.approx(0.15)


async def test_a_silence_that_lasts_to_the_end_counts():
    now_s = asyncio.get_running_loop().time()
    heard = await hear(Pauses(0.0, 600.0), "text", now_s + 0.5)
    assert 0.3 <= heard.silence_s < 60


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="shares are Linux'")
def test_the_last_line_has_a_row_for_each_number_of_hogs(monkeypatch, capsys):
    monkeypatch.setattr(cpu_share, "ENGINE", cpu_share.ENGINE)  # the benchmark changes it
    monkeypatch.setattr(torch, "set_num_threads", lambda num: None)
    _, result = run_main(share, monkeypatch, capsys, *TINY, "--alone", "batch+5")
    assert [row["hogs"] for row in result["rows"]] == [0, 1]
    for row in result["rows"]:
        assert row["streams"] >= 1
        assert row["acks"] >= 1
    assert not [task for task in os.listdir("/proc") if task.isdigit() and _is_hog(task)]


def _is_hog(process: str) -> bool:
    try:
        with open(f"/proc/{process}/stat") as stat, open(f"/proc/{process}/cmdline") as command:
            return int(stat.read().rsplit(")")[-1].split()[1]) == os.getpid() and (
                "while True" in command.read()
            )
    except OSError:  # it has ended
        return False
