"""The deployment of the hearing: its options, a call of a replica, and a session over Ray."""

import pytest
import ray
from ray import serve

from app.config import Limits, ServeArgs
from app.conversation.chat_completions import ChatCompletions
from app.conversation.echo import NOTICE, Echo
from app.hearing import hearing as opening
from app.hearing.ears import SoundFormat, TurnDetection
from app.hearing.remote_call import RemoteHearing
from app.hearing_settings import HearingSettings
from app.realtime_settings import LanguageModelSettings, RealtimeSettings
from deployments.app import assemble
from deployments.hearing import HearingReplica
from deployments.realtime import realtime_parts
from tests.support.deployments.served_app import wait_until_healthy
from tests.support.eventually import eventually
from tests.support.realtime_client import served_client
from tests.support.recorded_voice import send_voice
from tests.support.scripted_hearing import ScriptedHearing

NAME = "hearing"


@pytest.fixture
async def replica(monkeypatch):
    """With scripted ears, and without Ray."""
    hearing = ScriptedHearing()

    async def open_hearing(settings):
        return hearing

    monkeypatch.setattr(opening, "open_hearing", open_hearing)
    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: "127.0.0.1")
    made = HearingReplica(HearingSettings())
    made.hearing = hearing
    yield made
    await (await made._opened()).aclose()


async def test_a_replica_hears_a_call_while_its_request_is_open(replica):
    await replica.check_health()
    held = replica.hold()
    address = await anext(held)

    class Lease:
        async def __aenter__(self):
            return address

        async def __aexit__(self, *error):
            await held.aclose()

    call = await RemoteHearing(Lease).open_call(SoundFormat(), TurnDetection())
    await call.accept(b"ab")
    await call.commit()
    assert replica.hearing.calls[0].accepted == b"ab"
    await call.aclose()
    await eventually(lambda: replica.hearing.calls[0].is_closed, 5, "the call is closed")


def test_a_server_without_hearing_has_no_sessions():
    assert realtime_parts(ServeArgs(), None) is None


class Handle:
    def options(self, **options):
        return self

    remote = None


@pytest.mark.parametrize(
    ("llm", "kind"),
    [
        (None, Echo),
        (LanguageModelSettings(base_url="http://127.0.0.1:1/v1", model="m"), ChatCompletions),
    ],
)
def test_the_language_model_is_that_of_the_settings(monkeypatch, llm, kind):
    monkeypatch.setattr("deployments.realtime.RealtimeMetrics", object)
    voice = {"threshold": 0.7, "silence_s": 0.2, "interrupt_s": 0.6}
    args = ServeArgs(
        hearing=HearingSettings(voice_activity=voice), realtime=RealtimeSettings(llm=llm)
    )
    parts = realtime_parts(args, Handle())
    assert isinstance(parts.language_model, kind)
    assert parts.turns == TurnDetection(0.7, silence_s=0.2, lasting_s=0.6)


@pytest.mark.long
async def test_a_session_over_ray_repeats_what_it_has_heard(served):
    args = ServeArgs(
        model="embedded-babble",
        limits=Limits(admit="all", start="soonest"),
        hearing=HearingSettings(num_recognisers=2),
    )
    serve.run(assemble(args), name=NAME, route_prefix=f"/{NAME}")
    url = f"{served.url}/{NAME}"
    wait_until_healthy(url)
    try:
        async with served_client(url) as client:
            await client.update(audio={"input": {"transcription": {"model": "any"}}})
            await send_voice(client, 2)
            events = {event["type"]: event for event in await client.until("response.done")}
        assert "error" not in events
        kind = "conversation.item.input_audio_transcription.completed"
        assert "monday" in events[kind]["transcript"]
        (item,) = events["response.done"]["response"]["output"]
        assert item["content"][0]["transcript"] == f"{NOTICE}{events[kind]['transcript']}"
        assert "response.output_audio.delta" in events
    finally:
        serve.delete(NAME)
