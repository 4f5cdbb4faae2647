"""The two servers that are compared, each a process of its own, behind one way to use them.

    upstream  benchmarks/upstream_server.py: whole files; a caller that leaves closes its connection
    ours      `serve run` on serve_config.yaml: streams; a caller that leaves calls /cancel

Knows nothing about how many callers there are.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import httpx
import psutil
import yaml

from app.core import SAMPLE_RATE, Mark
from app.errors import Unavailable
from benchmarks.turns import Turns
from benchmarks.upstream_server import WAV_HEADER_BYTES
from deployments.server import ServerProcess, free_port

ROOT = Path(__file__).parents[1]
# As many ids as a published tokenizer makes of a sentence of 80 characters: those of the embedded
# and random models have an id for each character.
TEXT = "Your parcel is there."
BYTES_PER_S = SAMPLE_RATE * 2
STARTED_WITHIN_S = 300.0
ENDED_WITHIN_S = 1800.0  # upstream works off everybody who has left, one after another
REPLICAS = ("ray::ServeReplica:", "ray::Registry", "ray::ProxyActor")


class Load(NamedTuple):
    """What both servers are to do."""

    model: str
    device: str
    max_tokens: int
    policy: str | None  # of our vocoder; None: the model's own
    most_callers: int
    vocoders: int = 1  # replicas of ours
    max_rows: int | None = None  # cells in one call of our vocoder


@dataclass(slots=True)
class Heard:
    """By a listener who plays what comes from its first sound on. Seconds."""

    first_s: float = 0.0  # from the request to the first sound
    stalled_s: float = 0.0  # silences after it, together
    audio_s: float = 0.0

    def hear(self, num_bytes: int, after_s: float) -> None:
        """`num_bytes` of 16-bit sound, so long after the request."""
        if num_bytes <= 0:
            return
        if not self.audio_s:
            self.first_s = after_s
        self.stalled_s = max(self.stalled_s, after_s - self.first_s - self.audio_s)
        self.audio_s += num_bytes / BYTES_PER_S


class Side(Protocol):
    """A server that runs."""

    name: str
    url: str

    async def speak(self, client: httpx.AsyncClient) -> Heard: ...

    async def leave(self, client: httpx.AsyncClient, after_s: float) -> float | None:
        """Ask, and leave so many seconds later. Seconds from then to where no work is done for it;
        None where it had ended before."""
        ...

    def processes(self) -> list[psutil.Process]:
        """Those that serve, and whose memory counts."""
        ...

    def stop(self) -> None: ...


class Upstream:
    name = "upstream"

    def __init__(self, load: Load, folder: Path) -> None:
        """Raises Unavailable where it does not start."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        script = Path(__file__).with_name("upstream_server.py")
        options = ["--model", load.model, "--device", load.device, "--port", str(port)]
        command = [sys.executable, str(script), *options, "--max-tokens", str(load.max_tokens)]
        log_path = folder / "upstream.log"
        with log_path.open("wb") as log, contextlib.ExitStack() as failing:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
            failing.callback(self.stop)
            if not self._answers():
                raise Unavailable(f"it did not start:\n{log_path.read_text()[-3000:]}")
            failing.pop_all()

    def _answers(self) -> bool:
        give_up_s = time.monotonic() + STARTED_WITHIN_S
        while time.monotonic() < give_up_s and self._process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health", timeout=2).is_success:
                    return True
            time.sleep(0.5)
        return False

    async def speak(self, client: httpx.AsyncClient) -> Heard:
        return await _listen(client, "/tts", {"text": TEXT}, WAV_HEADER_BYTES)

    async def leave(self, client: httpx.AsyncClient, after_s: float) -> float | None:
        request_id = uuid.uuid4().hex
        headers = {"X-Request-ID": request_id}
        asking = asyncio.ensure_future(client.post("/tts", json={"text": TEXT}, headers=headers))
        await asyncio.wait({asking}, timeout=after_s)
        left_s = time.monotonic()
        asking.cancel()
        await asyncio.wait({asking})
        while time.monotonic() < left_s + ENDED_WITHIN_S:
            answer = await client.get(f"/generations/{request_id}")
            if answer.is_success:
                ended_s = float(answer.json()["ended_s"])
                return ended_s - left_s if ended_s > left_s else None
            await asyncio.sleep(0.1)
        raise Unavailable("upstream did not end what was left")

    def processes(self) -> list[psutil.Process]:
        return [psutil.Process(self._process.pid)]

    def stop(self) -> None:
        self._process.kill()  # asked politely, it would first finish for those who have left
        self._process.wait()


