"""A recogniser whose words are in the sound: the value of a frame's first sample says what the
recogniser does. Workers in other processes load it by MAKER."""

import os
import threading
import time
from pathlib import Path

import numpy as np

MAKER = "tests.support.scripted_recogniser:ScriptedRecogniser"
RAISES, DIES, HANGS, SLOW = 30_001, 30_002, 30_003, 30_004
SLOW_S = 0.1
hang_ends = threading.Event()  # of recognisers in threads of the test's process


class ScriptedRecogniser:
    """Says the first sample of each frame, but for the values above; 0 says nothing."""

    def __init__(self, model: str | None = None) -> None:
        """`model`: a file that a recogniser makes when it hangs."""
        self._hung = model
        self.words: list[str] = []
        self.num_accepted = 0
        self.num_forgotten = 0
        self._is_live = False

    def accept(self, pcm: bytes) -> str | None:
        if not self._is_live:
            self.words = []
        self._is_live = True
        self.num_accepted += 1
        value = int(np.frombuffer(pcm[:2], "<i2")[0])
        if value == RAISES:
            raise RuntimeError("scripted")
        if value == DIES:
            os._exit(3)
        if value == HANGS:
            if self._hung is not None:
                Path(self._hung).touch()
            hang_ends.wait(3600)
        if value == SLOW:
            time.sleep(SLOW_S)
        if value == 0:
            return None
        self.words.append(str(value))
        return " ".join(self.words)

    def final(self) -> str:
        if not self._is_live:
            return ""
        self._is_live = False
        return " ".join(self.words)

    def abort(self) -> None:
        self._is_live = False

    def live(self) -> bool:
        return self._is_live

    def forget(self) -> None:
        self.abort()
        self.num_forgotten += 1


def frame_saying(value: int, num_samples: int = 512) -> bytes:
    return np.full(num_samples, value, "<i2").tobytes()
