"""Upstream's packages, imported by the submodule.

`chatterbox/__init__.py` imports every model, their watermarker and librosa, some 25 s (2026-11);
that of its `s3gen` imports what only enrolment needs. A replica uses one stage of it. So the two
packages are put in their places without their `__init__`, which is executed when somebody asks the
package for a name (`from chatterbox import ChatterboxTTS`). Where another has imported them before,
they stay as they are. Knows nothing about what is imported from them.
"""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PACKAGES = ("chatterbox", "chatterbox.models.s3gen")


def import_by_submodule(packages: tuple[str, ...] = PACKAGES) -> None:
    """The outermost first."""
    for name in packages:
        if name not in sys.modules:
            _execute_when_asked(name)


@contextmanager
def unexecuted(*packages: str) -> Iterator[None]:
    """Modules of these packages, the outermost first, are imported within without a package's
    `__init__`, and forgotten again: who imports them later gets the packages whole. What is loaded
    already is used as it is. Not for two threads at once."""
    if packages[0] in sys.modules:
        yield
        return
    for name in packages:
        _place(name)
    try:
        yield
    finally:
        for name in [*sys.modules]:
            if f"{name}.".startswith(f"{packages[0]}."):
                del sys.modules[name]


@contextmanager
def hidden(*modules: str) -> Iterator[None]:
    """Importing these fails within, so that a library goes the way it has without them. What is
    loaded already is not hidden. Not for two threads at once."""
    mine = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(mine))  # type: ignore[arg-type] # None: not to be imported
    try:
        yield
    finally:
        for name in mine:
            del sys.modules[name]


def _place(name: str) -> Any:
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    package = sys.modules[name] = importlib.util.module_from_spec(spec)
    parent, _, own_name = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], own_name, package)
    return package


def _execute_when_asked(name: str) -> None:
    package = _place(name)

    def execute(attribute: str) -> Any:
        if attribute.startswith("__") and attribute != "__version__":  # asked of every module
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        del package.__getattr__
        package.__spec__.loader.exec_module(package)
        return getattr(package, attribute)

    package.__getattr__ = execute
