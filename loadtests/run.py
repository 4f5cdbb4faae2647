"""Runs one shape with one set of users in this process, and writes the report.

The import of Locust patches the standard library: from then on, threads of this process are
greenlets.
"""

from locust.env import Environment
from locust.shape import LoadTestShape  # before all modules that open sockets

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
from loadtests.saturation import Verdict, judge, most_callers, shortfalls
from loadtests.scenarios import speak_when_due
from loadtests.summary import summary, too_few_turns
from loadtests.users import USERS, Caller, report_to_locust

LEVELS = {"steady": shapes.steady, "ramp": shapes.ramp, "burst": shapes.burst}
WARM_UP_S = 2.0  # at the start of a level of the search; its requests are not judged
STOPPED_WITHIN_S = 240.0  # longer than any wait of a user
EVEN_FROM = 4  # callers; a level with fewer lasts longer, to get the same number of turns


@dataclass(frozen=True, slots=True)
class Load:
    shape: str
    users: tuple[str, ...]
    num_callers: int
    seconds: float  # of the run, or of each level of the search
    rate_per_s: float = 1.0  # requests of the open loop
    most_open: int = 256
    grace_s: float = 5.0  # after the run, sessions may end by themselves for this time
    ttfa_ms: float = 1000.0  # the p95 bound of the search
    num_turns: int = 0  # asked for: of the run, or of each level of the search


class LevelShape(LoadTestShape):
    """Locust's shape of a level. Spawns callers without delay."""

    abstract = True  # Locust must not find this class in a locustfile

    def __init__(self, level: shapes.Level) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._level = level

    def tick(self) -> tuple[int, float] | None:
        num_callers = self._level(self.get_run_time())  # type: ignore[no-untyped-call]
        return None if num_callers is None else (num_callers, max(1.0, float(num_callers)))


def run_level(bench: Bench, users: Sequence[type[Caller]], level: shapes.Level) -> None:
    """Returns when the level is over and every user has ended."""
    environment = Environment(
        user_classes=list(users),
        shape_class=LevelShape(level),
        host=bench.url,
        stop_timeout=STOPPED_WITHIN_S,
    )

    def user_failed(user_instance: Caller, exception: Exception, **_: object) -> None:
        bench.run_log.add_fault(f"{user_instance.role}: {type(exception).__name__}: {exception}")

    environment.events.user_error.add_listener(user_failed)  # type: ignore[no-untyped-call]
    bench.run_log.on_record = report_to_locust(environment)
    runner = environment.create_local_runner()
    runner.start_shape()
    if (shape := runner.shape_greenlet) is not None:
        shape.get()
    runner.quit()
    bench.run_log.on_record = None


def users_of(bench: Bench, load: Load) -> list[type[Caller]]:
    """One caller of each kind; all further callers are of the first kind."""
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
        run_level(bench, users, level)


def send_when_due(bench: Bench, load: Load) -> None:
    rng = random.Random(f"{bench.settings.seed} arrivals")
    arrivals_s = shapes.poisson_arrivals(load.rate_per_s, load.seconds, rng)
    with bench.lasting(load.seconds, load.grace_s):
        shapes.open_loop(arrivals_s, partial(speak_when_due, bench), load.most_open)


def search(bench: Bench, load: Load) -> tuple[int, list[Verdict]]:
    """The most callers within the bounds, and the verdict on each level."""
    users = users_of(bench, load)
    verdicts: list[Verdict] = []

    def is_met(num_callers: int) -> bool:
        begun_s, num_before = time.monotonic(), len(bench.run_log.records)
        seconds = WARM_UP_S + load.seconds * max(1.0, EVEN_FROM / num_callers)
        with bench.lasting(seconds, 0.0):
            run_level(bench, users, shapes.steady(num_callers, seconds))
        new = bench.run_log.records[num_before:]
        warm = [record for record in new if record.intended_s >= begun_s + WARM_UP_S]
        verdicts.append(judge(warm, num_callers, load.ttfa_ms, load.num_turns))
        return verdicts[-1].is_met

    return most_callers(is_met, load.num_callers), verdicts


def run(url: str, load: Load, settings: Settings, out: Path) -> dict[str, object]:
    """Returns the summary. Writes it to `out`, with the records and the page. Raises
    UnusableServer."""
    run_log = RunLog(out / REQUESTS)
    bench = Bench(url, settings, run_log)
    bench.warm_up()
    claimed = bench.claimed_capacity()
    result: dict[str, object] = {
        "benchmark": "loadtest",
        "shape": load.shape,
        "users": ",".join(load.users) if load.shape != "poisson" else "arrivals",
        "model": bench.model,
        "num_callers": load.num_callers,
        "seed": settings.seed,
        "start": settings.start,
        "claimed_capacity": claimed,
    }
    if load.shape == "saturation":
        capacity, verdicts = search(bench, load)
        levels = [asdict(verdict) | {"is_met": verdict.is_met} for verdict in verdicts]
        result |= {"capacity": capacity, "bound_ttfa_ms": load.ttfa_ms, "levels": levels}
        run_log.faults += shortfalls(capacity, claimed, verdicts)
    elif load.shape == "poisson":
        result |= {"rate_per_s": load.rate_per_s}
        send_when_due(bench, load)
    else:
        keep_level(bench, load)
    if load.shape != "saturation":
        run_log.faults += too_few_turns(run_log.records, load.num_turns)
    if not run_log.records:
        run_log.add_fault("no request was sent")
    result |= summary(run_log.records, run_log.faults)
    write_report(out, result, run_log.records)
    return result
