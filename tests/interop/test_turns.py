"""How much of a reply a client in a conversation has heard when it interrupts it."""

import asyncio

import pytest

from interop.checks import turns
from interop.checks.turns import LATE_S, ReplySound, hold_turns
from tests.support.clock import Clock


def test_sound_long_behind_the_notice_of_a_voice_is_late():
    clock = Clock()
    reply = ReplySound(clock)
    reply.heard(1.0)
    reply.interrupted()
    clock.now += LATE_S / 2  # in the queues of the client
    reply.heard(0.25)
    clock.now += LATE_S
    reply.interrupted()  # by another voice: the first one counts
    reply.heard(0.5)
    assert reply.told() == {"sound_s": 1.75, "late_s": 0.5}


class Server:
    """Answers each voice at once, and goes on with the reply before it where it `is_deaf`."""

    def __init__(self, *, is_deaf):
        self.is_deaf = is_deaf
        self.reply = ReplySound()
        self.noticed_s = None
        self.began = asyncio.Event()
        self.ended = asyncio.Event()

    def next_turn(self):
        self.began.clear()
        self.ended.clear()

    def say(self, utterance):
        """As a microphone."""
        before = self.reply
        before.interrupted()
        self.noticed_s = 1.12
        if self.is_deaf:
            before.heard(8.0)
        self.reply = ReplySound()
        self.reply.heard(2.0)
        self.began.set()
        self.ended.set()
        return 1.0


@pytest.mark.parametrize(("is_deaf", "heard_s"), [(False, 2.0), (True, 10.0)])
async def test_a_turn_that_interrupts_tells_all_that_came_of_the_reply(
    monkeypatch, is_deaf, heard_s
):
    for pause in ("PAUSE_S", "INTERRUPT_AFTER_S"):
        monkeypatch.setattr(turns, pause, 0)
    server = Server(is_deaf=is_deaf)
    first, second = await hold_turns(server, server, [b"", b""], 2)
    assert first == {"is_interruption": False, "noticed_ms": 120, "cut": None}
    assert second["is_interruption"]
    assert second["cut"]["sound_s"] == heard_s
