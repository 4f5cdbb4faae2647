"""Loads tensors from a file into a module that was built without memory.

A module is built without initialised weights and moved to the meta device. Then it takes over the
file's tensors one by one, on their device and in their precision, so there is never a second copy
of the weights. A float32 safetensors file on the CPU is not copied at all: its pages are the
weights. Knows nothing about models.
"""

import pickle
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from app.engine.checkpoint.blueprint import Blueprint, Undrawn, without_unread
from app.errors import CheckpointError

_PICKLED = ".pt"
_MAX_NAMED = 3  # wrong keys that an error names


class Section(NamedTuple):
    """The tensors of one module: those in `path` whose keys start with `prefix`."""

    path: Path
    prefix: str = ""


class Outline(NamedTuple):
    """The tensors that a section must have. `unread` names modules whose tensors are ignored;
    `optional` tensors may be missing."""

    shapes: Mapping[str, tuple[int, ...]]
    unread: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()


class TensorFile(Protocol):
    def shapes(self) -> Mapping[str, tuple[int, ...]]: ...

    def tensor(self, key: str) -> Tensor: ...


def load_module(
    blueprint: Blueprint,
    section: Section,
    device: torch.device,
    dtype: torch.dtype,
    *,
    one_by_one: bool = False,
) -> nn.Module:
    """Integer tensors keep their type. No parameter requires a gradient. `one_by_one`: the memory
    of a tensor falls free when the module drops it, though others of its file are kept. A pickled
    file is read at once in any case. Raises CheckpointError."""
    module = _on_meta(blueprint)
    load = TensorsOnDemand if one_by_one and section.path.suffix != _PICKLED else load_tensors
    state = dict(load(_outline(module, blueprint), section, device, dtype))
    module.load_state_dict(state, strict=False, assign=True)
    blueprint.derive(module, device, dtype)
    _refuse_meta(module)
    return module.requires_grad_(requires_grad=False)


def check_module(blueprint: Blueprint, section: Section) -> None:
    """Raises as `load_module` does, without reading a weight."""
    check_tensors(_outline(_on_meta(blueprint), blueprint), section)


def load_tensors(
    outline: Outline, section: Section, device: torch.device, dtype: torch.dtype
) -> dict[str, Tensor]:
    """By name, without the section's prefix. Integer tensors keep their type. Raises
    CheckpointError."""
    with reading(section.path), _open(section.path, device) as file:
        keys = _matching_keys(outline, file, section)
        return {key: _cast(file.tensor(section.prefix + key), device, dtype) for key in keys}


class TensorsOnDemand(Mapping[str, Tensor]):
    """As `load_tensors`, but each look-up reads its tensor anew: it is in memory as long as the
    caller keeps it."""

    def __init__(
        self, outline: Outline, section: Section, device: torch.device, dtype: torch.dtype
    ) -> None:
        """Raises CheckpointError, as a look-up may."""
        with reading(section.path), _open(section.path, device) as file:
            self._keys = dict.fromkeys(_matching_keys(outline, file, section))
        self._section = section
        self._device = device
        self._dtype = dtype

    def __getitem__(self, key: str) -> Tensor:
        path, prefix = self._section
        if key not in self._keys:
            raise KeyError(key)
        # Opened anew: the pages of a file stay in memory until the last tensor of it is gone.
        with reading(path), _open(path, self._device) as file:
            return _cast(file.tensor(prefix + key), self._device, self._dtype)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def check_tensors(outline: Outline, section: Section) -> None:
    """Raises as `load_tensors` does, without reading a weight."""
    with reading(section.path), _open(section.path, torch.device("cpu")) as file:
        _matching_keys(outline, file, section)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns the errors of a bad file into a CheckpointError that names it."""
    try:
        yield
    except FileNotFoundError as error:
        raise CheckpointError(f"{path.name} is missing: looked in {path.parent}") from error
    except (SafetensorError, pickle.UnpicklingError, EOFError, OSError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} cannot be read; it may be a truncated download, so download it again: "
            f"{str(error).splitlines()[0]}"
        ) from error


class _Safetensors:
    def __init__(self, path: Path, device: torch.device) -> None:
        self._file: Any = safe_open(path, framework="pt", device=str(device))

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        keys: list[str] = self._file.keys()
        return {key: tuple(self._file.get_slice(key).get_shape()) for key in keys}

    def tensor(self, key: str) -> Tensor:
        tensor: Tensor = self._file.get_tensor(key)
        return tensor


class _Pickled:
    def __init__(self, path: Path) -> None:
        self._tensors: Mapping[str, Tensor] = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {key: tuple(tensor.shape) for key, tensor in self._tensors.items()}

    def tensor(self, key: str) -> Tensor:
        return self._tensors[key]


@contextmanager
def _open(path: Path, device: torch.device) -> Iterator[TensorFile]:
    """Tensors stay valid after the file is closed."""
    yield _Pickled(path) if path.suffix == _PICKLED else _Safetensors(path, device)


def _on_meta(blueprint: Blueprint) -> nn.Module:
    """On the meta device, so that a tensor that the file does not fill is found."""
    with Undrawn():
        module = blueprint.build()
    return without_unread(blueprint, module.to("meta"))


def _outline(module: nn.Module, blueprint: Blueprint) -> Outline:
    shapes = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    return Outline(shapes, blueprint.unread, blueprint.optional)


def _matching_keys(outline: Outline, file: TensorFile, section: Section) -> list[str]:
    """The outline's keys in the file. Raises CheckpointError unless keys and shapes match."""
    unread = tuple(f"{name}." for name in outline.unread)
    found = {
        key.removeprefix(section.prefix): shape
        for key, shape in file.shapes().items()
        if key.startswith(section.prefix)
        and not key.removeprefix(section.prefix).startswith(unread)
    }
    expected = outline.shapes
    wrong = [
        *(f"{key} is missing" for key in sorted(expected.keys() - found.keys() - outline.optional)),
        *(f"{key} is unknown" for key in sorted(found.keys() - expected.keys())),
        *(
            f"{key} is {list(found[key])} where the model has {list(shape)}"
            for key, shape in expected.items()
            if key in found and found[key] != shape
        ),
    ]
    if wrong:
        more = f" and {len(wrong) - _MAX_NAMED} more" if len(wrong) > _MAX_NAMED else ""
        part = f" (under {section.prefix!r})" if section.prefix else ""
        raise CheckpointError(
            f"{section.path} does not fit the model{part}: {'; '.join(wrong[:_MAX_NAMED])}{more}"
        )
    return [key for key in expected if key in found]


def _cast(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    return tensor.to(device, dtype) if tensor.is_floating_point() else tensor.to(device)


def _refuse_meta(module: nn.Module) -> None:
    """Raises at load for a tensor without values, which would fail the first request."""
    for name, part in module.named_modules():
        own = {**vars(part), **part._parameters, **part._buffers}
        for key, value in own.items():
            if isinstance(value, Tensor) and value.is_meta:
                raise AssertionError(f"{type(module).__name__}.{name}.{key} was never filled")
