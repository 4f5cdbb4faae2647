"""A process imports the modules of its own stage alone, so that a new replica is ready sooner.

Each case also opens its stage, on an embedded model, because late imports count as well. What one
case is spared, another case uses: that is the control of the test.
"""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.full
REPOSITORY = Path(__file__).parents[2]
OPEN = """
import deployments.{module}
from app.config import ServeArgs
from app.engine.stages.{module} import {stage}
{stage}.open(ServeArgs(model="{model}"), "cpu").close()
"""
UPSTREAM_T3 = ("chatterbox.models.t3", "chatterbox.models.tokenizers")
VOCODER = ("chatterbox.models.s3gen.flow", "chatterbox.models.s3gen.hifigan")
UPSTREAM_NETWORK = ("diffusers", "conformer", "chatterbox.models.s3gen.decoder")
WHOLE = ("chatterbox.tts", "perth.perth_net", "omegaconf", "scipy.signal", "torchaudio")
ENROLMENT = ("chatterbox.models.s3tokenizer", "chatterbox.models.voice_encoder")
LIBROSA = ("librosa", "numba", "onnx")
COMPILER = ("torch._dynamo", "sympy")
HUB = ("huggingface_hub",)
DECODERS = ("av", "soundfile")  # of recordings: they belong into a process of their own
CALLS = ("httpx",)  # of a language model
HTTP_APP = ("app.api.app", "app.text.plan", "markdown_it")
WORDS = ("icu4py.messageformat", "wetext")  # of spoken forms
EVERY_LARGE_ONE = (
    *UPSTREAM_T3,
    *VOCODER,
    *UPSTREAM_NETWORK,
    *WHOLE,
    *ENROLMENT,
    *LIBROSA,
    *COMPILER,
    *HUB,
    "transformers",
    *WORDS,
)


class Case(NamedTuple):
    script: str
    uses: tuple[str, ...]
    spared: tuple[str, ...]


CASES = {
    "t3": Case(
        OPEN.format(module="t3", stage="T3Stage", model="embedded"),
        uses=("torch", "tokenizers"),
        spared=(*EVERY_LARGE_ONE, *DECODERS),
    ),
    "turbo": Case(
        OPEN.format(module="t3", stage="T3Stage", model="embedded-turbo"),
        uses=("torch", "transformers"),  # its tokenizer
        spared=(*UPSTREAM_T3, *VOCODER, *UPSTREAM_NETWORK, *WHOLE, *ENROLMENT, *DECODERS),
    ),
    "vocoder": Case(
        OPEN.format(module="vocoder", stage="VocoderStage", model="embedded"),
        uses=("torch", *VOCODER),
        spared=(*(name for name in EVERY_LARGE_ONE if name not in VOCODER), *DECODERS),
    ),
    "enroller": Case(
        """
import deployments.enroller
import numpy as np
import torch
from app.engine.checkpoint.source import open_checkpoint
from app.engine.voices.enrolment import prepare
from app.engine.voices.reference_audio import ReferenceAudio
models = open_checkpoint("embedded").load_enrolment(torch.device("cpu"))
noise = np.random.default_rng(1).standard_normal(144_000).astype(np.float32) / 9
noise *= 0.02 + np.sin(np.arange(144_000) / 4000) ** 2  # syllables
prepare(ReferenceAudio(noise, 24_000, "noise"), models, "turbo", "noise")
""",
        uses=("torch", "torchaudio", *ENROLMENT),
        spared=(
            *(*LIBROSA, "scipy.signal", "transformers", *DECODERS),
            *(*UPSTREAM_T3, *VOCODER, *UPSTREAM_NETWORK, *COMPILER, *HUB),
        ),
    ),
    "application": Case(
        """
from app.config import ServeArgs
from deployments.app import assemble
assemble(ServeArgs(device="cpu"))
""",
        uses=("deployments.ingress",),
        spared=("torch", *EVERY_LARGE_ONE, *HTTP_APP, *CALLS, *DECODERS),
    ),
    "ingress": Case(
        """
from app.config import ServeArgs
from deployments import ingress
assert ingress.realtime_of(ServeArgs(), None) is None
import app.api.app
""",
        uses=("fastapi", *HTTP_APP),
        spared=("torch", *CALLS),
    ),
    "realtime": Case("import deployments.realtime", uses=CALLS, spared=("torch", *DECODERS)),
    "config check": Case(
        """
from pathlib import Path
from deployments.config_check import check_config, check_model
check_model(check_config(Path("serve_config.yaml")))
""",
        uses=("ray",),
        spared=("torch",),
    ),
    "decoder": Case(
        "import app.voices.decoder_process",
        uses=DECODERS,
        spared=("torch", "fastapi", "ray", *EVERY_LARGE_ONE),
    ),
    "all of upstream": Case(
        "import chatterbox",
        uses=tuple(name for name in EVERY_LARGE_ONE if name not in WORDS),
        spared=("ray",),
    ),
    "spoken forms": Case(
        """
from app.text.spoken.forms import replacements
replacements("5 km", "en")
replacements("2024-01-05", "ja")
""",
        uses=WORDS,
        spared=("torch", *(name for name in EVERY_LARGE_ONE if name not in WORDS)),
    ),
}


def loaded(script: str) -> set[str]:
    """The modules that a process has loaded after the script."""
    program = f"import sys\n{script}\nsys.stdout.write('LOADED ' + ' '.join(sys.modules))"
    command = [sys.executable, "-W", "ignore", "-c", program]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return set(ended.stdout.rpartition("LOADED ")[2].split())


@pytest.fixture(scope="module")
def processes() -> Iterator[dict[str, Future[set[str]]]]:
    """Two run at a time; each takes seconds."""
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(loaded, case.script) for name, case in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_process_imports_its_own_modules_alone(
    name: str, processes: dict[str, Future[set[str]]]
) -> None:
    modules = processes[name].result()
    assert not modules.intersection(CASES[name].spared)
    assert modules.issuperset(CASES[name].uses)


def test_what_one_process_is_spared_another_uses() -> None:
    used = {module for case in CASES.values() for module in case.uses}
    assert used.issuperset(module for case in CASES.values() for module in case.spared)
