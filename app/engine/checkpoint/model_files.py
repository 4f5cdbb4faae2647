"""The files of a model in a folder: upstream's published layouts and our own with `config.json`.

Has the file of each component. Imports no torch, because the application's builder asks here for
names alone. local.py loads. Knows nothing about the folder's origin: the hub, this repository or
the operator.
"""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from app.engine.checkpoint.full_size import FULL_SIZE
from app.engine.checkpoint.spec import Family, ModelSpec, read_spec
from app.engine.checkpoint.vocabulary import Readable, read_vocabulary_of
from app.errors import CheckpointError

CANGJIE_FILE = "Cangjie5_TC.json"
CONFIG_FILE = "config.json"
BUILTIN_VOICE = "default"  # the one voice of a conds.pt, which has no name
_SAMPLED_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Layout:
    """File names. `text[0]` is the vocabulary. `conds` is optional, as in upstream."""

    t3: str
    s3gen: str
    voice_encoder: str
    text: tuple[str, ...]
    conds: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        conds = () if self.conds is None else (self.conds,)
        return (self.t3, self.s3gen, self.voice_encoder, *self.text, *conds)


_MULTILINGUAL = Layout(
    t3="t3_mtl23ls_v2.safetensors",
    s3gen="s3gen.pt",
    voice_encoder="ve.pt",
    text=("grapheme_mtl_merged_expanded_v1.json", CANGJIE_FILE),
    conds="conds.pt",
)
_TURBO = Layout(
    t3="t3_turbo_v1.safetensors",
    s3gen="s3gen_meanflow.safetensors",
    voice_encoder="ve.safetensors",
    text=(
        "vocab.json",
        "merges.txt",
        "added_tokens.json",
        "special_tokens_map.json",
        "tokenizer_config.json",
    ),
    conds="conds.pt",
)
# By the name of the model. The loaders of upstream's master read the same files; those of the wheel
# 0.1.7 know neither multilingual-v3 nor nano. V3 has v2's S3Gen: upstream reads no s3gen_v3.pt.
PUBLISHED = {
    "english": Layout(
        t3="t3_cfg.safetensors",
        s3gen="s3gen.safetensors",
        voice_encoder="ve.safetensors",
        text=("tokenizer.json",),
        conds="conds.pt",
    ),
    "multilingual": _MULTILINGUAL,
    "multilingual-v3": replace(_MULTILINGUAL, t3="t3_mtl23ls_v3.safetensors"),
    "turbo": _TURBO,
    "nano": replace(_TURBO, t3="t3_nano_v1.safetensors"),
}
_OWN_TEXT: dict[Family, tuple[str, ...]] = {
    "english": ("tokenizer.json",),
    "multilingual": ("tokenizer.json",),
    "turbo": ("tokenizer.json", "tokenizer_config.json"),
}


def own_layout(family: Family) -> Layout:
    """The files beside `config.json`. The voices are the files of `voices/`."""
    return Layout("t3.safetensors", "s3gen.safetensors", "ve.safetensors", _OWN_TEXT[family])


@dataclass(frozen=True, slots=True)
class ModelFolder:
    folder: Path
    spec: ModelSpec
    layout: Layout
    voice_files: dict[str, Path]

    def voices(self) -> tuple[str, ...]:
        return tuple(self.voice_files)

    def readable(self) -> Readable:
        return read_vocabulary_of(self.folder, self.layout.text, self.spec.family)

    def enrolment_id(self) -> str:
        """A digest of each file's size, first and last megabyte. That tells two models apart
        without reading a gigabyte."""
        return f"{self.spec.family}-{self._digest(self.layout.s3gen, self.layout.voice_encoder)}"

    def t3_digest(self) -> str:
        """As in `enrolment_id`, of T3 and its vocabulary."""
        return self._digest(self.layout.t3, self.layout.text[0])

    def _digest(self, *names: str) -> str:
        digest = hashlib.sha256(self.spec.family.encode())
        for name in names:
            with (self.folder / name).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                for start in (0, max(0, size - _SAMPLED_BYTES)):
                    file.seek(start)
                    digest.update(file.read(_SAMPLED_BYTES))
            digest.update(str(size).encode())
        return digest.hexdigest()[:12]


def find_folder(folder: Path) -> ModelFolder:
    """The model in the folder, in any layout. Raises CheckpointError."""
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder. Set model: to a model's name or folder")
    if (folder / CONFIG_FILE).is_file():
        spec = read_spec(folder / CONFIG_FILE)
        voices = {path.stem: path for path in sorted((folder / "voices").glob("*.safetensors"))}
        return ModelFolder(folder, spec, own_layout(spec.family), voices)
    found = [name for name, layout in PUBLISHED.items() if (folder / layout.t3).is_file()]
    if len(found) == 1:
        return find_published(folder, found[0])
    names = ", ".join(layout.t3 for layout in PUBLISHED.values())
    holds = f"holds several models ({', '.join(found)})" if found else "holds no model"
    raise CheckpointError(
        f"{folder} {holds}: looked for {CONFIG_FILE}, {names}. Set model: to a folder with one"
    )


def find_published(folder: Path, name: str) -> ModelFolder:
    layout = PUBLISHED[name]
    conds = folder / "conds.pt"
    voices = {BUILTIN_VOICE: conds} if conds.is_file() else {}
    return ModelFolder(folder, FULL_SIZE[name], layout, voices)
