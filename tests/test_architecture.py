"""The rooms of the program and who may import whom, read from the source.

    deployments ──▶ app.api, app.engine ──▶ text, audio, voices, auth, sessions, … ──▶ app.core

Ray lives in deployments only, torch in app.engine only, FastAPI in app.api only. `MAY_IMPORT` is
the whole table of directions inside app/; app.api and app.engine never meet.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
ROOMS = ("app", "deployments")
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 80
MAX_BROAD_EXCEPTS = 4  # each says why, beside it


_NOUNS = ("barge_in", "word_marks", "spoken_words", "core", "model_card")
_GROUND = (
    *_NOUNS,
    "errors",
    "key_settings",
    "t3_settings",
    "agent_settings",
    "hearing_settings",
    "realtime_settings",
    "config",
)
MAY_IMPORT: dict[str, tuple[str, ...]] = {  # room of app/: what it may import besides itself
    "barge_in": (),
    "word_marks": (),
    "spoken_words": (),
    "core": ("barge_in", "word_marks", "spoken_words"),
    "model_card": ("core",),
    "synthesizer": ("barge_in", "core", "model_card", "spoken_words"),
    "errors": ("core",),
    "key_settings": (),
    "agent_settings": (),
    "t3_settings": (),
    "hearing_settings": (),
    "realtime_settings": (),
    "config": (
        *("core", "errors", "key_settings", "t3_settings", "agent_settings", "hearing_settings"),
        "realtime_settings",
    ),
    "text": _GROUND,
    "audio": _GROUND,
    "voices": (*_GROUND, "text.pronunciations"),  # the noun that it stores
    "auth": _GROUND,
    "client": _GROUND,
    "hearing": _GROUND,
    "conversation": _GROUND,
    "sessions": (*_GROUND, "text.duration"),  # the estimate of a text's length alone
    "engine": (*_GROUND, "sessions", "voices"),
    "web": (),  # static files
    "api": (
        *(*_GROUND, "synthesizer", "text", "audio", "voices", "auth", "sessions", "hearing"),
        "conversation",
    ),
}


@dataclass(frozen=True)
class Source:
    path: str  # within the repository
    text: str

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(ast.parse(self.text)))

    def imports(self) -> Iterator[str]:
        """Every module that is imported anywhere in it, and every name from a module."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names)

    def imports_of(self, *packages: str) -> Iterator[str]:
        for name in self.imports():
            if any(f"{name}.".startswith(f"{package}.") for package in packages):
                yield f"imports {name}"


Rule = Callable[[Source], Iterator[str]]  # gives what is wrong


def no_ray_in_the_program(source: Source) -> Iterator[str]:
    if source.path.startswith("app/"):
        yield from source.imports_of("ray")


def torch_in_the_engine_only(source: Source) -> Iterator[str]:
    if not source.path.startswith("app/engine/"):
        yield from source.imports_of("torch", "torchaudio", "chatterbox", "safetensors.torch")


def fastapi_in_the_api_only(source: Source) -> Iterator[str]:
    """serve.ingress takes a FastAPI app by its type: the one deployment that wraps it names it."""
    if not source.path.startswith(("app/api/", "deployments/ingress.py")):
        yield from source.imports_of("fastapi", "starlette")


def sound_files_are_decoded_in_a_process_of_their_own(source: Source) -> Iterator[str]:
    if source.path != "app/voices/decoder_process.py":
        yield from source.imports_of("app.voices.sound_file", "app.voices.decoder_process")


def rooms_import_only_what_lies_below(source: Source) -> Iterator[str]:
    if not source.path.startswith("app/") or source.path == "app/__init__.py":
        return
    room = source.path.split("/")[1].removesuffix(".py")
    if room not in MAY_IMPORT:
        yield f"app/{room} is not in the table of rooms"
        return
    below = tuple(f"app.{name}." for name in (room, *MAY_IMPORT[room]))
    for name in set(source.imports()):
        other = name.split(".")[1] if name.startswith("app.") else ""
        whole = not any(known.startswith(f"{name}.") for known in source.imports() if known != name)
        if other and whole and not f"{name}.".startswith(below):
            yield f"imports {name}"