class Ours:
    name = "ours"

    def __init__(self, load: Load, folder: Path) -> None:
        """Raises Unavailable where it does not start."""
        path = folder / "serve_config.yaml"
        path.write_text(yaml.safe_dump(config(load)))
        self._server = ServerProcess(path, free_port(), log=folder / "ours.log")
        self.url = self._server.url
        with contextlib.ExitStack() as failing:
            failing.callback(self.stop)
            self._server.wait_ready(STARTED_WITHIN_S)
            voices = httpx.get(f"{self.url}/v1/audio/voices").json()["voices"]
            failing.pop_all()
        self._model, self._voice = load.model, voices[0]["id"]
        self._body = {
            "model": load.model,
            "voice": self._voice,
            "input": TEXT,
            "response_format": "pcm",
            "max_tokens": load.max_tokens,
        }

    async def speak(self, client: httpx.AsyncClient) -> Heard:
        return await _listen(client, "/v1/audio/speech", self._body, 0)

    async def leave(self, client: httpx.AsyncClient, after_s: float) -> float | None:
        turns = Turns(client, self._model, self._voice)
        turn = await turns.stopped(TEXT, "http", after_s, heard=False)
        await turns.told(turn)
        stages = (turn.marks.get(mark) for mark in (Mark.T3_STOPPED, Mark.VOCODER_DROPPED))
        ended = [at_s for at_s in stages if at_s is not None]
        if turn.stopped_s is None or not ended:
            return None
        return max(0.0, max(ended) - turn.stopped_s)

    def processes(self) -> list[psutil.Process]:
        return [
            process
            for process in self._server.processes()
            if " ".join(process.cmdline()).startswith(REPLICAS)
        ]

    def stop(self) -> None:
        self._server.stop()


SIDES: dict[str, type[Upstream] | type[Ours]] = {"upstream": Upstream, "ours": Ours}


def config(load: Load) -> dict[str, Any]:
    """serve_config.yaml for this load: room for every caller at once, and nothing that upstream
    does not do (pacing, guards against runaway generation, refusing those who would wait)."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    guards = {"least_tokens": 0, "most_per_text_token": None, "loop_tokens": None}
    content["applications"][0]["args"] |= {
        "model": load.model,
        "device": load.device,
        "t3": {"slots": load.most_callers, "guards": guards},
        "vocoder": {
            "slots": 2 * load.most_callers,
            "policy": load.policy,
            "max_rows": load.max_rows,
        },
        "vocoder_replicas": load.vocoders,
        "limits": {"send_ahead_s": None, "first_audio_s": ENDED_WITHIN_S},
    }
    return content


async def _listen(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], num_header: int
) -> Heard:
    """Raises RuntimeError for any answer but sound."""
    heard, num_bytes, sent_s = Heard(), 0, time.monotonic()
    async with client.stream("POST", path, json=body) as response:
        if response.status_code != httpx.codes.OK:
            await response.aread()
            raise RuntimeError(f"{response.status_code}: {response.text}")
        async for part in response.aiter_raw():
            after_s = time.monotonic() - sent_s
            is_header = max(0, min(len(part), num_header - num_bytes))
            heard.hear(len(part) - is_header, after_s)
            num_bytes += len(part)
    if not heard.audio_s:
        raise RuntimeError("an answer without sound")
    return heard
