"""A process imports the modules of its own stage alone, so that a new replica is ready sooner.

Each case also opens its stage, on the embedded turbo model, because late imports count as well.
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
from app.config import ServeArgs
from app.engine.stages.{module} import {stage}
{stage}.open(ServeArgs(model="embedded-turbo"), "cpu").close()
"""
TEXT = ("transformers", "chatterbox.models.t3")
WHOLE = ("chatterbox.tts", "perth.perth_net")
COMPILER = ("torch._dynamo", "sympy")


class Case(NamedTuple):
    script: str
    uses: tuple[str, ...]  # the control: modules of this kind are seen where they are imported
    spared: tuple[str, ...]


CASES = {
    "t3": Case(
        "import deployments.t3" + OPEN.format(module="t3", stage="T3Stage"),
        uses=TEXT,
        spared=(*WHOLE, "librosa", "diffusers", "scipy", "chatterbox.models.s3gen.flow"),
    ),
    "vocoder": Case(
        "import deployments.vocoder" + OPEN.format(module="vocoder", stage="VocoderStage"),
        uses=("diffusers", "scipy.signal", "chatterbox.models.s3gen.flow"),
        spared=(*WHOLE, *TEXT, *COMPILER, "librosa", "chatterbox.models.s3tokenizer"),
    ),
    "application": Case(
        """
from app.config import ServeArgs
from deployments.app import assemble
assemble(ServeArgs(device="cpu"))
""",
        uses=("torch",),
        spared=(*WHOLE, *TEXT, *COMPILER, "librosa", "diffusers", "scipy.signal"),
    ),
    "ingress": Case("import deployments.ingress", uses=("fastapi",), spared=("torch",)),
    "config check": Case(
        """
from pathlib import Path
from deployments.config_check import check_config, check_model
check_model(check_config(Path("serve_config.yaml")))
""",
        uses=("ray",),
        spared=("torch",),
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
