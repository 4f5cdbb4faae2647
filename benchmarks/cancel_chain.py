"""Measures each leg of a hundred interruptions by voice, for both hosts of the recogniser.

    python benchmarks/cancel_chain.py --n 100 --host subprocess,sidecar --llm-floor-s 0.0

Needs a running server (--url) on this machine; --without-speech leaves the speech out. In each turn
the server speaks, a language model streams, and the recogniser is still busy with the utterance
before, when a listener of benchmarks/calls interrupts in real time. All legs begin when the
detector has noticed the voice, but `notice`, which begins with the voice itself. `notice` is told
by the clock, and as `notice_in_sound` by the sound that the detector had: the rest is the time for
which the sound waited for this program. With --noise a noise of the call (a cough, a keyboard)
comes before each interruption, and `false_alarms` counts those that were taken for a voice.

The floor: what the language model needs to stop (--llm-floor-s), one frame of the recogniser, and
the rest of T3's running step. Exits with 1 where the p95 of `chain` is above the language model's
floor + 400 ms, or where a step failed. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.client.speech_client import key_headers
from app.hearing.cancel_chain import ChainMark, ChainReport, ChainSteps, cancel_chain, chain_legs
from app.hearing.ears import Ears
from app.hearing_settings import HostName
from benchmarks.call_listener import SOUND, TURNS, Listener
from benchmarks.cancel import percentiles
from benchmarks.hearing_hosts import HOSTS, RunningHost, running_host
from benchmarks.interrupted_parts import LanguageModel, Player, Speech, scripted_language_model
from benchmarks.measure import quantile, say
from benchmarks.players import first_voice
from benchmarks.recorded_call import Moment, read_call

MARGIN_MS = 400.0
FIRST_AUDIO_S = 30.0


@dataclass(slots=True)
class Turn:
    marks: dict[ChainMark, float]
    failures: dict[str, str]
    t3_stopped_s: float | None = None
    notice_in_sound_s: float | None = None

    @property
    def legs_ms(self) -> dict[str, float]:
        legs = chain_legs(self.marks)
        if self.notice_in_sound_s is not None:
            legs["notice_in_sound"] = self.notice_in_sound_s * 1000
        if self.t3_stopped_s is not None:
            legs["t3_stopped"] = (self.t3_stopped_s - self.marks[ChainMark.NOTICED]) * 1000
        return legs


@dataclass(slots=True)
class Agent:
    """What a listener interrupts. `client` None: without speech."""

    llm_url: str
    llm_floor_s: float
    client: httpx.AsyncClient | None
    model: str = ""
    voice: str = ""
    llm_client: httpx.AsyncClient = field(
        default_factory=lambda: httpx.AsyncClient(trust_env=False)
    )


async def one_turn(
    agent: Agent,
    listener: Listener,
    ears: Ears,
    moments: Sequence[Moment],
    noise: Moment | None = None,
) -> Turn:
    earlier, moment = moments
    player = Player()
    llm = LanguageModel(agent.llm_client, agent.llm_url, agent.llm_floor_s)
    speech = (
        None if agent.client is None else Speech(agent.client, agent.model, agent.voice, player)
    )
    try:
        if speech is not None:
            async with asyncio.timeout(FIRST_AUDIO_S):
                await speech.until_it_plays()
        await llm.until_it_streams()
        await listener.keep_busy(earlier)
        interruption = await listener.interrupt(moment, noise)
        began = interruption.event
        steps = ChainSteps(
            silence_player=player.silence,
            cancel_speech=None if speech is None else speech.cancel,
            abort_recogniser=lambda: ears.abort(began.generation - 1),
            close_socket=None if speech is None else speech.hang_up,
            cancel_llm=llm.cancel,
            listen=lambda: listener.until_listening(began.generation),
        )
        times = interruption.began_at_s, began.noticed_at_s
        report: ChainReport = await cancel_chain(steps, *times)
        await listener.fall_silent(began.generation, interruption.speaking)
        turn = Turn(dict(report.marks), dict(report.failures))
        turn.notice_in_sound_s = interruption.in_sound_s
        if speech is not None:
            turn.t3_stopped_s = await speech.t3_stopped_s()
        return turn
    finally:
        await llm.cancel()
        if speech is not None:
            await speech.hang_up()
        await player.aclose()


async def measure(
    host: RunningHost, agent: Agent, num: int, seed: int, *, with_noise: bool
) -> tuple[list[Turn], int]:
    """With the number of noises that were taken for a voice."""
    call, rng = read_call(), random.Random(seed)
    interruptions, noises = call.of_kind("interruption"), call.of_kind("noise")
    ears = await host.hearing.open_call(SOUND, TURNS)
    listener = Listener(ears, call)
    turns = []
    for number in range(num + 1):  # the first turn is a warm-up
        noise = rng.choice(noises) if with_noise else None
        turn = await one_turn(agent, listener, ears, rng.choices(interruptions, k=2), noise)
        if number:
            turns.append(turn)
    for failed in listener.failed:
        turns[-1].failures[failed.code] = failed.message
    await listener.aclose()
    return turns, listener.num_false


@asynccontextmanager
async def interrupted_agent(args: argparse.Namespace) -> AsyncIterator[Agent]:
    async with scripted_language_model() as llm_url:
        if args.without_speech:
            yield Agent(llm_url, args.llm_floor_s, None)
            return
        headers = key_headers()
        async with httpx.AsyncClient(base_url=args.url, timeout=120, headers=headers) as client:
            yield Agent(llm_url, args.llm_floor_s, client, *await first_voice(client))


def summarise(turns: Sequence[Turn]) -> dict[str, object]:
    names = list(dict.fromkeys(name for turn in turns for name in turn.legs_ms))
    return {name: percentiles(turn.legs_ms.get(name) for turn in turns) for name in names}


def broken_bounds(turns: Sequence[Turn], llm_floor_s: float) -> list[str]:
    broken = []
    bound = llm_floor_s * 1000 + MARGIN_MS
    value = quantile([turn.legs_ms["chain"] for turn in turns], 0.95)
    if value is None or value > bound:
        broken.append(f"the p95 of the chain is {value} ms, the bound is {bound:g} ms")
    failures = [f"{name}: {why}" for turn in turns for name, why in turn.failures.items()]
    return broken + failures


async def run(args: argparse.Namespace) -> dict[str, tuple[list[Turn], int]]:
    found = {}
    async with interrupted_agent(args) as agent:
        for name in args.host:
            async with running_host(name, num_recognisers=1) as host:
                found[name] = await measure(host, agent, args.n, args.seed, with_noise=args.noise)
    return found


def parse_hosts(text: str) -> list[HostName]:
    """Raises ValueError."""
    found = [host for name in text.split(",") for host in HOSTS if host == name]
    if len(found) != len(text.split(",")):
        raise ValueError(f"{text} names another host than {', '.join(HOSTS)}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--without-speech", action="store_true")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--host", type=parse_hosts, default=list(HOSTS))
    parser.add_argument("--llm-floor-s", type=float, default=0.0)
    parser.add_argument("--noise", action="store_true", help="before each interruption")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    found = asyncio.run(run(args))
    report: dict[str, object] = {"benchmark": "cancel_chain", "n": args.n}
    all_broken: list[str] = []
    for host, (turns, num_false) in found.items():
        legs, broken = summarise(turns), broken_bounds(turns, args.llm_floor_s)
        all_broken += [f"{host}: {line}" for line in broken]
        for name, values in legs.items():
            say(f"{host:<11} {name:<18} {values}")
        report[host] = {"legs_ms": legs, "false_alarms": num_false, "broken": broken}
    for line in all_broken:
        say(f"broken: {line}")
    say(json.dumps(report | {"passed": not all_broken}))
    return 1 if all_broken else 0


if __name__ == "__main__":
    sys.exit(main())
