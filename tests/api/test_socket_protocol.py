"""The socket's protocol under any order of messages, by two tenants on one synthesizer.

Each context's messages are: started, then audio and flushed, then one end, then nothing.
"""

import asyncio
import json
from collections import defaultdict

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from starlette.websockets import WebSocketState

from app.api.admission import AdmissionControl
from app.api.dialects.own import OwnProtocol
from app.api.pronunciations import Pronunciations
from app.api.services import Services
from app.api.speech_job import SpeechPlanner
from app.api.speech_socket import SpeechSocket
from app.api.voices import Voices
from app.auth.api_keys import Caller
from app.auth.quota import UsageCounter
from app.config import Limits
from app.key_settings import Quota, Role, SocketLimits
from app.voices.catalogue import VoiceCatalogue
from app.voices.recordings import RecordingReader
from tests.support.eventually import eventually
from tests.support.fakes import FakeSynthesizer

pytestmark = pytest.mark.full  # seconds in all

ENDS = {"done", "cancelled", "error"}
TENANTS = st.sampled_from(["red", "blue"])
NAMES = st.sampled_from(["a", "b"])
TEXTS = st.sampled_from(
    ["Hello ", "there. ", "This is a whole sentence of its own. And ", "... ", ""]
)


class Wire:
    """A WebSocket without a network."""

    def __init__(self):
        self.application_state = WebSocketState.CONNECTED
        self.to_server = asyncio.Queue()
        self.sent = []

    def receives(self, **message):
        text = json.dumps(message)
        self.to_server.put_nowait({"type": "websocket.receive", "text": text})

    async def receive(self):
        return await self.to_server.get()

    async def send_text(self, text):
        await asyncio.sleep(0)
        self.sent.append(json.loads(text))

    async def close(self, code, reason=None):
        self.application_state = WebSocketState.DISCONNECTED


class SlowToStop(FakeSynthesizer):
    """Its sound goes on for a while after a cancel and its acknowledgement."""

    async def cancel(self, key, played_ms=None):
        for _ in range(3):
            await asyncio.sleep(0)
        ack = await super().cancel(key, played_ms)
        self._cancelled.discard(key.session_id)
        return ack


def services_of(synthesizer):
    voices = Voices(VoiceCatalogue(synthesizer.card, {}), None, synthesizer, RecordingReader())
    return Services(
        synthesizer,
        SpeechPlanner(synthesizer.card, Limits()),
        voices,
        Pronunciations(voices),
        SocketLimits(max_faults=10**6),
        AdmissionControl(UsageCounter(), live_s=60),
    )


def socket_of(wire, services, tenant):
    caller = Caller(tenant, tenant, frozenset(Role), Quota())
    return SpeechSocket(wire, services, caller, tenant, OwnProtocol())


class SlowToSendDone(Wire):
    """Holds the message `done` until `go`."""

    def __init__(self):
        super().__init__()
        self.sending_done = asyncio.Event()
        self.go = asyncio.Event()

    async def send_text(self, text):
        if json.loads(text)["type"] == "done":
            self.sending_done.set()
            await self.go.wait()
        await super().send_text(text)


async def test_a_cancel_while_done_is_sent_comes_too_late():
    wire = SlowToSendDone()
    socket = socket_of(wire, services_of(FakeSynthesizer()), "red")
    serving = asyncio.ensure_future(socket.serve())
    wire.receives(type="start", context_id="c", voice="anna")
    wire.receives(type="text", context_id="c", text="Hello there.")
    wire.receives(type="close", context_id="c")
    await eventually(wire.sending_done.is_set, 10, "the socket sends done")
    wire.receives(type="cancel", context_id="c")
    await eventually(wire.to_server.empty, 10, "the socket has read the cancel")
    wire.go.set()
    wire.receives(type="close")
    await eventually(serving.done, 10, "the socket has closed")
    done, cancelled = wire.sent[-2:]
    assert (done["type"], cancelled["type"]) == ("done", "cancelled")
    assert cancelled["state"] == "already_done"


