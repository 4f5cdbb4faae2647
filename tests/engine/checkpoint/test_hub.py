"""Models from the hub, on a machine without a network, and the hub's refusals."""

from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from app.engine.checkpoint import hub
from app.engine.checkpoint.full_size import PUBLISHED_NAMES
from app.engine.checkpoint.model_files import PUBLISHED
from app.engine.checkpoint.source import open_checkpoint
from app.errors import CheckpointError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache on a machine that may not use the network."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("model", PUBLISHED_NAMES)
def test_without_a_network_the_error_names_the_files_and_the_remedy(
    model: str, cache: Path
) -> None:
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(model)
    message = caught.value.message
    repository, t3 = hub.REPOSITORIES[model], PUBLISHED[model].t3
    for part in (repository, hub.PINNED[repository], t3, "conds.pt", "model:", "HF_HUB_OFFLINE"):
        assert part in message


def test_a_given_revision_is_downloaded(cache: Path) -> None:
    with pytest.raises(CheckpointError, match="chatterbox at 1234abcd"):
        open_checkpoint("english", revision="1234abcd")


def test_a_cached_snapshot_needs_no_network(cache: Path) -> None:
    repository = hub.REPOSITORIES["turbo"]
    name = f"models--{repository.replace('/', '--')}"
    snapshot = cache / name / "snapshots" / hub.PINNED[repository]
    snapshot.mkdir(parents=True)
    assert hub.fetch("turbo", ("ve.safetensors",), None) == snapshot


def test_an_incomplete_snapshot_fails_to_verify(cache: Path) -> None:
    repository = hub.REPOSITORIES["english"]
    name = f"models--{repository.replace('/', '--')}"
    snapshot = cache / name / "snapshots" / hub.PINNED[repository]
    snapshot.mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"t3_cfg\.safetensors.*missing: looked in"):
        open_checkpoint("english").verify()


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        (huggingface_hub.errors.GatedRepoError, "HF_TOKEN"),
        (huggingface_hub.errors.RepositoryNotFoundError, "HF_TOKEN"),
        (huggingface_hub.errors.RevisionNotFoundError, "revision:"),
        (OSError, "disk full"),
    ],
)
def test_each_error_of_the_hub_names_the_setting_to_change(
    failure: type[Exception], advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        if failure is OSError:
            raise OSError("disk full")
        raise failure.__new__(failure)

    monkeypatch.setattr(hub, "snapshot_download", refuse)
    with pytest.raises(CheckpointError, match=advice):
        hub.fetch("turbo", ("ve.safetensors",), None)


def test_the_operators_token_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[str | None] = []

    def note(*_: object, token: str | None, **__: object) -> str:
        seen.append(token)
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", note)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.fetch("turbo", ("ve.safetensors",), None)
    assert seen == ["hf_secret"]
