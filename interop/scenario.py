"""What one client goes through: three sentences, barge-ins, a pause, a server without room, a
vocoder that is killed."""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import psutil

from benchmarks.recovery import speaks
from deployments.process_titles import replica_of, titled
from deployments.server import ServerProcess
from interop.orders import NO_END, SENTENCES, Heard, Order
from interop.rows import Row
from interop.script import Script
from interop.sessions import Session, SessionLog, waste_of

LONG = tuple(f"This is sentence number {number} of a long story." for number in range(1, 9))
SAID = " ".join(SENTENCES).split()
SILENT = "**silent**"  # a turn looked whole and was not
SPOKEN_S = 20.0  # after it LONG is spoken to its end, where nobody has stopped it
WITHIN_S = 120.0
LOST_S = 0.15  # of sound that was sent and not heard: a codec's delay
VOCODER = replica_of("chatterbox", "Vocoder")
NUM_HOLDERS = 24


@dataclass(frozen=True, slots=True)
class Plan:
    num_barge_ins: int
    idle_s: float
    has_faults: bool


def measure(script: Script, server: ServerProcess, log: SessionLog, row: Row, plan: Plan) -> None:
    """Fills the row. A step that goes wrong is told in it, and the others go on."""
    steps = [
        lambda: speak(script, log, row),
        lambda: interrupt(script, log, row, plan.num_barge_ins),
        lambda: rest(script, row, plan.idle_s),
    ]
    if plan.has_faults:
        steps += [lambda: crowd(script, server, row), lambda: kill(script, server, log, row)]
    for step in steps:
        try:
            step()
        except RuntimeError as error:
            row.trouble.append(str(error))


def speak(script: Script, log: SessionLog, row: Row) -> None:
    script.turn(Order("speak", SENTENCES[:1]), WITHIN_S)  # connections are made, and caches filled
    log.news()
    heard = _whole(script, SENTENCES, row)
    row.heard_s = heard.sound_s
    sessions = log.news()
    row.sent_s = sum(session.audio_s for session in sessions)
    if heard.sound_s < row.sent_s - LOST_S or row.sent_s == 0:
        row.trouble.append(f"{heard.sound_s:.2f} s were heard of {row.sent_s:.2f} s")
    wrong = wrong_words(heard)
    row.words = "out of order" if wrong else "in order" if heard.words else "none"
    row.trouble += wrong_requests(sessions) + wrong


def wrong_requests(sessions: list[Session]) -> list[str]:
    """What is wrong with the words that the server was asked for. It had SENTENCES to say."""
    asked = Counter(word for session in sessions for word in session.words)
    return [] if asked == Counter(SAID) else [f"the server was asked for {dict(asked)}"]


def wrong_words(heard: Heard) -> list[str]:
    """What is wrong with the words that the client told of SENTENCES, if any."""
    if heard.words in ([], SAID):
        return []
    return [f"the client told {' '.join(heard.words)!r}"]


def interrupt(script: Script, log: SessionLog, row: Row, num: int) -> None:
    rng = random.Random(1)
    turns = []
    for _ in range(num):
        order = Order("interrupt", LONG, after_s=rng.uniform(0.1, 1.5))
        heard = script.turn(order, WITHIN_S)
        if heard.interrupted_s is None:
            row.trouble.append(f"the turn ended before the barge-in: {heard.error}")
        _note_first_sound(heard, row)
        turns.append(heard)
    _whole(script, SENTENCES[:1], row)  # some clients stop the old turn when the next one begins
    time.sleep(SPOKEN_S if num else 0)
    sessions = log.news()
    for heard in turns:
        if heard.interrupted_s is not None:
            waste = waste_of(sessions, heard.began_s, heard.interrupted_s)
            row.stop_ms.append(waste.stop_ms)
            row.tokens_after.append(waste.num_tokens)


