"""Whether Ray's GCS answers this process. Without its GCS a cluster dies, silently: sessions stand
still, and within a minute Ray ends every process of the cluster."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

ASK_EVERY_S = 1.0
ASK_WITHIN_S = 2
LOOK_EVERY_S = 0.5
LONGEST_LOOK_S = 1.0
AWAY_S = 3.0  # of silence, after which the GCS counts as away


class GcsSilence:
    """How long the GCS has been silent, on a clock that stands still while this process does not
    run: a process that was stopped has asked nothing."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.silent_s = 0.0
        self._now = now
        self._looked_s = now()

    def look(self, is_answered: bool) -> None:
        """`is_answered`: since the last look."""
        now_s = self._now()
        passed_s = min(now_s - self._looked_s, LONGEST_LOOK_S)
        self._looked_s = now_s
        self.silent_s = 0.0 if is_answered else self.silent_s + passed_s


class GcsWatch:
    """Asks the GCS in a thread of its own, because a call may hang."""

    def __init__(self, ask: Callable[[], bool], lost_s: float, on_lost: Callable[[], None]) -> None:
        """`ask` returns whether the GCS has answered. `on_lost` is called in the event loop of
        `follow`, again at each look, while the GCS has been silent for `lost_s` or longer."""
        self._ask = ask
        self._lost_s = lost_s
        self._on_lost = on_lost
        self._answered = threading.Event()
        self._silence = GcsSilence()

    @property
    def is_away(self) -> bool:
        return self._silence.silent_s >= min(AWAY_S, self._lost_s)

    async def follow(self) -> None:
        ended = threading.Event()
        threading.Thread(target=self._ask_until, args=(ended,), daemon=True).start()
        try:
            while True:
                await asyncio.sleep(LOOK_EVERY_S)
                self._look()
        finally:
            ended.set()

    def _look(self) -> None:
        was_away = self.is_away
        self._silence.look(self._answered.is_set())
        self._answered.clear()
        if self.is_away and not was_away:
            log.error("Ray's GCS does not answer.")
        if self._silence.silent_s >= self._lost_s:
            self._on_lost()

    def _ask_until(self, ended: threading.Event) -> None:
        while not ended.wait(ASK_EVERY_S):
            if self._ask():
                self._answered.set()


def gcs_asker() -> Callable[[], bool]:
    """A call that asks the GCS of this process's cluster for a key that does not exist."""
    import ray
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # others have no time limit
    from ray.exceptions import RpcError

    client = GcsClient(address=ray.get_runtime_context().gcs_address)

    def ask() -> bool:
        try:
            client.internal_kv_exists(b"chatterbox", None, ASK_WITHIN_S)
        except RpcError:
            return False
        return True

    return ask
