"""Requests to a LocalSynthesizer, and its state between them."""

from dataclasses import replace
from typing import Any

from app.core import SessionKey, SynthesisRequest, VoiceRef
from app.engine.synthesizer import LocalSynthesizer
from tests.support.eventually import eventually

ADA = VoiceRef("ada")
TEXT = "Each of us says this in its own voice."
WAIT_S = 60.0


def request_of(
    synthesizer: LocalSynthesizer,
    name: str,
    voice: VoiceRef = ADA,
    text: tuple[str, ...] = (TEXT,),
    **sampling: Any,
) -> SynthesisRequest:
    """`text`: the segments. `sampling` replaces the model's defaults."""
    params = replace(synthesizer.card().defaults, **({"seed": 3} | sampling))
    return SynthesisRequest(SessionKey("default", name), text, voice, params)


async def until_idle(synthesizer: LocalSynthesizer) -> None:
    async def is_idle() -> bool:
        stages = (await synthesizer.health()).stages.values()
        return all(stage.live == stage.waiting == 0 for stage in stages)

    await eventually(is_idle, WAIT_S, "both engines are idle")