def the_program_knows_no_deployment_and_no_test(source: Source) -> Iterator[str]:
    if source.path.startswith("app/"):
        yield from source.imports_of("deployments")
    yield from source.imports_of("tests", "loadtests", "benchmarks", "training")


def the_core_imports_nobody(source: Source) -> Iterator[str]:
    """But the leaves of its nouns."""
    if source.path == "app/core.py":
        for name in source.imports():
            is_known = name.partition(".")[0] in {*sys.stdlib_module_names, "numpy"}
            leaves = ("app.barge_in.", "app.word_marks.", "app.spoken_words.")
            is_leaf = f"{name}.".startswith(leaves)
            if not (is_known or is_leaf):
                yield f"imports {name}"


def imports_are_absolute(source: Source) -> Iterator[str]:
    """Else the rules above would not see them."""
    for name in source.imports():
        if name.startswith("."):
            yield f"imports {name}"


def packages_are_empty(source: Source) -> Iterator[str]:
    """But the engine's: how upstream is imported must be settled before anything imports it."""
    is_empty = not source.text.strip() or source.path == "app/engine/__init__.py"
    if source.path.endswith("/__init__.py") and not is_empty:
        yield "is not empty"


def files_are_short(source: Source) -> Iterator[str]:
    num_lines = len(source.text.splitlines())
    if num_lines > MAX_FILE_LINES:
        yield f"has {num_lines} lines"


def functions_are_short(source: Source) -> Iterator[str]:
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            num_lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if num_lines > MAX_FUNCTION_LINES:
                yield f"{node.name} has {num_lines} lines"


def the_environment_is_read_in_one_place(source: Source) -> Iterator[str]:
    """Handing all of it to a child process, dict(os.environ), is not reading it."""
    if source.path == "app/config.py":
        return
    handed_on = {
        id(node.args[0])
        for node in source.nodes
        if isinstance(node, ast.Call) and ast.unparse(node) == "dict(os.environ)"
    }
    yield from source.imports_of("os.environ", "os.getenv")
    for node in source.nodes:
        is_reading = isinstance(node, ast.Attribute) and id(node) not in handed_on
        if is_reading and ast.unparse(node) in ("os.environ", "os.getenv"):
            yield f"line {node.lineno} reads the environment"


def broad_excepts(source: Source) -> list[str]:
    """Where an except takes what it does not name."""
    found = []
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler):
            caught = "Exception" if node.type is None else ast.unparse(node.type)
            if {"Exception", "BaseException"} & set(caught.strip("()").split(", ")):
                found.append(f"{source.path}:{node.lineno}")
    return found


CONTROLS: dict[Rule, tuple[Source, ...]] = {
    no_ray_in_the_program: (
        Source("app/engine/a.py", "def f():\n    from ray import serve"),
        Source("app/text/a.py", "import ray.serve"),
    ),
    torch_in_the_engine_only: (
        Source("app/audio/pcm.py", "from torch import Tensor"),
        Source("deployments/t3.py", "import torch.nn as nn"),
        Source("app/core.py", "if TYPE_CHECKING:\n    import torch"),
    ),
    fastapi_in_the_api_only: (
        Source("app/engine/a.py", "from fastapi import FastAPI"),
        Source("deployments/t3.py", "import starlette.requests"),
    ),
    sound_files_are_decoded_in_a_process_of_their_own: (
        Source("app/engine/voices/a.py", "from app.voices.sound_file import read_sound"),
        Source("app/api/a.py", "from app.voices import decoder_process"),
    ),
    rooms_import_only_what_lies_below: (
        Source("app/api/a.py", "from app import engine"),
        Source("app/sessions/a.py", "from app.text.segments import segment"),
        Source("app/a_new_room/a.py", "import app.core"),
        *(
            Source(f"app/{room}/a.py", f"def f():\n    from app.{other}.b import c")
            for room, below in MAY_IMPORT.items()
            for other in MAY_IMPORT
            if other != room and other not in {*below, "text"}
        ),
    ),
    the_program_knows_no_deployment_and_no_test: (
        Source("app/sessions/live.py", "import deployments"),
        Source("deployments/t3.py", "from tests.support.fakes import Fake"),
    ),
    the_core_imports_nobody: (
        Source("app/core.py", "from app.errors import ServeError"),
        Source("app/core.py", "import pydantic"),
    ),
    imports_are_absolute: (Source("app/api/a.py", "from ..engine import loop"),),
    packages_are_empty: (Source("app/engine/t3/__init__.py", '"""A package."""'),),
    files_are_short: (Source("app/a.py", "\n" * (MAX_FILE_LINES + 1)),),
    functions_are_short: (
        Source("app/a.py", "async def f():\n" + "    pass\n" * MAX_FUNCTION_LINES),
        Source("app/a.py", "class A:\n  def f(self):\n" + "    pass\n" * MAX_FUNCTION_LINES),
    ),
    the_environment_is_read_in_one_place: (
        Source("app/text/a.py", "x = os.environ.get('X')"),
        Source("app/text/a.py", "x = os.getenv('X')"),
        Source("deployments/a.py", "from os import environ"),
        Source("deployments/a.py", "os.environ['X'] = 'x'"),
    ),
}

