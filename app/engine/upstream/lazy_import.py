"""Imports a submodule of upstream without the `__init__` of its packages.

`chatterbox/__init__.py` imports every model, their watermarker and librosa, which takes some 25 s
(2026-11). The `__init__` of its `s3gen` imports what only enrolment needs. A replica uses one stage
of all this. So both packages are put into sys.modules without running their `__init__`. It runs
when a name is read from the package (`from chatterbox import ChatterboxTTS`). A package that is
loaded already stays as it is. Knows nothing about the modules that are imported.
"""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
