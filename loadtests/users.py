"""Locust's users: one class for each kind of caller. scenarios.py has their actions."""

from collections.abc import Callable
from typing import ClassVar

from locust import User, task
from locust.env import Environment
from locust.exception import StopUser

from loadtests import scenarios
from loadtests.bench import Bench
from loadtests.records import Record


class Caller(User):
    """`bench` must be set before Locust spawns the first caller."""

    abstract = True
    role: ClassVar[str] = ""
    bench: ClassVar[Bench]

    def on_start(self) -> None:
        self.state = scenarios.new_caller(self.bench, self.role)
        self.bench.run_log.arrive()

    def on_stop(self) -> None:
        self.bench.run_log.leave()


class Conversation(Caller):
    role = "conversation"
    weight = 4

    @task
    def turn(self) -> None:
        self.state.act(scenarios.take_a_turn)


class Listener(Caller):
    role = "stream"
    weight = 2

    @task
    def stream(self) -> None:
        self.state.act(scenarios.hear_a_stream)


class OneShot(Caller):
    role = "whole"

    @task
    def fetch(self) -> None:
        self.state.act(scenarios.fetch_a_file)


class Storm(Caller):
    role = "storm"

    @task
    def open_and_stop(self) -> None:
        self.state.act(scenarios.storm)


class Enrolment(Caller):
    role = "enrol"

    @task
    def make_a_voice(self) -> None:
        self.state.act(scenarios.enrol)
        if self.state.leaves:
            raise StopUser


class Hostile(Caller):
    role = "hostile"

    @task
    def attack(self) -> None:
        self.state.act(scenarios.attack)


USERS: dict[str, type[Caller]] = {
    user.role: user for user in (Conversation, Listener, OneShot, Storm, Enrolment, Hostile)
}


def report_to_locust(environment: Environment) -> Callable[[Record], None]:
    """A function for `RunLog.on_record` that adds each record to Locust's own tables."""

    def report(record: Record) -> None:
        environment.events.request.fire(  # type: ignore[no-untyped-call]
            request_type=record.kind.value,
            name=record.outcome.value,
            response_time=record.waited_s * 1000,
            response_length=record.num_bytes,
            exception=RuntimeError(record.detail) if record.outcome.is_fault else None,
            context={},
        )

    return report
