"""Loads a model from the files of a folder, in any layout (model_files.py)."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from app.engine.checkpoint.components import Component, blueprint_of
from app.engine.checkpoint.model_files import ModelFolder
from app.engine.checkpoint.t3_tensors import t3_shapes, unread_by_t3
from app.engine.checkpoint.tokenizer import TextTokenizer, open_tokenizer
from app.engine.checkpoint.weights import (
    Outline,
    Section,
    TensorsOnDemand,
    check_module,
    check_tensors,
    load_module,
    load_tensors,
)
from app.engine.conditionals import Conditionals, load_conditionals, load_legacy_conds
from app.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class FolderSource:
    files: ModelFolder

    def load(
        self,
        component: Component,
        device: torch.device,
        dtype: torch.dtype,
        *,
        one_by_one: bool = False,
    ) -> nn.Module:
        blueprint, section = blueprint_of(component, self.files.spec), self._section(component)
        return load_module(blueprint, section, device, dtype, one_by_one=one_by_one)

    def t3_weights(
        self, device: torch.device, dtype: torch.dtype, *, on_demand: bool = False
    ) -> Mapping[str, Tensor]:
        load = TensorsOnDemand if on_demand else load_tensors
        return load(self._t3_outline(), self._section(Component.T3), device, dtype)

    def tokenizer(self) -> TextTokenizer:
        files = self.files
        return open_tokenizer(files.spec, files.folder, files.layout.text)

    def conditionals(self, voice: str) -> Conditionals:
        path = self.files.voice_files[voice]
        read = load_legacy_conds if path.suffix == ".pt" else load_conditionals
        return read(path, voice)

    def verify(self) -> None:
        folder, layout = self.files.folder, self.files.layout
        missing = [
            name for name in layout.files if name != layout.conds and not (folder / name).is_file()
        ]
        if missing:
            raise CheckpointError(
                f"{', '.join(missing)} missing: looked in {folder}. Set model: to a folder "
                f"with {', '.join(layout.files)}"
            )
        check_tensors(self._t3_outline(), self._section(Component.T3))
        for component in Component:
            if component is not Component.T3:
                check_module(blueprint_of(component, self.files.spec), self._section(component))
        self.tokenizer()
        for voice in self.files.voices():
            self.conditionals(voice)

    def _t3_outline(self) -> Outline:
        spec = self.files.spec.t3
        return Outline(t3_shapes(spec), unread_by_t3(spec))

    def _section(self, component: Component) -> Section:
        folder, layout = self.files.folder, self.files.layout
        if component is Component.T3:
            return Section(folder / layout.t3)
        if component is Component.VOICE_ENCODER:
            return Section(folder / layout.voice_encoder)
        return Section(folder / layout.s3gen, f"{component}.")
