"""Makes voices from computed recordings (seeded vowels) and deletes them."""

import io
import random
import time
import uuid
import wave
from collections.abc import Callable

import httpx
import numpy as np

from loadtests.bench import Bench
from loadtests.records import Kind, Outcome
from loadtests.session import REFUSALS, error_code

SECONDS, RATE = 6, 24_000
VOWELS = ((700, 1200), (400, 2000), (300, 2300), (500, 900), (350, 700))  # two formants each, Hz
SYLLABLE_S = 0.25
NUM_HARMONICS = 12


def recording(rng: random.Random) -> bytes:
    """A WAV file of a speaker with random pitch and vowels. One second is repeated, because the
    computation blocks all other callers."""
    at_s = np.arange(RATE) / RATE
    harmonics = np.arange(1, NUM_HARMONICS + 1)
    pitch = rng.uniform(90, 240)
    vowels = np.array([rng.choice(VOWELS) for _ in range(round(1 / SYLLABLE_S))])
    distance = pitch * harmonics[None, :, None] - vowels[:, None, :]  # syllable, harmonic, formant
    gains = (np.exp(-((distance / 150) ** 2)).sum(2) + 0.02) / harmonics
    gain_at = np.repeat(gains, len(at_s) // len(vowels), axis=0)
    sound = (gain_at * np.sin(2 * np.pi * pitch * at_s[:, None] * harmonics)).sum(1)
    sound *= np.sin(np.pi * (at_s / SYLLABLE_S % 1))
    pcm = (sound / np.abs(sound).max() * 16_000).astype("<i2")
    content = io.BytesIO()
    with wave.open(content, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        wav.writeframes(pcm.tobytes() * SECONDS)
    return content.getvalue()


def add_voice(bench: Bench, user: str, rng: random.Random, intended_s: float) -> str | None:
    """The id of the new voice; None if none was made. The run log has the reason."""
    sample = recording(rng)
    form = {"name": f"load {uuid.uuid4().hex[:12]}", "consent": "a computed voice consents"}

    def post() -> httpx.Response:
        files = {"audio_sample": ("voice.wav", sample, "audio/wav")}
        timeout_s = bench.settings.enrol_within_s
        return bench.http.post("/v1/audio/voices", data=form, files=files, timeout=timeout_s)

    answer = logged(bench, user, intended_s, post)
    return str(answer.json()["id"]) if answer is not None and answer.is_success else None


def delete_voice(bench: Bench, user: str, voice: str) -> None:
    logged(bench, user, time.monotonic(), lambda: bench.http.delete(f"/v1/audio/voices/{voice}"))


def logged(
    bench: Bench, user: str, intended_s: float, send: Callable[[], httpx.Response]
) -> httpx.Response | None:
    """The answer of a request, which is added to the run log; None without an answer."""
    sent_s, detail, answer = time.monotonic(), "", None
    try:
        answer = send()
    except httpx.TransportError as error:
        detail = f"{type(error).__name__}: {error}"
    outcome = Outcome.UNANSWERED
    if answer is not None:
        code = error_code(answer)
        is_refusal = (answer.status_code, code) in REFUSALS
        outcome = Outcome.REFUSED if is_refusal else Outcome.FAILED
        outcome, detail = (Outcome.DONE, "") if answer.is_success else (outcome, code)
    bench.note_silent(
        kind=Kind.ENROL,
        user=user,
        intended_s=intended_s,
        sent_s=sent_s,
        status=None if answer is None else answer.status_code,
        outcome=outcome,
        detail=detail,
    )
    return answer
