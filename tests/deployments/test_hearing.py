"""The deployment of the hearing: its options, a call of a replica, and a session over Ray."""

import asyncio
import re
import time

import httpx
import psutil
import pytest
import ray
from ray.serve import Application

from app.config import ServeArgs
from app.conversation.chat_completions import ChatCompletions
from app.conversation.echo import NOTICE, Echo
from app.conversation.language_model import ReplyRequest
from app.errors import LanguageModelFailed
from app.hearing import hearing as opening
from app.hearing.ears import SoundFormat, TurnDetection
from app.hearing.remote_call import RemoteHearing
from app.hearing_settings import HearingSettings
from app.realtime_settings import LanguageModelSettings, RealtimeSettings
from deployments.app import CALLS_SHARE, assemble
from deployments.hearing import HearingReplica
from deployments.realtime import realtime_parts
from tests.support.deployments.expendable_app import RECOVERED_WITHIN_S
from tests.support.deployments.served_app import LONG_TEXT
from tests.support.eventually import eventually
from tests.support.realtime_client import served_client
from tests.support.recorded_voice import interrupted, send_voice
from tests.support.scripted_hearing import ScriptedHearing

SERIES = {
    "heard_seconds_total",
    'utterances_total outcome="understood"',
    'responses_total outcome="turn_detected"',
    'barge_in_leg_ms_count leg="chain"',
}
EXPORTED_WITHIN_S = 60  # Ray exports every few seconds
LOST = ("hearing_lost", "hearing_unavailable")
VOICE_S = 3.0


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


@pytest.mark.parametrize(("key", "header"), [("sk-1", "Bearer sk-1"), ("", None), (None, None)])
async def test_the_language_model_gets_the_key_of_the_environment(monkeypatch, key, header):
    if key is None:
        monkeypatch.delenv("CHATTERBOX_LLM_API_KEY", raising=False)
    else:
        monkeypatch.setenv("CHATTERBOX_LLM_API_KEY", key)
    monkeypatch.setattr("deployments.realtime.RealtimeMetrics", object)
    heads = []

    async def refuse(reader, writer):
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        llm = LanguageModelSettings(base_url=f"http://127.0.0.1:{port}/v1", model="m")
        args = ServeArgs(hearing=HearingSettings(), realtime=RealtimeSettings(llm=llm))
        model = realtime_parts(args, Handle()).language_model
        with pytest.raises(LanguageModelFailed):
            async for _ in model.reply(ReplyRequest("", ())):
                pass
    (head,) = heads
    assert (
        httpx.Headers(line.split(": ", 1) for line in head.splitlines()[1:] if line).get(
            "authorization"
        )
        == header
    )


def deployments(application):
    """Of an application that is not deployed, by name."""
    bound = application._bound_deployment
    inner = [each for each in bound.init_args if isinstance(each, Application)]
    named = [deployments(each) for each in inner]
    return {bound.name: bound} | {name: each for names in named for name, each in names.items()}


def hearing_of(**fields):
    args = ServeArgs(model="embedded-babble", device="cpu", **fields)
    return deployments(assemble(args)).get("Hearing")


def test_a_server_hears_only_where_that_is_configured():
    assert hearing_of() is None
    assert hearing_of(hearing=HearingSettings()).func_or_class is HearingReplica


def test_the_hearing_takes_cpus_alone_and_one_request_for_each_recogniser():
    hearing = hearing_of(hearing=HearingSettings(num_recognisers=3), hearing_cpus=1.5)
    assert hearing.init_args == (HearingSettings(num_recognisers=3),)
    assert hearing.ray_actor_options["num_cpus"] == 1.5
    assert hearing.ray_actor_options["num_gpus"] == 0
    assert hearing.max_ongoing_requests == 3


@pytest.mark.parametrize(
    ("fields", "bounds"),
    [
        ({}, (1, 1)),
        ({"hearing_replicas": 2}, (2, 2)),
        ({"hearing_max_replicas": 4}, (1, 4)),
        ({"hearing_replicas": 3, "hearing_max_replicas": 4}, (3, 4)),
    ],
)
def test_the_hearing_scales_by_itself_between_its_bounds(fields, bounds):
    hearing = hearing_of(hearing=HearingSettings(num_recognisers=10), **fields)
    scaling = hearing._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == bounds
    assert scaling.target_ongoing_requests == 10 * CALLS_SHARE


COMPLETED = "conversation.item.input_audio_transcription.completed"
FAILED = "conversation.item.input_audio_transcription.failed"


async def test_a_session_over_ray_repeats_what_it_has_heard(app):
    async with served_client(app.url) as client:
        await client.update(audio={"input": {"transcription": {"model": "any"}}})
        await send_voice(client, 2)
        events = {event["type"]: event for event in await client.until("response.done")}
    assert "error" not in events
    assert "monday" in events[COMPLETED]["transcript"]
    (item,) = events["response.done"]["response"]["output"]
    assert item["content"][0]["transcript"] == f"{NOTICE}{events[COMPLETED]['transcript']}"
    assert "response.output_audio.delta" in events


async def test_realtime_sessions_are_counted(app, metrics_port):
    async with served_client(app.url) as client:
        await interrupted(client, LONG_TEXT * 4)
    page = f"http://127.0.0.1:{metrics_port}/metrics"
    async with httpx.AsyncClient(timeout=60) as scraper:  # a page is over a megabyte

        async def all_counted():
            lines = (await scraper.get(page)).text.splitlines()
            return {name for line in lines if (name := counted(app, line))} >= SERIES

        await eventually(all_counted, EXPORTED_WITHIN_S, f"series of {SERIES}", every_s=0.5)


def counted(app, line):
    """The metric and its label, where the line counts something of the application."""
    named = re.match(r"ray_chatterbox_(\w+)\{", line)
    if named is None or f'application="{app.name}"' not in line or float(line.split()[-1]) <= 0:
        return None
    label = re.search(r'(outcome|leg)="\w+"', line)
    return named.group(1) if label is None else f"{named.group(1)} {label.group()}"


async def test_a_killed_replica_fails_the_utterance_and_the_next_one_is_heard(app):
    async with served_client(app.url) as client:
        await client.update(audio={"input": {"transcription": {"model": "any"}}})
        await send_voice(client, 2, silence_s=0)
        began = await client.last("input_audio_buffer.speech_started")
        (replica,) = app.replicas("Hearing")
        recognisers = replica.children(recursive=True)
        assert recognisers
        replica.kill()
        failed = await client.last(FAILED)
        assert (failed["item_id"], failed["error"]["code"]) == (began["item_id"], "hearing_lost")
        assert (await client.last("error"))["error"]["code"] == "hearing_lost"
        _, left = await asyncio.to_thread(psutil.wait_procs, recognisers, timeout=30)
        assert left == []
        assert "monday" in (await heard_again(client))["transcript"]
    gone = app.registry().live.remote
    await eventually(lambda: not ray.get(gone(None)), 30, "no session is left")


async def heard_again(client):
    """While the replica is started anew, what is said is lost, with an error; within a second of
    that, without one. The hearing begins within 10 s, or an error comes."""
    give_up_s = time.monotonic() + RECOVERED_WITHIN_S
    while time.monotonic() < give_up_s:
        await send_voice(client, 2)
        try:
            event = await client.last(COMPLETED, "error")
        except AssertionError:  # no such event
            continue
        if event["type"] == COMPLETED:
            return event
        assert event["error"]["code"] in LOST
        await asyncio.sleep(VOICE_S)  # a voice takes its time: sound ahead of it is refused
    raise AssertionError("nothing is heard any more")
