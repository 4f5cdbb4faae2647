"""Models in folders: upstream's published layouts and our own, whole and damaged."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from chatterbox.models.s3gen.s3gen import S3Token2Wav
from safetensors.torch import load_file, save_file
from torch import nn

from app.engine.checkpoint.build_enrolment import build_voice_encoder
from app.engine.checkpoint.build_t3 import build_t3
from app.engine.checkpoint.build_vocoder import with_upstream_network
from app.engine.checkpoint.components import Component
from app.engine.checkpoint.find_model import EMBEDDED_FOLDER
from app.engine.checkpoint.local import FolderSource
from app.engine.checkpoint.model_files import PUBLISHED, find_folder
from app.errors import CheckpointError
from tests.support.engine.checkpoint.layouts import published
from tests.support.engine.checkpoint.tiny import CPU, F32, SPECS, TINY
from tests.support.engine.checkpoint.whole_s3gen import build_s3gen

pytestmark = pytest.mark.full  # seconds in all


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FolderSource]:
    return {
        model: published(tmp_path_factory.mktemp(model), model, spec)
        for model, spec in SPECS.items()
    }


@pytest.fixture
def english(folders: dict[str, FolderSource], tmp_path: Path) -> FolderSource:
    """A copy that the test may damage."""
    return moved(folders["english"], tmp_path)


def moved(source: FolderSource, folder: Path) -> FolderSource:
    files = source.files
    shutil.copytree(files.folder, folder, dirs_exist_ok=True)
    return FolderSource(replace(files, folder=folder, voice_files={"default": folder / "conds.pt"}))


def upstreams_load(source: FolderSource) -> dict[Component, nn.Module]:
    """Loads as upstream's three `from_local` do, into whole modules."""
    layout, spec = source.files.layout, source.files.spec

    def read(name: str) -> dict[str, torch.Tensor]:
        path = source.files.folder / name
        return torch.load(path, weights_only=True) if path.suffix == ".pt" else load_file(path)

    t3, voice_encoder = build_t3(spec.t3), build_voice_encoder(spec.voice_encoder_dim)
    s3gen: S3Token2Wav = build_s3gen(spec.s3gen)
    t3.load_state_dict(read(layout.t3))
    s3gen.load_state_dict(read(layout.s3gen))
    voice_encoder.load_state_dict(read(layout.voice_encoder))
    return {
        Component.T3: t3,
        Component.FLOW: s3gen.flow,
        Component.HIFT: s3gen.mel2wav,
        Component.SPEECH_TOKENIZER: s3gen.tokenizer,
        Component.SPEAKER_ENCODER: s3gen.speaker_encoder,
        Component.VOICE_ENCODER: voice_encoder,
    }


def run(component: Component, module: nn.Module) -> torch.Tensor:
    """A forward pass through all modules of the component."""
    torch.manual_seed(3)
    with torch.inference_mode():
        match component:
            case Component.T3:
                embeds = module.speech_emb(torch.arange(40)[None])
                hidden = module.tfmr(inputs_embeds=embeds)[0]
                speaker = module.cond_enc.spkr_enc(torch.randn(1, 256))
                return torch.cat([module.speech_head(hidden).flatten(), speaker.flatten()])
            case Component.FLOW:
                hidden, _ = module.encoder(
                    module.input_embedding(torch.arange(20)[None]), torch.tensor([20])
                )
                mu = module.encoder_proj(hidden).transpose(1, 2)
                one = torch.ones(1)
                return module.decoder.estimator(
                    mu, torch.ones(1, 1, 40), mu, one * 0.3, torch.randn(1, 80), mu, r=one * 0.6
                )
            case Component.HIFT:
                return module.inference(torch.randn(1, 80, 20))[0]
            case Component.SPEECH_TOKENIZER:
                return module([torch.randn(16000)])[0]
            case Component.SPEAKER_ENCODER:
                return module.inference(torch.randn(1, 16000))
            case Component.VOICE_ENCODER:
                return module(torch.rand(2, 160, 40))


