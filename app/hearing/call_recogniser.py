"""The utterances of one call in its recogniser. A recogniser that dies or hangs is replaced: what
it was hearing fails, and the next utterance is heard.

Knows nothing about voice activity.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.errors import Overloaded, Unavailable
from app.hearing.ears import (
    Aborted,
    FailureCode,
    FinalText,
    HearingEvent,
    HearingFailed,
    Listening,
    PartialText,
)
from app.hearing.messages import (
    End,
    Failed,
    Final,
    Freed,
    FromWorker,
    Partial,
    Progress,
    Ready,
    Sound,
    ToWorker,
)
from app.hearing.recogniser_host import RecogniserHost, RecogniserLink
from app.hearing.sound import BYTES_PER_SAMPLE, RATE

log = logging.getLogger(__name__)

START_S = 60.0  # in which a recogniser must be loaded
TICK_S = 0.25
RETRY_S = 0.5  # between tries to replace a recogniser


@dataclass(slots=True)
class _Utterance:
    num_sent: int = 0  # samples
    num_heard: int = 0
    is_ended: bool = False
    is_listening: bool = False

    @property
    def num_waiting(self) -> int:
        return self.num_sent - self.num_heard


class CallRecogniser:
    """Used by one event loop. `emit` gets the events of living utterances only."""

    def __init__(
        self,
        host: RecogniserHost,
        link: RecogniserLink,
        emit: Callable[[HearingEvent], None],
        hang_s: float,
    ) -> None:
        self._host = host
        self._link: RecogniserLink | None = link
        self._emit = emit
        self._hang_s = hang_s
        self._utterances: dict[int, _Utterance] = {}
        self._unsent: list[ToWorker] = []  # while the recogniser is replaced
        self._freed: dict[int, asyncio.Future[Freed | None]] = {}
        self._is_ready = False
        self._quiet_s = 0.0  # without a sign of life, while there is work
        self._moved = asyncio.Event()
        self._why_died = ""
        self._tasks = [asyncio.create_task(self._run(link)), asyncio.create_task(self._watch())]

    @property
    def lag_s(self) -> float:
        """Sound that was sent and is not decoded."""
        return sum(each.num_waiting for each in self._utterances.values()) / RATE

    @property
    def num_utterances(self) -> int:
        return len(self._utterances)

    async def moved(self) -> None:
        """Returns at the next sign that the lag has changed."""
        self._moved.clear()
        await self._moved.wait()

    def begin(self, generation: int) -> None:
        self._utterances[generation] = _Utterance()

    def sound(self, generation: int, pcm: bytes) -> None:
        """Of an utterance that has failed or was dropped: changes nothing."""
        if (utterance := self._utterances.get(generation)) is not None:
            self._begin_watch()
            utterance.num_sent += len(pcm) // BYTES_PER_SAMPLE
            self._send(Sound(generation, pcm))

    def end(self, generation: int) -> None:
        if (utterance := self._utterances.get(generation)) is not None:
            self._begin_watch()
            utterance.is_ended = True
            self._send(End(generation))

    def drop(self, generation: int) -> None:
        """Without waiting for the recogniser. Older utterances are finished."""
        if self._utterances.pop(generation, None) is None:
            return
        self._unsent = [each for each in self._unsent if _generation(each) != generation]
        if all(other > generation for other in self._utterances) and self._link is not None:
            self._link.abort(generation)
        else:
            self._send(End(generation))
        self._moved.set()

    def fail(self, up_to: int, code: FailureCode, message: str) -> None:
        failed = [generation for generation in self._utterances if generation <= up_to]
        self._fail(failed, code, message)
        if failed and self._link is not None:
            self._link.abort(max(failed))

    async def abort(self, up_to: int) -> Aborted:
        dropped = [generation for generation in self._utterances if generation <= up_to]
        for generation in dropped:
            del self._utterances[generation]
        self._unsent = [each for each in self._unsent if _generation(each) > up_to]
        self._moved.set()
        if not dropped or self._link is None:
            return Aborted(up_to)
        newest = max(dropped)
        freed = self._freed[newest] = asyncio.get_running_loop().create_future()
        self._link.abort(newest)
        try:
            async with asyncio.timeout(self._hang_s):
                answer = await freed
        except TimeoutError:
            await self._break_link("it did not answer an abort")
            answer = None
        finally:
            self._freed.pop(newest, None)
        if answer is None:  # it died: nothing of the utterance is left
            return Aborted(up_to, None, time.monotonic())
        return Aborted(up_to, answer.aborted_at_s, answer.freed_at_s)

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._utterances.clear()
        self._unsent.clear()
        self._moved.set()
        if (link := self._link) is not None:
            self._link = None
            await link.aclose()

    def _send(self, message: ToWorker) -> None:
        if self._link is None:
            self._unsent.append(message)
        else:
            self._link.send(message)

    async def _run(self, link: RecogniserLink) -> None:
        while True:
            while (message := await link.receive()) is not None:
                self._quiet_s = 0.0
                self._take(message)
            was_ready, self._is_ready = self._is_ready, False
            if self._link is link:
                self._link = None
                why = self._why_died or "its process or its server ended"
                self._fail(list(self._utterances), "recogniser_died", why)
            for freed in self._freed.values():
                if not freed.done():
                    freed.set_result(None)
            await link.aclose(is_broken=True)
            if not was_ready:
                await asyncio.sleep(RETRY_S)
            link = await self._new_link()

    async def _new_link(self) -> RecogniserLink:
        while True:
            try:
                link = await self._host.lease()
            except (Overloaded, Unavailable) as error:
                log.warning("a recogniser is not replaced yet: %s", error.message)
                await asyncio.sleep(RETRY_S)
                continue
            self._link, unsent, self._unsent = link, self._unsent, []
            for message in unsent:
                link.send(message)
            return link

    def _take(self, message: FromWorker) -> None:
        match message:
            case Ready():
                self._is_ready, self._why_died = True, ""
            case Freed(up_to):
                for generation, freed in self._freed.items():
                    if generation <= up_to and not freed.done():
                        freed.set_result(message)
            case Failed(0, text):
                self._why_died = text
            case Failed(generation, text):
                self._fail([generation], "recogniser_failed", text)
            case Progress(generation) | Partial(generation) | Final(generation):
                if (utterance := self._utterances.get(generation)) is not None:
                    self._hear(message, utterance)

    def _hear(self, message: Progress | Partial | Final, utterance: _Utterance) -> None:
        match message:
            case Progress(generation, num_samples):
                utterance.num_heard = num_samples
                if not utterance.is_listening:
                    utterance.is_listening = True
                    self._emit(Listening(generation, time.monotonic()))
                self._moved.set()
            case Partial(generation, text):
                self._emit(PartialText(generation, text))
            case Final(generation, num_samples, text):
                del self._utterances[generation]
                self._emit(FinalText(generation, text, num_samples / RATE))
                self._moved.set()

    def _fail(self, generations: list[int], code: FailureCode, message: str) -> None:
        for generation in generations:
            if self._utterances.pop(generation, None) is not None:
                self._emit(HearingFailed(generation, code, message))
        self._unsent = [each for each in self._unsent if _generation(each) in self._utterances]
        self._moved.set()

    @property
    def _is_busy(self) -> bool:
        return any(each.num_waiting or each.is_ended for each in self._utterances.values())

    def _begin_watch(self) -> None:
        if not self._is_busy:
            self._quiet_s = 0.0

    async def _watch(self) -> None:
        """Ticks are counted, not seconds: a process that was stopped as a whole has not hung."""
        while True:
            await asyncio.sleep(TICK_S)
            self._quiet_s = self._quiet_s + TICK_S if self._is_busy else 0.0
            if self._quiet_s > (self._hang_s if self._is_ready else START_S):
                await self._break_link(f"it made no progress for {self._quiet_s:g} s")

    async def _break_link(self, why: str) -> None:
        """The reader of the link notices, and takes another one."""
        self._fail(list(self._utterances), "recogniser_hung", why)
        if (link := self._link) is not None:
            self._link = None
            log.warning("a recogniser is replaced: %s", why)
            await link.aclose(is_broken=True)


def _generation(message: ToWorker) -> int:
    return message.generation if isinstance(message, Sound | End) else message.up_to
