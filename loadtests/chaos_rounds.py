"""One round of loadtests.chaos: an open loop of callers, one fault among them, then the wait until
service is back, every caller has left and nothing is held."""

import contextlib
import random
import threading
import time
from collections.abc import Iterator, Sequence

import httpx

from app.client.speech_client import key_headers
from loadtests.bench import Bench
from loadtests.chaos_callers import Callers
from loadtests.chaos_verdict import LATE, NO_ANSWER, OK, Heard, Look, Round
from loadtests.faults import Fault
from loadtests.records import Kind
from loadtests.shapes import open_loop, poisson_arrivals, sleep_until
from loadtests.victim import Victim

BEFORE_S = 4.0  # callers speak for so long before the fault
AFTER_S = 5.0  # and come for so long after it
RATE_PER_S = 1.2
MOST_OPEN = 64
LOOK_EVERY_S = 0.25
LOOK_WITHIN_S = 2.0
ASK_WITHIN_S = 10.0
IDLE_WITHIN_S = 30.0
PATIENCE = 2.0  # times its bound: how long a service that comes back late is waited for


def run_round(victim: Victim, fault: Fault, callers: Callers, seed: str) -> Round:
    bench = victim.bench
    num_records = len(bench.run_log.records)
    fault.prepare(victim)
    with watching(bench) as looks:
        load = _begin(callers, BEFORE_S + fault.lasts_s + AFTER_S, seed)
        time.sleep(BEFORE_S)
        inflicted_s = time.monotonic()
        fault.inflict(victim)
        sleep_until(inflicted_s + fault.lasts_s)
        undone_s = time.monotonic()
        fault.undo(victim)
        back_s = until_back(bench, undone_s + fault.bound_s * PATIENCE)
        load.join()
        wrong = fault.wrong(victim)
        left = until_idle(bench)
    uploads = [r for r in bench.run_log.records[num_records:] if r.kind is Kind.ENROL]
    return Round(
        fault.name,
        fault.harm,
        fault.silences,
        fault.bound_s,
        inflicted_s,
        undone_s,
        back_s,
        [*callers.take(), *map(Heard, uploads)],
        looks,
        left,
        wrong,
        fault.counted(),
    )


def _begin(callers: Callers, seconds: float, seed: str) -> threading.Thread:
    arrivals_s = poisson_arrivals(RATE_PER_S, seconds, random.Random(seed))

    def call(number: int, intended_s: float) -> None:
        callers.call(f"{seed} caller {number}", intended_s)

    load = threading.Thread(target=open_loop, args=(arrivals_s, call, MOST_OPEN), daemon=True)
    load.start()
    return load


@contextlib.contextmanager
def watching(bench: Bench) -> Iterator[list[Look]]:
    """Asks /health all the time, on connections of its own. The list is complete after the
    block."""
    looks: list[Look] = []
    over = threading.Event()

    def look() -> None:
        with httpx.Client(base_url=bench.url, timeout=LOOK_WITHIN_S) as client:
            while not over.wait(LOOK_EVERY_S):
                asked_s = time.monotonic()
                try:
                    status = str(client.get("/health").json()["status"])
                except (httpx.TransportError, ValueError, KeyError):  # or an error of the proxy
                    status = NO_ANSWER
                looks.append(Look(asked_s, time.monotonic(), status))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield looks
    finally:
        over.set()
        thread.join()


def until_back(bench: Bench, give_up_s: float) -> float | None:
    """When a text was spoken whole and /health says that it is well, or None."""
    body = bench.body("Hello.") | {"stream": False, "max_tokens": 8}
    while time.monotonic() < give_up_s:
        with (
            contextlib.suppress(httpx.TransportError, ValueError, KeyError),
            httpx.Client(base_url=bench.url, timeout=ASK_WITHIN_S, headers=key_headers()) as client,
        ):
            spoken = client.post("/v1/audio/speech", json=body)
            status = client.get("/health").json()["status"]
            if spoken.status_code == httpx.codes.OK and status in (OK, LATE):
                return time.monotonic()
        time.sleep(LOOK_EVERY_S)
    return None


def until_idle(bench: Bench) -> Sequence[str]:
    """What is still held after the wait."""
    give_up_s = time.monotonic() + IDLE_WITHIN_S
    while (found := held(bench)) and time.monotonic() < give_up_s:
        time.sleep(LOOK_EVERY_S)
    return found


def held(bench: Bench) -> list[str]:
    """Sessions and slots that are not free, by /health."""
    try:
        with httpx.Client(base_url=bench.url, timeout=ASK_WITHIN_S) as client:
            stages = client.get("/health").json()["stages"]
    except (httpx.TransportError, ValueError, KeyError) as error:
        return [f"/health: {type(error).__name__}"]
    if not stages:
        return ["/health: no stage"]
    found = []
    for name, stage in stages.items():
        if stage["live"] or stage["waiting"]:
            found.append(f"{name}: {stage['live']} live, {stage['waiting']} waiting")
        if stage["slots_free"] != stage["slots_total"]:
            num_held = stage["slots_total"] - stage["slots_free"]
            found.append(f"{name}: {num_held} of {stage['slots_total']} slots")
    return found
