import hashlib
import itertools

import pytest
import torch
from torch import Tensor, nn

from app.config import VocoderSettings
from app.engine.checkpoint.spec import S3GenSpec
from app.engine.s3gen import context
from app.engine.s3gen.build import build_vocoder_engine
from app.errors import ConfigError
from tests.support.engine.checkpoint.tiny import TINY_MEANFLOW, TINY_S3GEN
from tests.support.engine.s3gen.voicing import (
    CHUNKED,
    FULL,
    SETTINGS,
    begin,
    drain,
    engine_of,
    random_vocoder,
    say,
    speech,
)

pytestmark = pytest.mark.full  # seconds in all


def test_the_chunked_policy_is_refused_without_enough_memory(monkeypatch):
    monkeypatch.setattr(context, "free_bytes", lambda _: 100_000)
    with pytest.raises(ConfigError, match=r"vocoder.slots.*GB"):
        engine_of(TINY_MEANFLOW, CHUNKED)


def digest(module: nn.Module) -> str:
    """Covers every parameter, buffer and plain attribute of every submodule."""
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
def test_nothing_in_a_module_changes_after_load(spec: S3GenSpec):
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


def test_the_cost_of_a_window_is_bounded():
    prompt, left, longest = 25, 10, 24
    window = frames_per_call(SETTINGS, 200)
    assert max(window) <= 2 * (prompt + left + longest + 2)
    assert len(set(window[2 * 3 : -2])) == 1  # each cell costs the same once cells have grown
    assert max(frames_per_call(FULL, 200)) == 2 * (60 + 200)


def test_the_chunked_policy_computes_every_frame_once():
    prompt, num_steps = 25, 2
    assert sum(frames_per_call(CHUNKED, 200)) == num_steps * 2 * (prompt + 200)


def test_a_call_on_a_cpu_voices_at_most_two_of_the_longest_cells():
    settings = CHUNKED.model_copy(update={"max_rows": 8})
    engine = engine_of(TINY_MEANFLOW, settings)
    for n in range(5):
        begin(engine, f"{n}", n, 70)
    drain(engine)
    calls = [list(call) for _, call in itertools.groupby(engine.call_log, lambda c: c.started_s)]
    sizes = [[cell_call.cell.num_tokens for cell_call in call] for call in calls]
    assert sizes[0] == [12, 12, 12, 12]
    assert max(map(sum, sizes)) == 2 * max(settings.cells or ())
