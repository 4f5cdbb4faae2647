"""The log calls of the program, read from its source."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[2]
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
IDS = ("session_id", "request_id", "socket_id", "key.")  # in an argument that names a session


class LogCall(NamedTuple):
    path: str  # within the repository
    first_line: int
    last_line: int
    level: str
    text: str

    @property
    def logger(self) -> str:
        return self.path.removesuffix(".py").replace("/", ".")

    @property
    def names_a_session(self) -> bool:
        return any(name in self.text for name in IDS)

    @property
    def tells_its_session(self) -> bool:
        return "extra=" in self.text

    def __str__(self) -> str:
        return f"{self.path}:{self.first_line} {self.level}"


def log_calls(*rooms: str) -> tuple[LogCall, ...]:
    paths = [path for room in rooms for path in sorted((REPOSITORY / room).rglob("*.py"))]
    return tuple(
        call
        for path in paths
        for call in calls_in(str(path.relative_to(REPOSITORY)), path.read_text())
    )


def calls_in(path: str, source: str) -> Iterator[LogCall]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = ast.unparse(node.func)
            if called.startswith("log.") and node.func.attr in LEVELS:
                last_line = node.end_lineno or node.lineno
                text = ast.unparse(node)
                yield LogCall(path, node.lineno, last_line, node.func.attr, text)