@pytest.mark.parametrize("model", SPECS)
def test_loading_equals_upstreams_loading(model: str, folders: dict[str, FolderSource]) -> None:
    source = folders[model]
    for component, upstream in upstreams_load(source).items():
        ours = source.load(component, CPU, F32)
        expected = upstream.state_dict()
        for name, weight in ours.state_dict().items():
            if name in expected:
                assert torch.equal(weight, expected[name]), name
        if component is Component.FLOW:
            ours = with_upstream_network(ours, source.files.spec.s3gen)
        # A file's pages have other addresses, so a kernel may sum in another order.
        outputs = run(component, ours), run(component, upstream)
        torch.testing.assert_close(*outputs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("component", list(Component))
def test_a_loaded_module_is_frozen_and_in_eval_mode(
    component: Component, folders: dict[str, FolderSource]
) -> None:
    module = folders["english"].load(component, CPU, F32)
    assert not any(layer.training for layer in module.modules())
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_weights_are_cast_to_the_given_dtype(folders: dict[str, FolderSource]) -> None:
    source = folders["english"]
    t3 = source.load(Component.T3, CPU, torch.bfloat16)
    assert {parameter.dtype for parameter in t3.parameters()} == {torch.bfloat16}
    assert t3.tfmr.rotary_emb.inv_freq.dtype is torch.float32  # not a weight
    flow = source.load(Component.FLOW, CPU, torch.float16)
    assert flow.encoder.embed.pos_enc.pe.dtype is torch.float16
    encoder = source.load(Component.SPEAKER_ENCODER, CPU, torch.float16)
    assert encoder.head.bn1.num_batches_tracked.dtype is torch.int64


@pytest.mark.parametrize("model", SPECS)
def test_t3_is_loaded_without_the_weights_that_it_never_reads(
    model: str, folders: dict[str, FolderSource]
) -> None:
    t3 = folders[model].load(Component.T3, CPU, F32)
    assert not [key for key in t3.state_dict() if key.startswith(("text_head.", "tfmr.wte."))]


@pytest.mark.parametrize("model", SPECS)
def test_t3_weights_are_those_of_upstreams_module(
    model: str, folders: dict[str, FolderSource]
) -> None:
    for dtype in (F32, torch.bfloat16):
        ours = folders[model].t3_weights(CPU, dtype)
        theirs = folders[model].load(Component.T3, CPU, dtype).state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], weight) for name, weight in theirs.items())
        assert {weight.dtype for weight in ours.values()} == {dtype}
        assert not any(weight.requires_grad for weight in ours.values())


def test_a_damaged_t3_is_named_by_every_way_of_loading(english: FolderSource) -> None:
    path = english.files.folder / english.files.layout.t3
    state = load_file(path)
    state["speech_emb.weight"] = torch.zeros(3, 4)
    save_file(state, path)
    messages = []
    for load in (english.t3_weights, partial(english.load, Component.T3)):
        with pytest.raises(CheckpointError, match=r"speech_emb\.weight is \[3, 4\]") as caught:
            load(CPU, F32)
        messages.append(caught.value.message)
    assert messages[0] == messages[1]


@pytest.mark.parametrize("model", SPECS)
def test_a_whole_folder_verifies(model: str, folders: dict[str, FolderSource]) -> None:
    folders[model].verify()
    assert folders[model].files.voices() == ("default",)
    assert folders[model].conditionals("default").s3gen.prompt_mel.shape == (100, 80)


def test_an_english_file_without_the_derived_buffers_loads(english: FolderSource) -> None:
    """Upstream reads this file with strict=False because of them."""
    path = english.files.folder / english.files.layout.s3gen
    derived = ("tokenizer._mel_filters", "tokenizer.window")
    save_file({key: t for key, t in load_file(path).items() if key not in derived}, path)
    english.verify()
    ours = english.load(Component.SPEECH_TOKENIZER, CPU, F32)
    whole = build_s3gen(TINY.s3gen)
    whole.load_state_dict(load_file(path), strict=False)
    assert torch.equal(
        run(Component.SPEECH_TOKENIZER, ours), run(Component.SPEECH_TOKENIZER, whole.tokenizer)
    )


def test_a_voice_is_not_required(english: FolderSource) -> None:
    (english.files.folder / "conds.pt").unlink()
    source = FolderSource(replace(english.files, voice_files={}))
    source.verify()
    assert source.files.voices() == ()


@pytest.mark.parametrize("name", [n for n in PUBLISHED["english"].files if n != "conds.pt"])
def test_a_missing_file_is_named_with_its_folder(name: str, english: FolderSource) -> None:
    (english.files.folder / name).unlink()
    with pytest.raises(CheckpointError) as caught:
        english.verify()
    assert name in caught.value.message
    assert str(english.files.folder) in caught.value.message
    assert "model:" in caught.value.message


@pytest.mark.parametrize("model", SPECS)
def test_a_truncated_file_is_named(
    model: str, folders: dict[str, FolderSource], tmp_path: Path
) -> None:
    not_noticed = {"merges.txt"}  # a list of lines: the first lines of it are still such a list
    for name in set(PUBLISHED[model].files) - not_noticed:
        source = moved(folders[model], tmp_path / name)
        path = source.files.folder / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
        with pytest.raises(CheckpointError, match=name):
            source.verify()