def rest(script: Script, row: Row, idle_s: float) -> None:
    time.sleep(idle_s)
    heard = script.turn(Order("speak", SENTENCES[:1]), WITHIN_S)
    row.survives_idle = heard.error is None and heard.sound_s > 0
    if not row.survives_idle:
        row.trouble.append(f"after {idle_s:g} s without a turn: {heard.error}")


def crowd(script: Script, server: ServerProcess, row: Row) -> None:
    with crowded(server.url):
        heard = script.turn(Order("speak", SENTENCES[:1]), WITHIN_S)
    row.refusal = "spoken" if not heard.error and heard.sound_s > 0 else _told(heard)
    again = script.turn(Order("speak", SENTENCES[:1]), WITHIN_S)
    row.recovers = again.error is None and again.sound_s > 0
    if row.refusal == SILENT or not row.recovers:
        row.trouble.append(f"without room: {row.refusal}; with room again: {again.error}")


def kill(script: Script, server: ServerProcess, log: SessionLog, row: Row) -> None:
    """A fault must never look like the end of a whole turn. A client that asks for each sentence by
    itself may lose nothing: the sentence was made, and the next one waits for the new vocoder. Or
    it asks for the broken sentence again."""
    log.news()
    script.begin(Order("speak", LONG))
    if script.until_sound(WITHIN_S):
        time.sleep(0.3)
        victims = titled(server.processes(), VOCODER)
        for victim in victims:
            victim.kill()
        psutil.wait_procs(victims, timeout=10)
    heard = script.end(WITHIN_S)
    row.fault = outcome_of(heard, log.news())
    if row.fault == SILENT:
        row.trouble.append("a turn whose vocoder was killed looked whole")
    until_it_speaks(server.url)


@contextlib.contextmanager
def crowded(url: str) -> Iterator[None]:
    """More long texts are spoken than the machine bears: the server answers 503."""
    over = threading.Event()
    holders = [threading.Thread(target=_hold, args=(url, over)) for _ in range(NUM_HOLDERS)]
    for holder in holders:
        holder.start()
    try:
        give_up_s = time.monotonic() + 20
        while time.monotonic() < give_up_s and speaks(url):
            time.sleep(0.1)
        yield
    finally:
        over.set()
        for holder in holders:
            holder.join()


def _hold(url: str, over: threading.Event) -> None:
    body = {"model": "embedded", "voice": "alloy", "input": " ".join(LONG * 8)}
    with (
        contextlib.suppress(httpx.HTTPError),
        httpx.stream(
            "POST", f"{url}/v1/audio/speech", json=body, timeout=60, headers={}
        ) as response,
    ):
        for _ in response.iter_raw():
            if over.is_set():
                return


def until_it_speaks(url: str) -> None:
    give_up_s = time.monotonic() + WITHIN_S
    while time.monotonic() < give_up_s and not speaks(url):
        time.sleep(0.5)


def _whole(script: Script, sentences: tuple[str, ...], row: Row) -> Heard:
    heard = script.turn(Order("speak", sentences), WITHIN_S)
    if heard.error is not None:
        row.trouble.append(heard.error)
    _note_first_sound(heard, row)
    return heard


def outcome_of(heard: Heard, sessions: list[Session]) -> str:
    """Of a turn that says LONG. It lost nothing where the sessions that ended by themselves have
    all of its words, and all of their sound was heard."""
    complete = [session for session in sessions if session.is_complete]
    said = Counter(word for session in complete for word in session.words)
    is_heard = heard.sound_s >= sum(session.audio_s for session in complete) - LOST_S
    if heard.error is not None or not is_heard or said != Counter(" ".join(LONG).split()):
        return _told(heard)
    return "lost nothing" if len(complete) == len(sessions) else "asked again"


def _told(heard: Heard) -> str:
    if heard.error is None:
        return SILENT
    return "no end" if heard.error.startswith((NO_END, "TimeoutError")) else "told"


def _note_first_sound(heard: Heard, row: Row) -> None:
    if heard.first_sound_s is not None:
        row.first_sound_ms.append((heard.first_sound_s - heard.began_s) * 1e3)
