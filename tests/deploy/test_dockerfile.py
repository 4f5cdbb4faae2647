"""The promises of the image, read from its Dockerfile: no test builds it."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "deploy" / "Dockerfile").read_text()


def instructions(text: str) -> list[tuple[str, str]]:
    """(name, arguments), with continued lines joined and without comments."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", lines)
    pairs = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(pair[0], pair[1]) for pair in pairs]


STEPS = instructions(TEXT)


def of(name: str) -> list[str]:
    return [arguments for step, arguments in STEPS if step == name]


def test_every_instruction_is_known():
    known = {
        *("FROM", "SHELL", "COPY", "RUN", "WORKDIR", "ENV", "USER", "VOLUME", "EXPOSE"),
        *("HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD"),
    }
    assert {name for name, _ in STEPS} <= known


def test_the_base_image_is_pinned():
    assert all(re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+-[\w.-]+", base) for base in of("FROM"))


def test_the_server_runs_as_an_ordinary_user():
    assert of("USER") == ["10001:10001"]
    last_run = max(index for index, (name, _) in enumerate(STEPS) if name == "RUN")
    assert last_run < [name for name, _ in STEPS].index("USER")


def test_the_lock_is_installed_with_its_hashes():
    (install,) = [run for run in of("RUN") if "requirements.lock" in run]
    assert "--require-hashes /tmp/requirements.lock" in install
    uv = re.search(r"UV_VERSION := (\S+)", (ROOT / "Makefile").read_text())
    assert uv is not None
    assert f"uv=={uv[1]}" in install
    nvidia = re.findall(r"^nvidia-cu\w+==", (ROOT / "requirements.lock").read_text(), re.M)
    assert nvidia, "torch's wheels bring CUDA"


def test_all_modules_have_bytecode_because_the_server_may_not_write_it():
    (install,) = [run for run in of("RUN") if "requirements.lock" in run]
    assert "uv pip sync --system --no-cache --compile-bytecode" in install
    (own,) = [run for run in of("RUN") if "--editable" in run]
    copied = {source for copy in of("COPY") for source in copy.split()[:-1]}
    assert "python -m compileall -q app deployments" in own
    assert {"app", "deployments"} <= copied


def test_no_package_index_is_named():
    assert not [run for run in of("RUN") if re.search(r"https?://|index-url|extra-index", run)]


def test_weights_voices_and_caches_are_on_volumes():
    (volumes,) = of("VOLUME")
    assert set(yaml.safe_load(volumes)) == {"/models", "/voices", "/cache"}
    (environment,) = of("ENV")
    assert "HF_HOME=/cache/" in environment
    assert "RAY_AUTH_MODE=token" in environment
    assert "RAY_worker_niceness=0" in environment


@pytest.mark.parametrize("name", ["HEALTHCHECK", "ENTRYPOINT", "STOPSIGNAL"])
def test_the_container_is_checked_started_and_stopped_by_one_instruction_each(name):
    assert len(of(name)) == 1


def test_the_files_of_the_program_are_in_the_image():
    copied = {source for copy in of("COPY") for source in copy.split()[:-1]}
    assert {"app", "deployments", "checkpoints", "serve_config.yaml"} <= copied
    assert all((ROOT / source).exists() for source in copied)
