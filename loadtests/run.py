"""Runs one shape with one set of users to its end, in this process, and writes the report.

Locust patches the standard library when it is imported: from then on threads are greenlets here.
"""

from locust.env import Environment
from locust.shape import LoadTestShape  # before anything that opens sockets

# isort: split
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from loadtests import shapes
from loadtests.bench import Bench, Settings
from loadtests.report import REQUESTS, write_report
from loadtests.run_log import RunLog
from loadtests.saturation import Verdict, judged, most_callers
from loadtests.scenarios import speak_when_due
from loadtests.summary import summary
from loadtests.users import USERS, Talker, told_to_locust

LEVELS = {"steady": shapes.steady, "ramp": shapes.ramp, "burst": shapes.burst}
WARM_UP_S = 2.0  # of a level of the search: what is sent then is not judged
STOPPED_WITHIN_S = 240.0  # longer than anything that a user waits for
EVEN_FROM = 4  # callers; below, a level of the search lasts longer, for as many turns


@dataclass(frozen=True, slots=True)
class Load:
    shape: str
    users: tuple[str, ...]
    num_callers: int
    seconds: float  # of the search: of each level
    rate_per_s: float = 1.0  # of the open loop
    most_open: int = 256
    grace_s: float = 5.0  # sessions may end by themselves for so long, then they are cut
    ttfa_ms: float = 1000.0  # what the search bounds p95 by


class Following(LoadTestShape):
    """Locust's shape over a level; spawns without delay."""

    abstract = True  # made here, never found in a locustfile

    def __init__(self, level: shapes.Level) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._level = level

    def tick(self) -> tuple[int, float] | None:
        num_callers = self._level(self.get_run_time())  # type: ignore[no-untyped-call]
        return None if num_callers is None else (num_callers, max(1.0, float(num_callers)))


def hold(bench: Bench, users: Sequence[type[Talker]], level: shapes.Level) -> None:
    """Until the level is over and every user has ended."""
    environment = Environment(
        user_classes=list(users),
        shape_class=Following(level),
        host=bench.url,
        stop_timeout=STOPPED_WITHIN_S,
    )

    def user_failed(user_instance: Talker, exception: Exception, **_: object) -> None:
        bench.run_log.fault(f"{user_instance.role}: {type(exception).__name__}: {exception}")

    environment.events.user_error.add_listener(user_failed)  # type: ignore[no-untyped-call]
    bench.run_log.tell = told_to_locust(environment)
    runner = environment.create_local_runner()
    runner.start_shape()
    if (following := runner.shape_greenlet) is not None:
        following.get()
    runner.quit()
    bench.run_log.tell = None


def users_of(bench: Bench, load: Load) -> list[type[Talker]]:
    """One caller of each kind but the first, which all the others are."""
    users = [USERS[role] for role in load.users]
    for user in users:
        user.bench = bench
    for user in users[1:]:
        user.fixed_count = 1
    return users


def keep_level(bench: Bench, load: Load) -> None:
    users = users_of(bench, load)
    level = LEVELS[load.shape](load.num_callers, load.seconds)
    with bench.lasting(load.seconds, load.grace_s):
        hold(bench, users, level)


def send_when_due(bench: Bench, load: Load) -> None:
    chance = random.Random(f"{bench.settings.seed} arrivals")
    arrivals_s = shapes.poisson_arrivals(load.rate_per_s, load.seconds, chance)
    with bench.lasting(load.seconds, load.grace_s):
        shapes.open_loop(arrivals_s, partial(speak_when_due, bench), load.most_open)


def search(bench: Bench, load: Load) -> tuple[int, list[Verdict]]:
    """The most callers, and what was found on each level."""
    users = users_of(bench, load)
    verdicts: list[Verdict] = []

    def is_met(num_callers: int) -> bool:
        begun_s, num_before = time.monotonic(), len(bench.run_log.records)
        seconds = WARM_UP_S + load.seconds * max(1.0, EVEN_FROM / num_callers)
        with bench.lasting(seconds, 0.0):
            hold(bench, users, shapes.steady(num_callers, seconds))
        new = bench.run_log.records[num_before:]
        warm = [record for record in new if record.intended_s >= begun_s + WARM_UP_S]
        verdicts.append(judged(warm, num_callers, load.ttfa_ms))
        return verdicts[-1].is_met

    return most_callers(is_met, load.num_callers), verdicts


def run(url: str, load: Load, settings: Settings, out: Path) -> dict[str, object]:
    """The summary, which is in `out` with the records and the page. Raises UnusableServer."""
    run_log = RunLog(out / REQUESTS)
    bench = Bench(url, settings, run_log)
    bench.warm_up()
    told: dict[str, object] = {
        "benchmark": "loadtest",
        "shape": load.shape,
        "users": ",".join(load.users) if load.shape != "poisson" else "arrivals",
        "model": bench.model,
        "num_callers": load.num_callers,
        "seed": settings.seed,
    }
    if load.shape == "saturation":
        capacity, verdicts = search(bench, load)
        levels = [asdict(verdict) | {"is_met": verdict.is_met} for verdict in verdicts]
        told |= {"capacity": capacity, "bound_ttfa_ms": load.ttfa_ms, "levels": levels}
    elif load.shape == "poisson":
        told |= {"rate_per_s": load.rate_per_s}
        send_when_due(bench, load)
    else:
        keep_level(bench, load)
    told |= summary(run_log.records, run_log.faults)
    if not run_log.records:
        told |= {"passed": False, "faults": ["there was not one request"], "num_faults": 1}
    write_report(out, told, run_log.records)
    return told