def damaged(change: Callable[[dict[str, torch.Tensor]], None], source: FolderSource) -> str:
    path = source.files.folder / source.files.layout.s3gen
    state = load_file(path)
    change(state)
    save_file(state, path)
    with pytest.raises(CheckpointError) as caught:
        source.verify()
    assert str(path) in caught.value.message
    with pytest.raises(CheckpointError):
        source.load(Component.FLOW, CPU, F32)
    return caught.value.message


def test_a_wrong_shape_is_named(english: FolderSource) -> None:
    def shrink(state: dict[str, torch.Tensor]) -> None:
        state["flow.encoder_proj.weight"] = torch.zeros(80, 63)

    message = damaged(shrink, english)
    assert "encoder_proj.weight is [80, 63] where the model has [80, 64]" in message


def test_a_missing_tensor_is_named(english: FolderSource) -> None:
    def drop(state: dict[str, torch.Tensor]) -> None:
        del state["flow.encoder_proj.bias"]

    assert "encoder_proj.bias is missing" in damaged(drop, english)


def test_an_unknown_tensor_is_named(english: FolderSource) -> None:
    def add(state: dict[str, torch.Tensor]) -> None:
        state["flow.surprise"] = torch.zeros(1)

    assert "surprise is unknown" in damaged(add, english)


def test_another_model_is_refused_in_one_line(english: FolderSource) -> None:
    spec = TINY.model_copy(update={"t3": TINY.t3.model_copy(update={"num_layers": 3, "dim": 32})})
    with pytest.raises(CheckpointError, match=r"and \d+ more$") as caught:
        FolderSource(replace(english.files, spec=spec, voice_files={})).verify()
    assert len(caught.value.message) < 500


def test_a_conds_file_that_would_run_code_is_refused(english: FolderSource) -> None:
    torch.save({"t3": Path("/"), "gen": {}}, english.files.folder / "conds.pt")
    with pytest.raises(CheckpointError, match=r"conds\.pt"):
        english.verify()


def test_a_weights_file_that_would_run_code_is_refused(
    folders: dict[str, FolderSource], tmp_path: Path
) -> None:
    source = moved(folders["multilingual"], tmp_path)
    torch.save({"proj.weight": Path("/")}, source.files.folder / "ve.pt")
    with pytest.raises(CheckpointError, match=r"ve\.pt"):
        source.verify()


@pytest.mark.parametrize("model", SPECS)
def test_a_folder_is_opened_as_its_own_model(model: str, folders: dict[str, FolderSource]) -> None:
    assert find_folder(folders[model].files.folder).spec.name == model


def test_multilingual_v3_is_v2_with_another_t3(
    folders: dict[str, FolderSource], tmp_path: Path
) -> None:
    source = moved(folders["multilingual"], tmp_path)
    with pytest.raises(CheckpointError, match=r"t3_mtl23ls_v3\.safetensors missing"):
        replace(source, files=replace(source.files, layout=PUBLISHED["multilingual-v3"])).verify()
    (tmp_path / source.files.layout.t3).rename(tmp_path / "t3_mtl23ls_v3.safetensors")
    found = find_folder(tmp_path)
    assert found.spec.name == "multilingual-v3"
    FolderSource(replace(found, spec=source.files.spec)).verify()


def test_tiny_weights_in_a_published_layout_are_refused(
    folders: dict[str, FolderSource],
) -> None:
    with pytest.raises(CheckpointError, match="does not fit the model"):
        FolderSource(find_folder(folders["english"].files.folder)).verify()


def test_a_folder_with_two_models_is_refused(english: FolderSource) -> None:
    shutil.copy(
        english.files.folder / "t3_cfg.safetensors",
        english.files.folder / "t3_turbo_v1.safetensors",
    )
    with pytest.raises(CheckpointError, match=r"several models \(english, turbo\)"):
        find_folder(english.files.folder)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no model"):
        find_folder(tmp_path)


def test_our_own_layout_is_read_by_its_config(tmp_path: Path) -> None:
    shutil.copytree(EMBEDDED_FOLDER / "embedded-babble", tmp_path, dirs_exist_ok=True)
    config = tmp_path / "config.json"
    document = json.loads(config.read_text())
    document["s3gen"]["encoder"]["num_blocks"] += 1
    config.write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match=r"s3gen\.safetensors does not fit the model"):
        FolderSource(find_folder(tmp_path)).verify()
    document["s3gen"]["blocks"] = 3
    config.write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match=r"config\.json .*s3gen\.blocks"):
        find_folder(tmp_path)


def test_a_truncated_voice_of_our_own_layout_is_named(tmp_path: Path) -> None:
    shutil.copytree(EMBEDDED_FOLDER / "embedded-babble", tmp_path, dirs_exist_ok=True)
    voice = next((tmp_path / "voices").iterdir())
    voice.write_bytes(voice.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=voice.name):
        FolderSource(find_folder(tmp_path)).verify()
