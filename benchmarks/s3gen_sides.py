"""The two sides of the vocoder benchmark: upstream's call and our engine. Both make audio from the
same tokens with the same voice and weights.

Knows nothing about rounds or ratios.
"""

import contextlib
import io
import time
from dataclasses import dataclass
from typing import NamedTuple

import torch
from chatterbox.models.s3gen.s3gen import S3Token2Wav
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from app.config import VocoderSettings
from app.core import NUM_SPEECH_IDS, SAMPLE_RATE, FinishReason, SessionKey, SpeechTokens
from app.engine.checkpoint.build_vocoder import trim_fade, with_upstream_network
from app.engine.checkpoint.components import Vocoder
from app.engine.checkpoint.source import Checkpoint
from app.engine.checkpoint.spec import ModelSpec
from app.engine.conditionals import S3GenConditionals
from app.engine.s3gen.context import max_call_tokens, max_rows
from app.engine.s3gen.decoder import Decoder
from app.engine.s3gen.engine import VocoderEngine
from app.engine.s3gen.messages import OpenSegment
from app.engine.watermark import Watermark, WatermarkState
from benchmarks.measure import clock

_SLOTS = 64  # further streams wait for a slot


@dataclass(frozen=True, slots=True)
class Subject:
    spec: ModelSpec
    checkpoint: Checkpoint
    voice: S3GenConditionals
    device: torch.device

    def tokens(self, seed: int, count: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(NUM_SPEECH_IDS, (count,), generator=generator)

    def vocoder(self) -> Vocoder:
        return self.checkpoint.load_vocoder(self.device)

    def flops_of_upstream(self, num_tokens: int) -> float:
        """Of one call. They are a polynomial of degree two in the number of tokens, so three short
        calls determine it."""
        upstream, counted = Upstream(self), []
        known = torch.tensor([10.0, 30.0, 50.0], dtype=torch.float64)
        for count in known.int().tolist():
            with FlopCounterMode(display=False) as counter:
                upstream.speak(self.tokens(0, count))
            counted.append(float(counter.get_total_flops()))
        powers = torch.stack([known**0, known, known**2], 1)
        fit = torch.linalg.solve(powers, torch.tensor(counted, dtype=torch.float64))
        return float(fit @ fit.new_tensor([1.0, num_tokens, num_tokens**2]))


def load(checkpoint: Checkpoint, device: torch.device) -> Subject:
    voice = checkpoint.conditionals(checkpoint.voices()[0]).s3gen
    return Subject(checkpoint.spec, checkpoint, voice, device)


class Upstream:
    """S3Token2Wav.inference."""

    def __init__(self, subject: Subject) -> None:
        spec, vocoder = subject.spec.s3gen, subject.vocoder()
        self._num_steps = spec.euler_steps
        self._device = subject.device
        with torch.device("meta"):  # most modules belong to enrolment
            self._net = S3Token2Wav(meanflow=spec.meanflow)
        self._net.flow = with_upstream_network(vocoder.flow, spec)
        self._net.mel2wav = vocoder.mel2wav
        self._net.trim_fade = trim_fade().to(subject.device)
        self._net.speaker_encoder = nn.Identity()
        self._net.tokenizer = nn.Linear(
            1, 1, device=subject.device
        )  # upstream reads the device from it
        self._net.eval()
        self._voice = subject.voice

    def speak(self, tokens: Tensor) -> Tensor:
        """(N,) -> (1, 960 N)"""
        voice = self._voice
        reference = {  # upstream writes to it
            "prompt_token": voice.prompt_tokens[None].clone(),
            "prompt_token_len": torch.tensor([len(voice.prompt_tokens)]),
            "prompt_feat": voice.prompt_mel[None].clone(),
            "prompt_feat_len": None,
            "embedding": voice.speaker_emb[None].clone(),
        }
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            wave, _ = self._net.inference(
                tokens[None].to(self._device), ref_dict=reference, n_cfm_timesteps=self._num_steps
            )
        sound: Tensor = wave
        return sound


class Timing(NamedTuple):
    """Seconds from the moment when all tokens are known, for the last of the streams."""

    first_sound_s: float
    first_second_s: float
    total_s: float


class Engine:
    """Our engine, without the watermark."""

    def __init__(
        self, subject: Subject, policy: str, most_rows: int | None = None, dtype: str = "float32"
    ) -> None:
        self._subject = subject
        values = {"policy": policy, "slots": _SLOTS, "max_rows": most_rows, "dtype": dtype}
        settings = VocoderSettings.model_validate(values)
        decoder = Decoder(
            subject.vocoder(), settings, subject.spec.s3gen.euler_steps, _Unmarked(subject.device)
        )
        rows = max_rows(settings, subject.device)
        most = max_call_tokens(settings, subject.device)
        self._engine = VocoderEngine(
            decoder, _SLOTS, time.monotonic, max_rows=rows, max_call_tokens=most
        )
        self._num_runs = 0

    def speak(self, num_streams: int, num_tokens: int) -> Timing:
        self._num_runs += 1
        subject, engine = self._subject, self._engine
        samples: dict[SessionKey, int] = {}
        for stream in range(num_streams):
            key = SessionKey("benchmark", f"{self._num_runs}-{stream}")
            samples[key] = 0
            engine.receive(OpenSegment(key, 0, "voice", subject.voice, stream, fade_in=True))
            ids = tuple(subject.tokens(stream, num_tokens).tolist())
            engine.receive(SpeechTokens(key, 0, 0, ids, FinishReason.STOP))
        started = clock(subject.device)
        first_sound_s = first_second_s = None
        while engine.has_work():
            for item in engine.step():
                samples[item.key] += len(item.pcm)
            least = min(samples.values())
            if first_sound_s is None and least:
                first_sound_s = time.perf_counter() - started
            if first_second_s is None and least >= SAMPLE_RATE:
                first_second_s = time.perf_counter() - started
        total_s = clock(subject.device) - started
        return Timing(first_sound_s or total_s, first_second_s or total_s, total_s)


class _Unmarked:
    def __init__(self, device: torch.device) -> None:
        self._device = device

    def start(self) -> WatermarkState:
        return WatermarkState.start(self._device)

    def mark(
        self, state: WatermarkState, samples: Tensor, is_last: bool
    ) -> tuple[WatermarkState, Tensor]:
        return state, samples


def watermark_s(device: torch.device) -> float:
    """Seconds per second of audio, in calls of one second."""
    watermark, wave = Watermark(device), torch.randn(SAMPLE_RATE, device=device) * 0.1
    state, _ = watermark.mark(watermark.start(), wave, is_last=False)
    seconds = []
    for _ in range(5):
        started = clock(device)
        state, _ = watermark.mark(state, wave, is_last=False)
        seconds.append(clock(device) - started)
    return sorted(seconds)[2]
