"""Attackers do what their name says, and count the answers, on the real interface."""

import asyncio
import os
from contextlib import suppress

import pytest

from app.config import Limits
from loadtests.attackers import ATTACKS, Target, attacking
from tests.support.api_clients import serving
from tests.support.eventually import eventually, eventually_sync
from tests.support.live_synthesizer import LiveSynthesizer

WITHIN_S = 30
NAMED = {"model": "english", "voice": "default"}


@pytest.mark.parametrize(
    ("attack", "answer"),
    [
        ("slow-bodies", "408"),
        ("idle-sockets", "open"),
        ("small-requests", "200"),
        ("stalled-readers", "asked"),
    ],
)
async def test_each_attack_counts_its_answers(attack, answer):
    with serving(LiveSynthesizer(), Limits(body_s=0.5)) as url:
        target = Target(url, **NAMED)
        attacking_once = asyncio.ensure_future(ATTACKS[attack](target))
        await eventually(lambda: target.answers[answer], WITHIN_S, f"{answer} is counted")
        attacking_once.cancel()
        with suppress(asyncio.CancelledError):
            await attacking_once
    assert set(target.answers) == {answer}


def test_a_process_attacks_until_the_end_of_the_block():
    synthesizer = LiveSynthesizer()
    with serving(synthesizer) as url:
        with attacking(url, "stalled-readers", 3, os.environ, **NAMED) as counted:
            eventually_sync(lambda: synthesizer.num_made > 3, WITHIN_S, "the attack has begun")
        assert counted["answers"]["asked"] >= 1
        assert counted["seconds"] > 0
