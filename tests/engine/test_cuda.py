"""On a GPU: captured graphs, a real shortage of memory, and two engines on one device."""

import asyncio
import gc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from chatterbox.models.t3.t3 import T3

from app.config import ServeArgs, VocoderSettings
from app.core import FinishReason, SamplingParams
from app.engine.checkpoint.source import open_checkpoint
from app.engine.s3gen.engine import VocoderEngine
from app.engine.s3gen.messages import SegmentAudio
from app.engine.synthesizer import LocalSynthesizer
from app.engine.t3.engine import TokenEngine
from app.engine.t3.model import T3Model
from app.engine.t3.noise import exponential, stream_start
from app.engine.t3.sequence import SequenceRequest
from app.t3_settings import T3Settings
from app.text.segments import segment
from tests.support.engine.checkpoint.tiny import TINY_MEANFLOW
from tests.support.engine.s3gen.voicing import (
    EVERY_POLICY,
    begin,
    drain,
    engine_of,
    far,
    joined,
    say,
    session,
    speech,
)
from tests.support.engine.speaking import request_of
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import SPECS, request, run_all
from tests.support.engine.t3.upstream_loops import upstream_llama, upstream_turbo

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    pytest.mark.filterwarnings(r"ignore:.*torch.backends.cuda.sdp_kernel\(\).*:FutureWarning"),
]
CUDA = torch.device("cuda")
LONG = "It goes on. " * 30
MIX = [
    SamplingParams(max_tokens=60, seed=1),
    SamplingParams(max_tokens=30, seed=2, top_p=0.8),
    SamplingParams(max_tokens=45, seed=3, cfg_weight=0.0, temperature=1.2),
    SamplingParams(max_tokens=20, seed=4, top_k=50),
    SamplingParams(max_tokens=60, seed=5, repetition_penalty=2.0),
]


def t3_on(device: torch.device, family: str) -> T3Model:
    return models.our_t3(models.upstream_t3(SPECS[family]), SPECS[family], device)


# -- T3 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", SPECS)
def test_graphs_the_plain_runner_and_a_cpu_give_the_same_tokens(family):
    messages = [request(n, sampling, voice=n + 1) for n, sampling in enumerate(MIX)]
    heard = [
        run_all(TokenEngine(t3_on(device, family), models.settings(slots=4), fast=fast), messages)
        for device, fast in ((CUDA, True), (CUDA, False), (models.CPU, False))
    ]
    assert heard[0].ids == heard[1].ids == heard[2].ids
    assert heard[0].finish == heard[1].finish == heard[2].finish


@pytest.mark.parametrize(
    ("name", "theirs"), [("random-english", upstream_llama), ("random-turbo", upstream_turbo)]
)
def test_full_size_weights_give_the_tokens_of_upstreams_loop(name, theirs, monkeypatch):
    """In float32, with our noise in the place of torch.multinomial."""
    checkpoint = open_checkpoint(name)
    t3 = checkpoint.load_t3(CUDA, torch.float32)
    sampling = replace(checkpoint.spec.sampling, max_tokens=100, seed=3)
    voice, text = checkpoint.conditionals(checkpoint.voices()[0]).t3, tuple(range(1, 41))
    start = torch.tensor([stream_start(sampling.seed, 0)], device=CUDA)
    steps = iter(range(1000))

    def multinomial(probabilities: torch.Tensor, num_samples: int) -> torch.Tensor:
        step = torch.tensor([next(steps)], device=CUDA)
        noise = exponential(start, step, probabilities.shape[-1])
        return (probabilities / noise).argmax(dim=-1, keepdim=True)

    with monkeypatch.context() as patched, torch.device(CUDA):
        patched.setattr(torch, "multinomial", multinomial)
        expected = _spoken_by_upstream(theirs, t3, voice, text, sampling)
    engine = TokenEngine.from_weights(t3.state_dict(), checkpoint.spec, T3Settings(slots=4))
    message = SequenceRequest(models.session("a"), 0, text, voice, sampling)
    said = run_all(engine, [message]).ids[message.key, 0]
    tail = checkpoint.spec.tail_tokens
    said = said[: len(said) - len(tail)] if said[-len(tail) :] == list(tail) else said
    assert len(expected) > 90
    assert said[: len(expected)] == expected[: len(said)]


