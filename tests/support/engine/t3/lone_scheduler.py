"""A scheduler without an engine. It records the freed slots; the test sets the clock."""

from app.core import SamplingParams, SessionKey
from app.engine.t3.kv_budget import Prefix
from app.engine.t3.scheduled_chunk import ScheduledChunk, StepResult
from app.engine.t3.scheduler import Ending, Scheduler
from app.engine.t3.sequence import Sequence, SequenceRequest
from app.engine.t3.step_cost import StepCost
from app.engine.t3.text_paths import BEFORE_TEXT
from app.t3_settings import GuardSettings, T3Settings

STOP_TOKEN = 6562
FREE_TOKENS = 16
CONDITIONALS = object()  # only carried
UNGUARDED = GuardSettings(least_tokens=0, most_per_text_token=None, loop_tokens=None)


def sequence(
    name: str,
    *,
    segment: int = 0,
    num_prompt: int = 10,
    max_tokens: int = 5,
    num_rows: int = 2,
    num_prefix: int = 0,
    lead_s: float = 0.0,
    **sampling,
) -> Sequence:
    params = SamplingParams(max_tokens=max_tokens, **sampling)
    key = SessionKey("tenant", name)
    request = SequenceRequest(key, segment, (1, 2, 3), CONDITIONALS, params, lead_s)
    return Sequence(request, num_rows, num_prompt, num_prefix)


class Freed:
    """The slots and prefixes that the scheduler has freed."""

    def __init__(self) -> None:
        self.slots: list[int] = []
        self.prefixes: list[Prefix] = []

    def release(self, slot: int) -> None:
        self.slots.append(slot)

    def forget(self, prefix: Prefix) -> None:
        self.prefixes.append(prefix)


class LoneScheduler:
    def __init__(
        self,
        num_slots: int = 2,
        min_tokens: int = 0,
        num_pages: int = 100_000,
        free_tokens: int = FREE_TOKENS,
        **settings,
    ) -> None:
        self.freed = Freed()
        self.now_s = 100.0
        self.scheduler = Scheduler(
            T3Settings(slots=num_slots, **{"guards": UNGUARDED, **settings}),
            Ending(STOP_TOKEN, min_tokens),
            self.freed,
            lambda: self.now_s,
            num_pages=num_pages,
            cost=StepCost(float(free_tokens), 1.0, 1.0),
        )

    def add(self, *sequences: Sequence) -> None:
        for one in sequences:
            self.scheduler.add(one)

    def step(self, *tokens: int | None, text_id: int = BEFORE_TEXT) -> list[ScheduledChunk]:
        """Every sampling chunk gets its own of `tokens`, or all get the last (1 by default). All
        say `text_id`."""
        chunks = self.scheduler.schedule()
        sampling = [chunk for chunk in chunks if chunk.samples]
        given = [*(tokens or (1,))]
        given += given[-1:] * (len(sampling) - len(given))
        self.scheduler.postprocess(
            StepResult(sampling, given[: len(sampling)], [text_id] * len(sampling))
        )
        self.scheduler.check_integrity()
        return chunks


def names(chunks: list[ScheduledChunk]) -> list[str]:
    return [chunk.sequence.key.session_id for chunk in chunks]
