import hashlib
import itertools

import pytest
import torch
from torch import Tensor, nn

from app.config import VocoderSettings
from app.engine.checkpoint.spec import S3GenSpec
from app.engine.s3gen import context
from app.engine.s3gen.engine import build_vocoder_engine
from app.errors import ConfigError
from tests.support.engine.checkpoint.tiny import TINY_MEANFLOW, TINY_S3GEN
from tests.support.engine.s3gen.voicing import (
    SETTINGS,
    drain,
    engine_of,
    opening,
    pushes,
    random_vocoder,
    say,
    speech,
)

FULL = SETTINGS.model_copy(update={"policy": "full"})


def test_half_precision_is_not_offered():
    settings = SETTINGS.model_copy(update={"dtype": "bfloat16"})
    with pytest.raises(ConfigError, match="dtype"):
        engine_of(TINY_MEANFLOW, settings)


def test_chunked_is_refused_where_its_memory_is_not_there(monkeypatch):
    settings = SETTINGS.model_copy(update={"policy": "chunked"})
    monkeypatch.setattr(context, "free_bytes", lambda _: 100_000)
    with pytest.raises(ConfigError, match=r"vocoder.slots.*GB"):
        engine_of(TINY_MEANFLOW, settings)


def digest(module: nn.Module) -> str:
    """Of every parameter, buffer and plain attribute of every part."""
    found = hashlib.sha256()
    for name, part in module.named_modules():
        for attribute, value in sorted(vars(part).items()):
            if attribute in ("_parameters", "_buffers"):
                tensors = sorted(value.items())
            elif attribute == "_modules":
                continue
            else:
                tensors = [(attribute, value)]
            for key, entry in tensors:
                content = (
                    entry.detach().numpy().tobytes()
                    if isinstance(entry, Tensor)
                    else repr(entry).encode()
                )
                found.update(f"{name}.{attribute}.{key}".encode() + content)
    return found.hexdigest()


@pytest.mark.parametrize("spec", [TINY_S3GEN, TINY_MEANFLOW], ids=["standard", "meanflow"])
def test_nothing_on_a_module_changes_after_load(spec: S3GenSpec):
    vocoder = random_vocoder(spec)
    engine = build_vocoder_engine(vocoder, SETTINGS, spec.euler_steps)
    before = digest(vocoder.flow), digest(vocoder.mel2wav)
    for n in range(3):
        say(engine, f"{n}", n, speech(n, 50))
    assert (digest(vocoder.flow), digest(vocoder.mel2wav)) == before
    vocoder.flow.encoder.embed.pos_enc.pe = torch.zeros(1)
    assert digest(vocoder.flow) != before[0]


def frames_per_call(settings: VocoderSettings, num_tokens: int) -> list[int]:
    vocoder = random_vocoder(TINY_MEANFLOW)
    engine = build_vocoder_engine(vocoder, settings, 2)
    frames: list[int] = []
    vocoder.flow.decoder.estimator.final_proj.register_forward_hook(
        lambda _, inputs, __: frames.append(inputs[0].shape[2])
    )
    say(engine, "a", 1, speech(1, num_tokens))
    return frames


def test_a_windows_cost_is_bounded_and_full_context_grows():
    prompt, left, longest = 25, 10, 24
    window = frames_per_call(SETTINGS, 200)
    assert max(window) <= 2 * (prompt + left + longest + 2)
    assert len(set(window[2 * 3 : -2])) == 1  # once cells have grown, each costs the same
    assert max(frames_per_call(FULL, 200)) == 2 * (60 + 200)


def test_chunked_computes_every_frame_once():
    settings = SETTINGS.model_copy(update={"policy": "chunked"})
    prompt, num_steps = 25, 2
    assert sum(frames_per_call(settings, 200)) == num_steps * 2 * (prompt + 200)


def test_a_cpu_voices_short_cells_together_and_no_more_tokens_at_once_than_two_of_the_longest():
    settings = SETTINGS.model_copy(update={"policy": "chunked", "max_rows": 8})
    engine = engine_of(TINY_MEANFLOW, settings)
    for n in range(5):
        engine.receive(opening(f"{n}", n))
        for push in pushes(f"{n}", speech(n, 70)):
            engine.receive(push)
    drain(engine)
    calls = [list(calls) for _, calls in itertools.groupby(engine.call_log, lambda c: c.started_s)]
    sizes = [[call.cell.end - call.cell.start for call in one] for one in calls]
    assert sizes[0] == [12, 12, 12, 12]
    assert max(map(sum, sizes)) == 2 * settings.max_cell
