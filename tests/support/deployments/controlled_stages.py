"""Stages of the real application that a test can hold at a token, break, or let leak."""

import os
import threading
import time
from collections.abc import AsyncGenerator, Callable
from collections.abc import Sequence as Rows
from contextlib import aclosing
from pathlib import Path
from typing import Any, NamedTuple

import app.engine.stages.vocoder
import deployments.ingress
import deployments.vocoder
from app.config import ServeArgs
from app.core import SpeechTokens, TokenRequest
from app.engine.stages.t3 import T3Stage
from app.engine.t3.sequence import Sequence
from deployments.ingress import Ingress
from deployments.t3 import T3
from deployments.vocoder import Vocoder
from tests.support.eventually import eventually_sync

HOLD_AT = 40  # tokens of the first segment, in sessions whose id begins with "hold"
HELD_WITHIN_S = 60
POISON_AT = 30  # tokens, in sessions whose id begins with "poison" or "hang"


def held_t3(gate: Path) -> type[T3]:
    """A T3 whose engine thread waits inside a step until a test writes to `gate` (a FIFO)."""
    os.mkfifo(gate)

    class HeldT3(T3):
        def open_stage(self, args: ServeArgs, device: str) -> T3Stage:
            return T3Stage.open(args, device, on_step=hold)

    def hold(rows: Rows[Sequence]) -> None:
        for row in rows:
            is_held = row.key.session_id.startswith("hold") and row.segment == 0
            if is_held and len(row.tokens) == HOLD_AT:
                mark_of(gate).touch()
                gate.read_text()  # returns when a writer has closed the file

    return HeldT3


def mark_of(gate: Path) -> Path:
    """A file that exists while T3 is held."""
    return gate.with_suffix(".held")


def wait_until_held(gate: Path) -> None:
    """A cancel that comes earlier would end the session before T3 is held."""
    eventually_sync(mark_of(gate).exists, HELD_WITHIN_S, "T3 is held", every_s=0.01)


def release(gate: Path) -> None:
    """Waits until T3 is held, then lets it go on."""
    wait_until_held(gate)
    mark_of(gate).unlink()
    gate.write_text("")


def noting_t3(notes: Path) -> type[T3]:
    """A T3 that notes how each of its streams ended. Its engine fails in a session whose id begins
    with "poison", and hangs in a session whose id begins with "hang"."""

    class NotingT3(T3):
        def open_stage(self, args: ServeArgs, device: str) -> T3Stage:
            return T3Stage.open(args, device, on_step=poisoned)

        async def tokens(self, request: TokenRequest) -> AsyncGenerator[SpeechTokens, None]:
            finish = None
            try:
                async with aclosing(super().tokens(request)) as groups:
                    async for group in groups:
                        finish = group.finish
                        yield group
            finally:
                with notes.open("a") as file:
                    file.write(f"{request.key.session_id} {finish} {time.monotonic()}\n")

    def poisoned(rows: Rows[Sequence]) -> None:
        for row in rows:
            if len(row.tokens) != POISON_AT:
                continue
            if row.key.session_id.startswith("poison"):
                raise RuntimeError("poisoned")
            if row.key.session_id.startswith("hang"):
                threading.Event().wait()

    return NotingT3


class Classes(NamedTuple):
    """The deployments' classes of an application."""

    t3: type[T3]
    vocoder: type[Vocoder] = Vocoder
    ingress: type[Any] = Ingress


def leaky(t3_class: type[T3]) -> Classes:
    """Plain nested streams, which Serve's own propagation stops and nothing else does: no hop
    cancels the stream that it opened, and no stage hears of a cancel or of a lapsed lease. The
    stages speak gRPC, which loses cancels; Ray's core, by reference, passes them on by itself."""

    class LeakyT3(t3_class):  # type: ignore[misc, valid-type]
        def open_stage(self, args: ServeArgs, device: str) -> T3Stage:
            stage: T3Stage = super().open_stage(args, device)
            stage.cancel = unheard  # type: ignore[assignment, method-assign]
            return stage

    class LeakyVocoder(Vocoder):
        def __init__(self, args: ServeArgs, device: str, t3: Any) -> None:
            deployments.vocoder.owned = unowned
            app.engine.stages.vocoder.VocoderStage.cancel = unheard  # type: ignore[assignment, method-assign]
            super().__init__(args, device, t3.options(_by_reference=False))

    class LeakyIngress(Ingress):  # type: ignore[misc, valid-type]
        async def __init__(
            self, args: ServeArgs, card: Any, vocoder: Any, *rest: Any, **keys: Any
        ) -> None:
            deployments.ingress.owned = unowned
            plain = vocoder.options(_by_reference=False)
            await super().__init__(args, card, plain, *rest, **keys)

    async def unowned(
        open_stream: Callable[[], Any], before_retry: object = None
    ) -> AsyncGenerator[Any, None]:
        async for item in open_stream():
            yield item

    async def unheard(*_: Any) -> None:
        return None

    return Classes(LeakyT3, LeakyVocoder, LeakyIngress)
