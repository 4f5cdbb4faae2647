"""Mixes of sequences that join an engine, run beside one another, and are cancelled."""

from dataclasses import dataclass, replace

from hypothesis import strategies as st

from app.core import SamplingParams
from app.engine.t3.engine import TokenEngine
from app.engine.t3.sequence import SequenceRequest
from tests.support.engine.t3.models import Recorded, request, send

KINDS = (
    SamplingParams(ignore_eos=True),
    SamplingParams(cfg_weight=0.0, top_p=0.9, min_p=0.0, ignore_eos=True),
    SamplingParams(temperature=1.2, repetition_penalty=1.8, cfg_weight=1.0, exaggeration=1.0),
    SamplingParams(top_k=50, top_p=0.8, min_p=0.0, temperature=0.7),
)


@dataclass(frozen=True)
class Plan:
    """One sequence of a mix."""

    joins_at: int  # step
    kind: int
    voice: int
    num_text: int
    max_tokens: int
    cancelled_after: int | None  # steps after it joined; None: it runs to its end

    def request(self, name: int) -> SequenceRequest:
        sampling = replace(KINDS[self.kind], max_tokens=self.max_tokens, seed=self.voice)
        return request(name, sampling, voice=self.voice, num_text=self.num_text)


plans = st.builds(
    Plan,
    joins_at=st.integers(0, 15),
    kind=st.integers(0, len(KINDS) - 1),
    voice=st.integers(1, 6),
    num_text=st.integers(1, 20),
    max_tokens=st.integers(1, 25),
    cancelled_after=st.none() | st.integers(0, 20),
)


def run_mix(engine: TokenEngine, mix: list[Plan]) -> Recorded:
    """The sequences are named by their index in `mix`."""
    recorded = Recorded()
    requests = [plan.request(name) for name, plan in enumerate(mix)]
    cancels = {
        name: plan.joins_at + plan.cancelled_after
        for name, plan in enumerate(mix)
        if plan.cancelled_after is not None
    }
    last = max([plan.joins_at for plan in mix] + list(cancels.values()))
    step = 0
    while engine.has_work() or step <= last:
        for name, plan in enumerate(mix):
            if plan.joins_at == step:
                send(engine, requests[name])
            if cancels.get(name) == step:
                engine.cancel(requests[name].key, None)
        recorded.add(engine.step())
        engine.check_integrity()
        step += 1
    return recorded
