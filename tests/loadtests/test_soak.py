"""The soak finds a small steady leak in the noise, and no leak where there is none."""

import random

import pytest

from loadtests.soak import Sample, differences, growth, settled_growth, title_of

NUM_SAMPLES = 60
REQUESTS_BETWEEN = 166


def samples(bytes_per_request: float) -> list[Sample]:
    rng = random.Random(1)
    base = 400 * 2**20
    return [
        Sample(n, {"t3": int(base + n * bytes_per_request + rng.uniform(0, 0.5) * 2**20)})
        for n in range(0, NUM_SAMPLES * REQUESTS_BETWEEN, REQUESTS_BETWEEN)
    ]


def test_constant_memory_is_no_growth():
    assert list(growth(samples(0))) == []


def test_a_leak_of_one_kib_per_request_is_found():
    assert len(list(growth(samples(1024)))) == 1


def test_memory_that_goes_up_and_down_is_no_growth():
    """Measured on an ingress: the peaks rise by 5 MB, the minima stay."""
    seen = [207.9, 208.9, 214.5, 203.3, 206.9, 211.5, 211.9, 212.0, 203.9, 209.0, 210.2, 212.7]
    half = [Sample(400 * n, {"ingress": int(mb * 2**20)}) for n, mb in enumerate(seen)]
    before = [Sample(0, half[0].rss)] * len(half)  # the first half does not count
    assert list(growth([*before, *half])) == []


def test_a_growth_of_more_than_ten_megabytes_is_found():
    assert len(list(growth(samples(2500)))) == 1


def test_growth_is_told_in_kb_per_request_after_the_first_thousand():
    assert settled_growth(samples(2048))["t3"] == pytest.approx(2.0, abs=0.1)
    filling = [Sample(n, {"t3": min(n, 1000) * 50_000}) for n in range(0, 5000, 100)]
    assert settled_growth(filling) == {"t3": 0.0}
    assert settled_growth(filling[:10]) == {}


def test_leaked_descriptors_and_dead_processes_are_found():
    before = {"t3": {"num_fds": 100, "num_threads": 20}, "vocoder": {"num_fds": 5}}
    after = {"t3": {"num_fds": 150, "num_threads": 21}}
    assert list(differences(before, after)) == ["t3: num_fds 100 -> 150", "vocoder: died"]


def test_a_raylet_may_keep_two_sockets_for_each_sample_and_no_other_process_may():
    before = {"raylet 7": {"num_fds": 80}, "t3 8": {"num_fds": 80}}
    grown = {"raylet 7": {"num_fds": 130}, "t3 8": {"num_fds": 130}}
    assert list(differences(before, grown, 26)) == ["t3 8: num_fds 80 -> 130"]
    assert "raylet 7: num_fds 80 -> 130" in list(differences(before, grown, 1))


@pytest.mark.parametrize(
    ("command", "title"),
    [
        (["ray::ServeReplica:app:T3#abc", "", ""], "ray::ServeReplica:app:T3"),
        (["ray::ServeController.listen_for_change"], "ray::ServeController"),
        (["ray::IDLE", ""], "ray::IDLE"),
        (["/ray/core/src/ray/gcs/gcs_server", "--log_dir=/tmp"], "gcs_server"),
        (["/bin/python", "-u", "/ray/dashboard/dashboard.py", "--host=127.0.0.1"], "dashboard.py"),
        (["/bin/python3", "-m", "deployments.serve_run", "/a.yaml"], "deployments.serve_run"),
        (["/bin/python", "-W", "ignore", "-m", "loadtests.inventory"], "loadtests.inventory"),
        (
            ["/bin/python", "-B", "-c", "from multiprocessing.forkserver import main; main(25)"],
            "multiprocessing.forkserver",
        ),
        ([], ""),
    ],
)
def test_a_process_is_known_by_its_program(command, title):
    assert title_of(command) == title
