"""Imports a submodule of upstream without the `__init__` of its packages.

`chatterbox/__init__.py` imports every model, their watermarker and librosa, which takes some 25 s
(2026-11). The `__init__` of its `s3gen` imports what only enrolment needs. A replica uses one stage
of all this. So both packages are put into sys.modules without running their `__init__`. It runs
when a name is read from the package (`from chatterbox import ChatterboxTTS`). A package that is
loaded already stays as it is. Knows nothing about the modules that are imported.
"""

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PACKAGES = ("chatterbox", "chatterbox.models.s3gen")


def import_by_submodule(packages: tuple[str, ...] = PACKAGES) -> None:
    """The outermost package first."""
    for name in packages:
        if name not in sys.modules:
            _run_init_when_asked(name)


@contextmanager
def without_init(*packages: str) -> Iterator[None]:
    """Within the block, modules of these packages (the outermost first) are imported without the
    packages' `__init__`. After the block they are forgotten again, and a later import gets the
    whole packages. Packages that are loaded already are used as they are. Not for two threads at
    once."""
    if packages[0] in sys.modules:
        yield
        return
    for name in packages:
        _add_to_sys_modules(name)
    try:
        yield
    finally:
        for name in [*sys.modules]:
            if f"{name}.".startswith(f"{packages[0]}."):
                del sys.modules[name]


@contextmanager
def without_modules(*modules: str) -> Iterator[None]:
    """Within the block, importing one of these modules fails, so that a library takes its way
    without them. A module that is loaded already stays usable. Not for two threads at once."""
    absent = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type] # None makes an import fail
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


@contextmanager
def with_stand_ins(*packages: str, names: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Within the block, these packages are not imported: every name that is read from them is a
    stand-in. The stand-ins may be named, called and inherited from within the block alone; after
    it, an attribute or a call raises RuntimeError. A library may be imported so if what it uses of
    the packages is not used here. `names` has what is used, by its full name. A package that is
    loaded already is used as it is. Not for two threads at once."""
    finder = _StandInFinder({name for name in packages if name not in sys.modules}, names or {})
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        finder.is_open = False
        for name in [*sys.modules]:
            if name.partition(".")[0] in finder.packages:
                del sys.modules[name]


class _StandInFinder:
    """Both finder and loader of the import system."""

    def __init__(self, packages: set[str], names: Mapping[str, Any]) -> None:
        self.packages = packages
        self.names = names
        self.is_open = True

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name.partition(".")[0] not in self.packages:
            return None
        return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type] # by its methods

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = ModuleType(spec.name)

        def stand_in(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            whole_name = f"{spec.name}.{name}"
            return self.names.get(whole_name) or _StandIn(self, whole_name)

        module.__getattr__ = stand_in  # type: ignore[method-assign]
        return module

    def exec_module(self, module: ModuleType) -> None:
        pass


class _StandIn:
    def __init__(self, finder: _StandInFinder, name: str) -> None:
        self._finder = finder
        self._name = name

    def __getattr__(self, name: str) -> "_StandIn":
        if name.startswith("__"):
            raise AttributeError(name)
        return self()

    def __call__(self, *_: object, **__: object) -> "_StandIn":
        if not self._finder.is_open:
            raise RuntimeError(f"{self._name} was replaced by a stand-in, and is used after all")
        return self

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        return ()


def _add_to_sys_modules(name: str) -> Any:
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    package = sys.modules[name] = importlib.util.module_from_spec(spec)
    parent, _, own_name = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], own_name, package)
    return package


def _run_init_when_asked(name: str) -> None:
    package = _add_to_sys_modules(name)

    def run_init(attribute: str) -> Any:
        if attribute.startswith("__") and attribute != "__version__":  # asked of every module
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        del package.__getattr__
        package.__spec__.loader.exec_module(package)
        return getattr(package, attribute)

    package.__getattr__ = run_init
