"""The seconds that a key may have heard in a day."""

import pytest
import websockets

from app.api.realtime.heard_quota import HeardQuota
from app.errors import BadRequest
from app.realtime_settings import RealtimeSettings
from tests.support.api_keys import bearer_of, key
from tests.support.clock import Clock
from tests.support.realtime_client import realtime_client

KEY = key("secret", "caller", heard_s_per_day=10)


async def test_sound_beyond_the_keys_quota_ends_the_session(synthesizer):
    headers = bearer_of("secret")
    fast = RealtimeSettings(max_behind_s=60)
    async with realtime_client(synthesizer, keys=(KEY,), headers=headers, settings=fast) as client:
        await client.say(9.5)
        await client.ears()
        await client.say(0.6)
        error = (await client.last("error"))["error"]
        assert (error["code"], error["param"]) == ("rate_limit_exceeded", "heard_s_per_day")
        with pytest.raises(websockets.ConnectionClosed):
            await client.until("never")
        assert client.socket.close_code == 1008
        assert client.observer.heard_s == pytest.approx(9.5, abs=0.2)


def test_the_clock_pays_for_sound():
    clock = Clock()
    quota = HeardQuota(None, None, 2.0, clock)
    quota.pace(2.0)
    with pytest.raises(BadRequest, match="ahead of the clock"):
        quota.pace(0.1)
    clock.now = clock() + 1.0
    quota.pace(1.0)
    clock.now = clock() + 3600.0
    quota.pace(2.0)
    with pytest.raises(BadRequest):
        quota.pace(0.1)
