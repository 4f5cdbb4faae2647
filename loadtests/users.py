"""Locust's users: one class for each kind of caller. What each does stands in scenarios.py."""

from collections.abc import Callable
from typing import ClassVar

from locust import User, task
from locust.env import Environment
from locust.exception import StopUser

from loadtests import scenarios
from loadtests.bench import Bench
from loadtests.records import Record


class Talker(User):
    """`bench` is set before the first of them is spawned."""

    abstract = True
    role: ClassVar[str] = ""
    bench: ClassVar[Bench]

    def on_start(self) -> None:
        self.who = scenarios.caller(self.bench, self.role)
        self.bench.run_log.arrive()

    def on_stop(self) -> None:
        self.bench.run_log.leave()


class Conversation(Talker):
    role = "conversation"
    weight = 4

    @task
    def turn(self) -> None:
        self.who.act(scenarios.take_a_turn)


class Listener(Talker):
    role = "stream"
    weight = 2

    @task
    def stream(self) -> None:
        self.who.act(scenarios.hear_a_stream)


class OneShot(Talker):
    role = "whole"

    @task
    def fetch(self) -> None:
        self.who.act(scenarios.fetch_a_file)


class Storm(Talker):
    role = "storm"

    @task
    def open_and_stop(self) -> None:
        self.who.act(scenarios.storm)


class Enrolment(Talker):
    role = "enrol"

    @task
    def make_a_voice(self) -> None:
        self.who.act(scenarios.enrol)
        if self.who.leaves:
            raise StopUser


class Hostile(Talker):
    role = "hostile"

    @task
    def attack(self) -> None:
        self.who.act(scenarios.attack)


USERS: dict[str, type[Talker]] = {
    user.role: user for user in (Conversation, Listener, OneShot, Storm, Enrolment, Hostile)
}


def told_to_locust(environment: Environment) -> Callable[[Record], None]:
    """For a ledger: each record stands in Locust's own tables, too."""

    def tell(record: Record) -> None:
        environment.events.request.fire(  # type: ignore[no-untyped-call]
            request_type=record.kind.value,
            name=record.outcome.value,
            response_time=record.waited_s * 1000,
            response_length=record.num_bytes,
            exception=RuntimeError(record.detail) if record.outcome.is_fault else None,
            context={},
        )

    return tell