ALLOWED = (
    Source("app/engine/a.py", "import torch\nfrom app.core import SAMPLE_RATE\nimport rayleigh"),
    Source("app/api/a.py", "import fastapi\nfrom app.text.segments import segment"),
    Source("app/voices/a.py", "from app.voices.decoder import decode"),
    Source("app/sessions/a.py", "from app.text.duration import predicted_s"),
    Source("app/engine/a.py", "from app.voices.library import open_references"),
    Source("app/core.py", "import asyncio\nfrom numpy.typing import NDArray"),
    Source("app/config.py", "import os\nx = os.environ.get('X')"),
    Source("app/engine/t3/__init__.py", "\n"),
    Source("app/engine/__init__.py", "import app.engine.upstream.lazy_import"),
    Source("deployments/t3.py", "import os\nimport ray\nx = dict(os.environ)"),
    Source("app/text/a.py", "def f():\n" + "    pass\n" * (MAX_FUNCTION_LINES - 1)),
)


@pytest.fixture(scope="module")
def program() -> list[Source]:
    return [
        Source(str(path.relative_to(REPOSITORY)), path.read_text())
        for room in ROOMS
        for path in sorted((REPOSITORY / room).rglob("*.py"))
    ]


def name_of(rule: Rule) -> str:
    return rule.__name__


@pytest.mark.parametrize("rule", CONTROLS, ids=name_of)
def test_the_program_keeps_the_rule(program, rule):
    broken = [f"{source.path}: {fault}" for source in program for fault in rule(source)]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("rule", CONTROLS, ids=name_of)
def test_a_breach_of_the_rule_is_seen(rule):
    for source in CONTROLS[rule]:
        assert list(rule(source)), source


@pytest.mark.parametrize("rule", CONTROLS, ids=name_of)
def test_what_is_allowed_is_no_breach(rule):
    for source in ALLOWED:
        assert not list(rule(source)), source


def test_few_places_catch_what_they_do_not_name(program):
    found = [place for source in program for place in broad_excepts(source)]
    assert len(found) <= MAX_BROAD_EXCEPTS, found


@pytest.mark.parametrize("caught", ["", "Exception", "(ValueError, BaseException) as error"])
def test_a_broad_except_is_counted(caught):
    source = Source("app/a.py", f"try:\n    f()\nexcept {caught}:\n    pass")
    assert broad_excepts(source) == ["app/a.py:3"]


def test_an_except_that_names_its_errors_is_not_counted():
    text = "try:\n    f()\nexcept (ValueError, MyException):\n    pass"
    assert broad_excepts(Source("app/a.py", text)) == []


def test_the_program_is_not_empty(program):
    paths = {source.path for source in program}
    assert {"app/core.py", "app/engine/conditionals.py", "deployments/app.py"} <= paths
