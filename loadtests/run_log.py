"""The log of a run: keeps the records, writes each one at once, and counts the current callers.
Thread-safe."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from loadtests.records import Record, as_line, violations


class RunLog:
    def __init__(self, path: Path | None = None) -> None:
        """Without a `path`, the records stay in memory."""
        self.on_record: Callable[[Record], None] | None = None
        self.records: list[Record] = []
        self.faults: list[str] = []  # of the load test itself
        self.num_callers = 0
        self._lock = threading.Lock()
        self._path = path
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")

    def add(self, record: Record) -> None:
        with self._lock:
            self.records.append(record)
            self.faults.extend(violations(record))
            if self._path is not None:
                with self._path.open("a") as file:
                    file.write(as_line(record) + "\n")
        if self.on_record is not None:
            self.on_record(record)

    def add_fault(self, message: str) -> None:
        with self._lock:
            self.faults.append(message)

    def arrive(self) -> None:
        with self._lock:
            self.num_callers += 1

    def leave(self) -> None:
        with self._lock:
            self.num_callers -= 1

    @contextmanager
    def calling(self) -> Iterator[None]:
        self.arrive()
        try:
            yield
        finally:
            self.leave()
