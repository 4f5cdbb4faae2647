"""Measures the CPU time of a program's imports, by library.

    python benchmarks/import_times.py "import app.engine.stages.t3"

Each module's own time counts, without the modules that it imports. The floor is the interpreter's
own start, which is not counted. Unlike `python -X importtime`, the clock is the process's CPU time,
so a busy machine changes little. The last line is one JSON object.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from importlib import _bootstrap
from importlib.machinery import ModuleSpec
from operator import itemgetter
from types import ModuleType

NUM_LIBRARIES = 8  # the dearest ones are told

Load = Callable[[ModuleSpec], ModuleType]


class ImportClock:
    """Wraps the function of Python's import system that executes a module."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._children_s = [0.0]  # CPU time of the imports within each open import
        self.own_s: defaultdict[str, float] = defaultdict(float)  # by top-level package

    def __call__(self, spec: ModuleSpec) -> ModuleType:
        self._children_s.append(0.0)
        started_s = time.process_time()
        try:
            return self._load(spec)
        finally:
            took_s = time.process_time() - started_s
            self.own_s[spec.name.partition(".")[0]] += took_s - self._children_s.pop()
            self._children_s[-1] += took_s


def measure(program: str) -> dict[str, object]:
    clock = ImportClock(_bootstrap._load_unlocked)  # type: ignore[attr-defined]
    _bootstrap._load_unlocked = clock  # type: ignore[attr-defined]
    started_s = time.process_time()
    exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})
    whole_s = time.process_time() - started_s
    dearest = sorted(clock.own_s.items(), key=itemgetter(1), reverse=True)[:NUM_LIBRARIES]
    imports = {name: round(seconds, 3) for name, seconds in dearest}
    return {"whole_s": round(whole_s, 3), "imports_s": imports}


if __name__ == "__main__":
    sys.path[0] = ""  # the program's modules are those of the current folder
    sys.stdout.write(json.dumps(measure(sys.argv[1])) + "\n")
