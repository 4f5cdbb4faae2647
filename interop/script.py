"""A client's script as a child process: orders in, turns out."""

import json
import subprocess
import threading
from dataclasses import asdict
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Any, Self

from interop.environments import ROOT, python_of
from interop.orders import Heard, Order

READY_WITHIN_S = 120.0  # frameworks import for seconds


class Script:
    def __init__(self, environment: str, module: str, arguments: list[str], log: Path) -> None:
        self._log = log.open("wb")
        self._process = subprocess.Popen(
            [str(python_of(environment)), "-m", f"interop.clients.{module}", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._events: Queue[dict[str, Any] | None] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        self._next("ready", READY_WITHIN_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._give(Order("stop"))
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._log.close()

    def begin(self, order: Order) -> None:
        self._give(order)

    def until_sound(self, within_s: float) -> bool:
        """Whether the first sound came. A turn that ended without any is kept for `end`."""
        return self._next("sound", within_s)["event"] == "sound"

    def end(self, within_s: float) -> Heard:
        told = self._next("heard", within_s)
        return Heard(**{name: value for name, value in told.items() if name != "event"})

    def turn(self, order: Order, within_s: float) -> Heard:
        self.begin(order)
        return self.end(within_s)

    def _give(self, order: Order) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                self._events.put(json.loads(line))
        self._events.put(None)

    def _next(self, kind: str, within_s: float) -> dict[str, Any]:
        """The next event of this kind. Raises RuntimeError where none comes in time."""
        while True:
            try:
                event = self._events.get(timeout=within_s)
            except Empty:
                raise RuntimeError(
                    f"no {kind} within {within_s:g} s; see {self._log.name}"
                ) from None
            if event is None:
                raise RuntimeError(f"the client's script has ended; see {self._log.name}")
            if event["event"] == kind:
                return event
            if kind == "sound" and event["event"] == "heard":
                self._events.put(event)
                return event
