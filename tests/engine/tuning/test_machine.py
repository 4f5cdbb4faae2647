"""What a machine has for engines on its CPU."""

import pytest
import torch

from app.engine.tuning import machine
from app.engine.tuning.machine import count_cores, features_of, quota_of, thread_counts


@pytest.mark.parametrize(
    ("cpu_max", "cores"),
    [
        ("200000 100000\n", 2),
        ("150000 100000", 1),
        ("50000 100000", 1),
        ("max 100000", None),
        ("", None),
    ],
)
def test_a_containers_quota_is_counted_in_whole_cores(cpu_max, cores):
    assert quota_of(cpu_max) == cores


@pytest.mark.parametrize(
    ("cpu_info", "features"),
    [
        (
            "processor : 0\nflags\t\t: fpu avx avx2 fma avx_vnni\n\nprocessor : 1",
            ("avx2", "avx_vnni"),
        ),
        ("flags : avx2 avx512f avx512_vnni", ("avx2", "avx512f", "avx512_vnni")),
        ("Features\t: fp asimd asimddp i8mm", ("asimddp", "i8mm")),
        ("", ()),
    ],
)
def test_the_instruction_sets_that_decide_are_read(cpu_info, features):
    assert features_of(cpu_info) == features


@pytest.mark.parametrize(
    ("cores", "threads"), [(1, (1,)), (2, (1, 2)), (6, (1, 2, 4, 6)), (8, (1, 2, 4, 8))]
)
def test_threads_are_doubled_up_to_all_cores(cores, threads):
    assert thread_counts(cores) == threads


def test_the_cores_are_at_most_those_of_the_process(monkeypatch):
    monkeypatch.setattr(machine, "_text_of", lambda _: "")
    free = count_cores()
    assert free >= 1
    monkeypatch.setattr(machine, "_text_of", lambda _: "100000 100000")
    assert count_cores() == 1


def test_a_measurement_leaves_the_threads_of_torch_as_they_were(monkeypatch):
    monkeypatch.setattr(machine, "_READ_BYTES", 2**20)
    monkeypatch.setattr(machine, "count_cores", lambda: 2)
    before = torch.get_num_threads()
    found = machine.measure_machine()
    assert torch.get_num_threads() == before
    assert all(rate > 0 for rate in found.read_bytes_per_s.values())
    assert list(found.read_bytes_per_s) == [1, 2]
    assert "cores: 2;" in found.summary