class Protocol(RuleBasedStateMachine):
    @initialize()
    def connect(self):
        self.loop = asyncio.new_event_loop()
        self.synthesizer = SlowToStop(num_chunks=20)
        self.loop.run_until_complete(self._connect())
        self.num_checked = dict.fromkeys(self.wires, 0)
        self.told = defaultdict(list)  # (tenant, stream): kinds
        self.cancelled = defaultdict(int)

    async def _connect(self):
        self.wires = {"red": Wire(), "blue": Wire()}
        services = services_of(self.synthesizer)
        self.serving = [
            asyncio.ensure_future(socket_of(wire, services, tenant).serve())
            for tenant, wire in self.wires.items()
        ]

    def send(self, tenant, **message):
        self.wires[tenant].receives(**message)

    @rule(tenant=TENANTS, name=NAMES)
    def start(self, tenant, name):
        self.send(tenant, type="start", context_id=name, voice="anna")

    @rule(tenant=TENANTS, name=NAMES, end=st.sampled_from(["flush", "close"]))
    def speak(self, tenant, name, end):
        self.start(tenant, name)
        self.text(tenant, name, "Hello there.")
        self.end_text(tenant, name, end)
        self.wait_for_threads(2)

    @rule(tenant=TENANTS, name=NAMES, text=TEXTS)
    def text(self, tenant, name, text):
        self.send(tenant, type="text", context_id=name, text=text)

    @rule(tenant=TENANTS, name=NAMES, kind=st.sampled_from(["flush", "close"]))
    def end_text(self, tenant, name, kind):
        self.send(tenant, type=kind, context_id=name)

    @rule(tenant=TENANTS, name=NAMES)
    def cancel(self, tenant, name):
        self.send(tenant, type="cancel", context_id=name)
        self.cancelled[tenant] += 1

    @rule(turns=st.integers(1, 40))
    def wait(self, turns):
        async def wait():
            for _ in range(turns):
                await asyncio.sleep(0)

        self.loop.run_until_complete(wait())

    @rule(milliseconds=st.integers(1, 4))
    def wait_for_threads(self, milliseconds):
        self.loop.run_until_complete(asyncio.sleep(milliseconds / 1000))

    @rule(chunk=st.none() | st.integers(0, 19))
    def hold(self, chunk):
        self.synthesizer.hold_at = chunk
        self.synthesizer.release()

    @invariant()
    def every_context_is_told_in_order(self):
        for tenant, wire in self.wires.items():
            for message in wire.sent[self.num_checked[tenant] :]:
                self.num_checked[tenant] += 1
                is_late = message.get("state") == "already_done"  # cancelled after its end
                if message.get("stream") is not None and not is_late:
                    kinds = self.told[tenant, message["stream"]]
                    assert not ENDS & set(kinds), (kinds, message)
                    assert kinds or message["type"] in {"started", "cancelled"}, message
                    kinds.append(message["type"])

    @invariant()
    def tenants_do_not_meet(self):
        for key in (*self.synthesizer.cancels, *(r.key for r in self.synthesizer.requests)):
            assert key.session_id.startswith(f"{key.tenant}-")

    def teardown(self):
        if not hasattr(self, "loop"):
            return
        try:
            self.loop.run_until_complete(self._finish())
        finally:
            self.loop.close()
        self.every_context_is_told_in_order()
        for kinds in self.told.values():
            assert len(ENDS & set(kinds)) == 1, kinds
        for tenant, wire in self.wires.items():
            acks = [message for message in wire.sent if message["type"] == "cancelled"]
            assert len(acks) == self.cancelled[tenant]
        assert not self.synthesizer._live

    async def _finish(self):
        self.synthesizer.hold_at = None
        for wire in self.wires.values():
            wire.receives(type="close")

        def all_closed():
            self.synthesizer.release()
            return all(task.done() for task in self.serving)

        await eventually(all_closed, 20, "both sockets have closed", every_s=0.002)
        for task in self.serving:
            task.result()


Protocol.TestCase.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, derandomize=True
)
test_any_order_of_messages = Protocol.TestCase
