"""Ray's GCS dies under a server: /health says so, and each listener is told."""

import asyncio
from pathlib import Path

import httpx
import pytest
import yaml

from deployments.server import running
from tests.support.deployments.event_streams import BROKEN_OFF, opened, until_heard
from tests.support.deployments.served_app import LONG_TEXT, client_of, speech_body
from tests.support.eventually import eventually

ROOT = Path(__file__).parents[2]
TOLD_WITHIN_S = 15  # 3 s and 5 s on a quiet machine


@pytest.mark.long
async def test_a_dead_gcs_turns_health_red_and_ends_every_session_with_its_name(tmp_path):
    content = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    content["applications"][0]["args"]["model"] = "embedded-babble"
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(content))
    with running(config, tmp_path / "log") as server:
        async with client_of(f"{server.url}/") as client:
            body = speech_body(LONG_TEXT * 8)
            streams = [opened(client, body, sse=sse) for sse in (True, False)]
            await until_heard(*streams)
            assert not any(stream.task.done() for stream in streams)
            (gcs,) = [other for other in server.processes() if other.name() == "gcs_server"]
            gcs.kill()

            async def status() -> bool:
                answer = await client.get("health")
                is_red = answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
                return is_red and answer.json()["status"] == "cluster_away"

            await eventually(status, TOLD_WITHIN_S, "/health says cluster_away", every_s=0.1)
            async with asyncio.timeout(TOLD_WITHIN_S):
                await asyncio.gather(*(stream.task for stream in streams))
            assert [stream.error for stream in streams] == ["cluster_away", BROKEN_OFF]
            whole = await client.post("v1/audio/speech", json=body | {"stream": False})
            assert whole.status_code == httpx.codes.SERVICE_UNAVAILABLE
            assert whole.json()["error"]["code"] == "cluster_away"
            assert whole.headers["retry-after"]
        server.stop(0)
