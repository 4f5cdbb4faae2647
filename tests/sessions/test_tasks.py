"""Tasks end with their caller or outlive the caller, as asked."""

import asyncio
import contextvars
import gc

import pytest

from app.sessions.tasks import TaskSet, cancel_and_wait

REQUEST = contextvars.ContextVar("request", default="none")


class Work:
    """Waits for `go`, then returns 7; cleans up in two turns of the loop."""

    def __init__(self, error=None):
        self.error = error
        self.started = asyncio.Event()
        self.go = asyncio.Event()
        self.is_clean = False

    async def __call__(self):
        self.started.set()
        try:
            await self.go.wait()
            if self.error is not None:
                raise self.error
            return 7
        finally:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.is_clean = True


async def cancelled_while(work, calling):
    """The caller, cancelled while the work runs."""
    caller = asyncio.ensure_future(calling)
    await work.started.wait()
    caller.cancel()
    await asyncio.wait({caller})
    assert caller.cancelled()


async def test_cancelled_tasks_have_cleaned_up():
    works = Work(), Work()
    tasks = [asyncio.ensure_future(work()) for work in works]
    await asyncio.gather(*(work.started.wait() for work in works))
    await cancel_and_wait(*tasks)
    assert [(task.cancelled(), work.is_clean) for task, work in zip(tasks, works, strict=True)] == [
        (True, True),
        (True, True),
    ]


async def test_the_error_of_a_cancelled_task_counts_as_seen(caplog):
    work = Work(ValueError("x"))
    work.go.set()
    task = asyncio.ensure_future(work())
    await asyncio.wait({task})
    await cancel_and_wait(task)
    del task
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_a_task_outlives_its_cancelled_caller():
    work, tasks = Work(), TaskSet()
    await cancelled_while(work, tasks.run(work()))
    (task,) = tasks.all()
    work.go.set()
    assert await task == 7
    assert len(tasks) == 0


async def test_a_started_task_survives_the_garbage_collector():
    work, tasks = Work(), TaskSet()
    tasks.start(work())
    await work.started.wait()
    gc.collect()
    work.go.set()
    assert [await task for task in tasks.all()] == [7]


@pytest.mark.parametrize(("detached", "seen"), [(False, "r1"), (True, "none")])
async def test_a_detached_task_has_a_context_of_its_own(detached, seen):
    async def read():
        return REQUEST.get()

    REQUEST.set("r1")
    assert await TaskSet(detached=detached).run(read()) == seen


async def test_the_answer_goes_to_the_caller_who_waits():
    work, given_back = Work(), []
    work.go.set()
    assert await TaskSet().ask(work(), given_back.append) == 7
    assert given_back == []


@pytest.mark.parametrize(("error", "expected"), [(None, [7]), (ValueError("x"), [])])
async def test_an_answer_that_nobody_awaits_is_given_back(error, expected):
    work, tasks, given_back = Work(error), TaskSet(), []
    await cancelled_while(work, tasks.ask(work(), given_back.append))
    (task,) = tasks.all()
    work.go.set()
    await asyncio.wait({task})
    await asyncio.sleep(0)
    assert given_back == expected
