"""A scheduler without an engine: what it gives back is noted, and time is what a test says."""

from types import SimpleNamespace

from app.config import GuardSettings, T3Settings
from app.core import SamplingParams, SessionKey
from app.engine.t3.kv_budget import Prefix
from app.engine.t3.scheduled_chunk import ScheduledChunk
from app.engine.t3.scheduler import Ending, Scheduler
from app.engine.t3.sequence import AddSequence, Sequence

STOP_TOKEN = 6562
FREE_TOKENS = 16
CONDITIONALS = SimpleNamespace()  # only carried
UNGUARDED = GuardSettings(least_tokens=0, most_per_text_token=None, loop_tokens=None)


def sequence(
    name: str,
    *,
    num_prompt: int = 10,
    max_tokens: int = 5,
    num_rows: int = 2,
    num_prefix: int = 0,
    lead_s: float = 0.0,
    **sampling,
) -> Sequence:
    params = SamplingParams(max_tokens=max_tokens, **sampling)
    key = SessionKey("tenant", name)
    message = AddSequence(key, 0, (1, 2, 3), CONDITIONALS, "voice", params, lead_s)
    return Sequence(message, num_rows, num_prompt, num_prefix)


class Released:
    """What the scheduler says is free again."""

    def __init__(self) -> None:
        self.slots: list[int] = []
        self.prefixes: list[Prefix] = []

    def release(self, slot: int) -> None:
        self.slots.append(slot)

    def forget(self, prefix: Prefix) -> None:
        self.prefixes.append(prefix)


class Desk:
    def __init__(
        self,
        num_slots: int = 2,
        min_tokens: int = 0,
        num_pages: int = 100_000,
        free_tokens: int = FREE_TOKENS,
        **settings,
    ) -> None:
        self.freed = Released()
        self.now_s = 100.0
        self.scheduler = Scheduler(
            T3Settings(slots=num_slots, **{"guards": UNGUARDED, **settings}),
            Ending(STOP_TOKEN, min_tokens),
            self.freed,
            lambda: self.now_s,
            num_pages=num_pages,
            free_tokens=free_tokens,
        )

    @property
    def released(self) -> list[int]:
        return self.freed.slots

    def add(self, *sequences: Sequence) -> None:
        for one in sequences:
            self.scheduler.add(one)

    def step(self, token: int | None = 1) -> list[ScheduledChunk]:
        work = self.scheduler.schedule()
        self.scheduler.postprocess(work, [token for item in work if item.samples])
        self.scheduler.check_integrity()
        return work


def names(work: list[ScheduledChunk]) -> list[str]:
    return [item.sequence.key.session_id for item in work]
