"""The simplest server around upstream: one model object, one lock, one endpoint, whole files.

    python benchmarks/upstream_server.py --model embedded --port 8100 --max-tokens 100

compare.py measures this server as its baseline. Upstream's `generate` keeps the state of a call on
the model, so a lock admits one call at a time. A call cannot be stopped: a caller that leaves does
not end it. Weights, text ids and voice are those of our checkpoint. The modules for new voices are
loaded, too, as upstream's own loader does. `generate` has no parameter for the length, so this
server replaces upstream's limit of 1,000 tokens by `--max-tokens`. GET /generations/{id} returns
the start and the end of the work for a request.
"""

import argparse
import contextlib
import io
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, NamedTuple, Protocol

import soundfile
import torch
import uvicorn
from chatterbox import tts, tts_turbo
from chatterbox.models.s3gen.s3gen import S3Token2Wav
from chatterbox.models.t3.modules.cond_enc import T3Cond
from fastapi import FastAPI, Header, HTTPException, Response
from pydantic import BaseModel
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.engine.checkpoint.build_vocoder import trim_fade, with_upstream_network
from app.engine.checkpoint.source import Checkpoint, open_checkpoint
from app.engine.checkpoint.tokenizer import TextTokenizer
from benchmarks.measure import resolve_device

WAV_HEADER_BYTES = 44
FAMILIES = ("english", "turbo")


class UpstreamModel(Protocol):
    """ChatterboxTTS and ChatterboxTurboTTS."""

    sr: int

    def generate(self, text: str) -> Tensor:
        """(1, samples)"""
        ...


class Generation(NamedTuple):
    """Seconds on the machine's monotonic clock."""

    begun_s: float
    ended_s: float


class SpeechRequest(BaseModel):
    text: str


def build_app(model: UpstreamModel) -> FastAPI:
    app = FastAPI()
    lock = threading.Lock()
    generations: dict[str, Generation] = {}

    @app.post("/tts")
    def speak(request: SpeechRequest, x_request_id: Annotated[str, Header()] = "") -> Response:
        with lock:
            begun_s = time.monotonic()
            wave = model.generate(request.text)
            generations[x_request_id] = Generation(begun_s, time.monotonic())
        file = io.BytesIO()
        soundfile.write(file, wave[0].numpy(), model.sr, format="WAV", subtype="PCM_16")
        return Response(file.getvalue(), media_type="audio/wav")

    @app.get("/generations/{request_id}")
    def generation(request_id: str) -> dict[str, float]:
        if request_id not in generations:
            raise HTTPException(404, "this generation has not ended")
        return generations[request_id]._asdict()

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def load(checkpoint: Checkpoint, device: torch.device, max_tokens: int) -> UpstreamModel:
    """Upstream's model object. Raises ValueError for a family without a comparison."""
    spec = checkpoint.spec
    if spec.family not in FAMILIES:
        raise ValueError(f"{spec.name} is {spec.family}, not one of {', '.join(FAMILIES)}")
    models = checkpoint.load_enrolment(device)
    with torch.device("meta"):
        s3gen = S3Token2Wav(meanflow=spec.s3gen.meanflow)
    flow, s3gen.mel2wav = checkpoint.load_vocoder(device)
    s3gen.flow = with_upstream_network(flow, spec.s3gen)
    s3gen.tokenizer, s3gen.speaker_encoder = models.s3_tokenizer, models.speaker_encoder
    s3gen.trim_fade = trim_fade().to(device)
    # Upstream's default is ten steps; turbo's `generate` itself passes two.
    s3gen.inference = partial(s3gen.inference, n_cfm_timesteps=spec.s3gen.euler_steps)
    t3 = checkpoint.load_t3(device, torch.float32)
    voice = checkpoint.conditionals(checkpoint.voices()[0])
    cond = T3Cond(
        speaker_emb=voice.t3.speaker_emb[None],
        cond_prompt_speech_tokens=voice.t3.prompt_tokens[None],
        emotion_adv=spec.sampling.exaggeration * torch.ones(1, 1, 1),
    ).to(device=device)
    reference = {
        "prompt_token": voice.s3gen.prompt_tokens[None].to(device),
        "prompt_token_len": torch.tensor([len(voice.s3gen.prompt_tokens)], device=device),
        "prompt_feat": voice.s3gen.prompt_mel[None].to(device),
        "prompt_feat_len": None,
        "embedding": voice.s3gen.speaker_emb[None].to(device),
    }
    parts = (t3, s3gen.eval(), models.voice_encoder)
    model: UpstreamModel
    if spec.family == "turbo":
        turbo_ids = _TurboIds(checkpoint.tokenizer())
        conds = tts_turbo.Conditionals(cond, reference)
        model = tts_turbo.ChatterboxTurboTTS(*parts, turbo_ids, device, conds)
        t3.inference_turbo = _with_limit(
            t3.inference_turbo, "max_gen_len", max_tokens - 1
        )  # upstream does not count the first
    else:
        english_ids = _EnglishIds(checkpoint.tokenizer())
        conds = tts.Conditionals(cond, reference)
        model = tts.ChatterboxTTS(*parts, english_ids, device, conds)
        t3.inference = _with_limit(t3.inference, "max_new_tokens", max_tokens)
    return model


def _with_limit(inference: Callable[..., Tensor], limit: str, value: int) -> Callable[..., Tensor]:
    """The same call; its argument `limit` is always `value`."""

    def limited(**arguments: Any) -> Tensor:
        return inference(**{**arguments, limit: value})

    return limited


@dataclass(frozen=True, slots=True)
class _EnglishIds:
    """The part of a tokenizer that ChatterboxTTS uses."""

    tokenizer: TextTokenizer

    def text_to_tokens(self, text: str) -> Tensor:
        return torch.tensor([self.tokenizer.encode(text, None)], dtype=torch.int32)


@dataclass(frozen=True, slots=True)
class _TurboIds:
    """The part of a tokenizer that ChatterboxTurboTTS uses."""

    tokenizer: TextTokenizer

    def __call__(self, text: str, **_options: object) -> SimpleNamespace:
        return SimpleNamespace(input_ids=torch.tensor([self.tokenizer.encode(text, None)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded", help="as in serve_config.yaml")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--port", type=int, default=8100)
    parser.add_argument("--max-tokens", type=int, default=1000, help="tokens of one answer")
    options = parser.parse_args()
    device = torch.device(resolve_device(options.device))
    with contextlib.redirect_stdout(sys.stderr):  # upstream prints remarks
        model = load(open_checkpoint(options.model), device, options.max_tokens)
        uvicorn.run(build_app(model), port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