def _spoken_by_upstream(
    theirs: Callable[..., list[int]], t3: T3, voice, text, sampling
) -> list[int]:
    on_gpu = replace(
        voice, speaker_emb=voice.speaker_emb.to(CUDA), prompt_tokens=voice.prompt_tokens.to(CUDA)
    )
    stop = t3.hp.stop_speech_token
    return [token for token in theirs(t3, on_gpu, text, sampling) if token != stop]


# -- the vocoder ---------------------------------------------------------------------------------


@EVERY_POLICY
def test_the_sound_equals_a_cpus(spec, settings):
    ids = speech(1, 90)
    waves = [
        joined(say(engine_of(spec, settings, device=device), "a", 1, ids, [4] * 20))
        for device in (CUDA, models.CPU)
    ]
    assert far(*waves) <= 1e-3


def test_cells_that_do_not_fit_together_are_voiced_in_parts(caplog):
    """The device's real allocator refuses. The sound is as without a shortage."""
    chosen = VocoderSettings(policy="chunked", cells=(13, 52, 208, 240), max_rows=8, slots=8)
    engine = engine_of(TINY_MEANFLOW, chosen, device=CUDA)
    names = [str(n) for n in range(8)]
    _voiced(engine, names)  # kernels are loaded, voices computed
    _, peak_alone = _voiced(engine, names[:1])
    together, peak_together = _voiced(engine, names)
    assert peak_together > peak_alone + 8 * 2**20
    _, total = torch.cuda.mem_get_info()
    try:
        torch.cuda.set_per_process_memory_fraction((peak_alone + peak_together) / 2 / total)
        short, _ = _voiced(engine, names)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    for name in names:
        assert short[name][-1].finish is FinishReason.STOP
        assert far(joined(short[name]), joined(together[name])) <= 1e-3
    assert "does not fit in memory" in caplog.text


def _voiced(engine: VocoderEngine, names: list[str]) -> tuple[dict[str, list[SegmentAudio]], int]:
    """The items of each session, and the most bytes that were reserved meanwhile."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    for number, name in enumerate(names):
        begin(engine, name, number, 300)
    items = drain(engine)
    heard = {name: [item for item in items if item.key == session(name)] for name in names}
    return heard, torch.cuda.max_memory_reserved()


# -- both on one device --------------------------------------------------------------------------


async def test_a_cancel_frees_memory_of_both_engines_on_one_device():
    """Each engine has a stream of its own. A cancelled session is gone within half a second."""
    args = ServeArgs(
        model="embedded-turbo",
        device="cuda",
        t3=T3Settings(slots=8),
        vocoder=VocoderSettings(slots=8),
    )
    synthesizer = LocalSynthesizer.open(args)
    try:
        alone = await _spoken(synthesizer, "alone", "It is a fine day.")
        await _spoken(synthesizer, "warm", "It is a fine day. " * 20, stop_after=3)
        await asyncio.sleep(0.5)
        before = torch.cuda.memory_allocated()
        spoken = await asyncio.gather(
            *(_spoken(synthesizer, f"left-{n}", LONG, stop_after=2) for n in range(4)),
            *(_spoken(synthesizer, f"heard-{n}", "It is a fine day.") for n in range(4)),
        )
        await asyncio.sleep(0.5)
        assert torch.cuda.memory_allocated() <= before + 2**20
        for heard in spoken[4:]:
            assert far(heard, alone) <= 0.02
    finally:
        synthesizer.close()


async def _spoken(
    synthesizer: LocalSynthesizer, name: str, text: str, stop_after: int | None = None
) -> np.ndarray:
    segments = segment(text, max_chars=synthesizer.card().max_segment_chars)
    wanted = request_of(synthesizer, name, text=segments, seed=5)
    parts = []
    async for chunk in synthesizer.speak(wanted):
        parts.append(chunk.pcm)
        if len(parts) == stop_after:
            await synthesizer.cancel(wanted.key)
    return np.concatenate(parts)
