"""Speaks a text into a WAV file and shows the progress. Knows nothing about the command line."""

import itertools
import time
import uuid
import wave
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from app.client.socket_speech import speak_over_socket
from app.client.speech_client import BYTES_PER_S, Speech, SpeechClient, key_headers
from app.core import SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Spoken:
    """How a text was spoken. All times count from the moment the request was sent.
    `first_audio_s` is None if no audio arrived. `legs_s` add up to it."""

    session_id: str
    whole_id: str  # of all its sound: of a socket's context, or the same
    legs_s: dict[str, float] = field(default_factory=dict)
    first_audio_s: float | None = None
    audio_s: float = 0.0
    wall_s: float = 0.0

    def __str__(self) -> str:
        if self.first_audio_s is None:
            return "waiting for the first audio"
        return (
            f"first audio after {self.first_audio_s:.2f} s, {self.audio_s:.1f} s of audio, "
            f"real-time factor {self.wall_s / self.audio_s:.2f}"
        )


def say_to_file(
    client: SpeechClient,
    text: str,
    path: Path,
    *,
    model: str | None = None,
    voice: str | None = None,
    seed: int | None = None,
    language: str | None = None,
    over_socket: bool = False,
) -> Spoken:
    """The file is opened when the first audio arrives. Its header always states the true length,
    also after an error. Without `model` or `voice`, the server's first one is used."""
    model = model or client.models()[0]
    voice = voice or client.voices()[0]
    if over_socket:
        options = {"model": model, "voice": voice, "seed": seed, "language": language}
        speaking = speak_over_socket(client.url, key_headers(), options, text, uuid.uuid4().hex)
    else:
        speaking = client.speak(text, model=model, voice=voice, seed=seed, language=language)
    columns = SpinnerColumn(), TextColumn("{task.description}")
    with (
        Progress(*columns, console=Console(stderr=True), transient=True) as progress,
        speaking as speech,
    ):
        spoken = Spoken(speech.session_id, speech.whole_id or speech.session_id)
        task = progress.add_task(str(spoken), total=None)
        for spoken in _write(speech, path):
            progress.update(task, description=str(spoken))
    return spoken


def _write(speech: Speech, path: Path) -> Iterator[Spoken]:
    """Yields the progress after each part that was written."""
    first = next(speech.pcm, None)
    if first is None:
        return
    first_audio_s = time.monotonic() - speech.sent_s
    legs_s = {**speech.legs_s, speech.rest: first_audio_s - sum(speech.legs_s.values())}
    num_bytes = 0
    with path.open("wb") as raw, wave.open(raw, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        for part in itertools.chain([first], speech.pcm):
            file.writeframes(part)  # rewrites the header, too
            num_bytes += len(part)
            wall_s = time.monotonic() - speech.sent_s
            audio_s = num_bytes / BYTES_PER_S
            whole_id = speech.whole_id or speech.session_id
            yield Spoken(speech.session_id, whole_id, legs_s, first_audio_s, audio_s, wall_s)
