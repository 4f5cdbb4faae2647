"""The share of a core beside hogs: how a share is read, and one short round."""

import os
import sys

import pytest
import torch

from app.engine.device import cpu_share
from benchmarks import share
from benchmarks.share import Share
from tests.support.last_line import run_main

TINY = ("--model", "embedded-turbo", "--seconds", "3", "--num-streams", "1", "--hogs", "0", "1")


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


@pytest.mark.long
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
