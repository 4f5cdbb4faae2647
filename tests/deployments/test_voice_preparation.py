"""When the enroller is asked for a voice, and by how many sessions at once."""

import asyncio

import pytest

from app.core import Health, HealthStatus, VoiceKind, VoiceRef
from app.errors import Unavailable
from deployments import voice_preparation
from deployments.voice_preparation import VoicePreparation, wake_when_served

ANN, BOB, CID = (VoiceRef(name, VoiceKind.RECORDED) for name in ("ann", "bob", "cid"))


class Enroller:
    """Notes what it was asked for; answers when it may."""

    def __init__(self) -> None:
        self.asked: list[VoiceRef] = []
        self.error: Exception | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def enrol(self, voice: VoiceRef) -> None:
        self.asked.append(voice)
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error


@pytest.fixture
def enroller():
    return Enroller()


@pytest.fixture
def voices(enroller):
    return VoicePreparation(enroller.enrol)


async def test_a_recorded_voice_is_prepared_once(voices, enroller):
    await voices.prepare(ANN)
    await voices.prepare(ANN)
    await voices.prepare(BOB)
    assert enroller.asked == [ANN, BOB]


async def test_a_voice_of_the_model_needs_no_preparation(voices, enroller):
    await voices.prepare(VoiceRef("ada"))
    await voices.prepare_again(VoiceRef("ada"))
    assert enroller.asked == []


async def test_an_uploaded_reference_is_prepared(voices, enroller):
    reference = VoiceRef("up-" + "0" * 32, VoiceKind.UPLOADED)
    await voices.prepare(reference)
    assert enroller.asked == [reference]


async def test_sessions_that_wait_for_one_voice_share_one_preparation(voices, enroller):
    enroller.may_answer.clear()
    waiting = [asyncio.ensure_future(voices.prepare(ANN)) for _ in range(3)]
    waiting.append(asyncio.ensure_future(voices.prepare_again(ANN)))
    await asyncio.sleep(0.01)
    assert [task.done() for task in waiting] == [False] * 4
    enroller.may_answer.set()
    await asyncio.gather(*waiting)
    assert enroller.asked == [ANN]


async def test_a_preparation_survives_the_session_that_asked_first(voices, enroller):
    enroller.may_answer.clear()
    first, second = (asyncio.ensure_future(voices.prepare(ANN)) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.wait({first})
    enroller.may_answer.set()
    await second
    assert (first.cancelled(), enroller.asked) == (True, [ANN])


async def test_a_failed_preparation_is_tried_again_by_the_next_session(voices, enroller):
    enroller.error = Unavailable("The store does not answer.")
    with pytest.raises(Unavailable):
        await voices.prepare(ANN)
    enroller.error = None
    await voices.prepare(ANN)
    assert enroller.asked == [ANN, ANN]


async def test_a_voice_can_be_prepared_again(voices, enroller):
    await voices.prepare(ANN)
    await voices.prepare_again(ANN)
    await voices.prepare(ANN)
    assert enroller.asked == [ANN, ANN]


async def test_the_least_recently_used_voice_is_forgotten_first(monkeypatch, enroller):
    monkeypatch.setattr(voice_preparation, "MAX_PREPARED", 2)
    voices = VoicePreparation(enroller.enrol)
    for voice in (ANN, BOB, ANN, CID, ANN, BOB):
        await voices.prepare(voice)
    assert enroller.asked == [ANN, BOB, CID, BOB]


class Server:
    """Answers /health as it is told, one answer after another."""

    def __init__(self, *answers: HealthStatus | Exception) -> None:
        self.answers = list(answers)
        self.num_woken = 0
        self.wake_error: Exception | None = None

    async def health(self) -> Health:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Health(answer)

    async def wake(self) -> None:
        assert not self.answers, "woken before the server could speak"
        self.num_woken += 1
        if self.wake_error is not None:
            raise self.wake_error


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(voice_preparation, "ASK_EVERY_S", 0)


STARTING = HealthStatus.STARTING


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    "answers",
    [
        (HealthStatus.OK,),
        (STARTING, STARTING, HealthStatus.OK),
        (Unavailable("no registry yet"), STARTING, HealthStatus.LATE),
    ],
)
async def test_the_enroller_is_woken_once_the_server_can_speak(answers):
    server = Server(*answers)
    await wake_when_served(server.wake, server.health)
    assert server.num_woken == 1


@pytest.mark.usefixtures("at_once")
async def test_an_enroller_that_does_not_wake_is_logged_and_tried_with_the_first_recording(caplog):
    server = Server(HealthStatus.OK)
    server.wake_error = Unavailable("its node is away")
    await wake_when_served(server.wake, server.health)
    assert "its node is away" in caplog.text
