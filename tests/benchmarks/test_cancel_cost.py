"""The cost of a call, by process."""

import os

import psutil

from benchmarks.cancel_cost import Work, name_of, per_call, work_of


def test_a_process_has_the_name_of_its_deployment_or_actor():
    titles = ("ray::ServeReplica:chatterbox:T3", "ray::Registry.poll", "ray::ProxyActor", "gcs x")
    assert [name_of(title) for title in titles] == ["T3", "Registry", "ProxyActor", "other"]


def test_the_cost_of_a_call_leaves_out_what_is_done_without_calls():
    before = {"T3": Work(100.0, 1000), "Registry": Work(10.0, 10)}
    after = {"T3": Work(300.0, 1400), "Registry": Work(11.0, 12), "new": Work(20.0, 100)}
    idle = {"T3": Work(100.0, 200), "Registry": Work(1.0, 2)}
    each = per_call(before, after, idle, 10)
    assert each == {"T3": Work(10.0, 20.0), "new": Work(2.0, 10.0)}


def test_the_work_of_a_process_grows_with_what_it_does():
    processes = [psutil.Process(os.getpid())]
    before = work_of(processes)["other"]
    while work_of(processes)["other"].cpu_ms < before.cpu_ms + 1:
        sum(range(10_000))
    assert work_of(processes)["other"].wake_ups >= before.wake_ups
