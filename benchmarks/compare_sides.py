"""The two servers of the comparison, behind one interface. Each runs in processes of its own.

    upstream  benchmarks/upstream_server.py: whole files; a caller that leaves closes its connection
    ours      `serve run` on serve_config.yaml: streams; a caller that leaves calls /cancel

Knows nothing about the number of callers.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import httpx
import psutil
import yaml

from app.core import Mark
from app.errors import Unavailable
from benchmarks.players import play, play_on_socket
from benchmarks.turns import Turns
from benchmarks.upstream_server import WAV_HEADER_BYTES
from deployments.process_titles import PROXY, REGISTRY, REPLICA, titled
from deployments.server import ServerProcess, free_port
from loadtests.playback import Player
from loadtests.spoken_sockets import Via

ROOT = Path(__file__).parents[1]
# The embedded and random models have one text id per character. A published tokenizer makes about
# this number of ids from a sentence of 80 characters.
TEXT = "Your parcel is there."
STARTED_WITHIN_S = 300.0
ENDED_WITHIN_S = 1800.0  # upstream finishes the requests of all callers that left, one by one
OURS = (*REPLICA, *REGISTRY, *PROXY)


class Load(NamedTuple):
    """The settings of both servers."""

    model: str
    device: str
    max_tokens: int
    policy: str | None  # of our vocoder; None: the model's policy
    most_callers: int
    vocoders: int = 1  # replicas of our vocoder
    max_rows: int | None = None  # cells in one call of our vocoder
    start: str = "soonest"  # of our streams
    via: Via = "http"  # to our server


class Side(Protocol):
    """A running server."""

    name: str
    url: str

    async def speak(self, client: httpx.AsyncClient) -> Player: ...

    async def leave(self, client: httpx.AsyncClient, after_s: float) -> float | None:
        """Sends a request and leaves `after_s` later. Returns the seconds from the leaving to the
        end of the server's work for it; None if the work had ended before."""
        ...

    def processes(self) -> list[psutil.Process]:
        """The serving processes, whose memory counts."""
        ...

    def stop(self) -> None: ...


class Upstream:
    name = "upstream"

    def __init__(self, load: Load, folder: Path) -> None:
        """Raises Unavailable if the server does not start."""
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
                raise Unavailable(
                    f"upstream's server did not start:\n{log_path.read_text()[-3000:]}"
                )
            failing.pop_all()

    def _answers(self) -> bool:
        give_up_s = time.monotonic() + STARTED_WITHIN_S
        while time.monotonic() < give_up_s and self._process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health", timeout=2).is_success:
                    return True
            time.sleep(0.5)
        return False

    async def speak(self, client: httpx.AsyncClient) -> Player:
        return await play(client, "/tts", {"text": TEXT}, WAV_HEADER_BYTES)

    async def leave(self, client: httpx.AsyncClient, after_s: float) -> float | None:
        request_id = uuid.uuid4().hex
        headers = {"X-Request-ID": request_id}
        request = asyncio.ensure_future(client.post("/tts", json={"text": TEXT}, headers=headers))
        await asyncio.wait({request}, timeout=after_s)
        left_s = time.monotonic()
        request.cancel()
        await asyncio.wait({request})
        while time.monotonic() < left_s + ENDED_WITHIN_S:
            answer = await client.get(f"/generations/{request_id}")
            if answer.is_success:
                ended_s = float(answer.json()["ended_s"])
                return ended_s - left_s if ended_s > left_s else None
            await asyncio.sleep(0.1)
        raise Unavailable("upstream did not finish the abandoned request")

    def processes(self) -> list[psutil.Process]:
        return [psutil.Process(self._process.pid)]

    def stop(self) -> None:
        self._process.kill()  # SIGTERM would first finish the abandoned requests
        self._process.wait()


class Ours:
    name = "ours"

    def __init__(self, load: Load, folder: Path) -> None:
        """Raises Unavailable if the server does not start."""
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
        self._via = load.via
        self._body = {
            "model": load.model,
            "voice": self._voice,
            "response_format": "pcm",
            "max_tokens": load.max_tokens,
            "start": load.start,
        }

    async def speak(self, client: httpx.AsyncClient) -> Player:
        if self._via == "http":
            return await play(client, "/v1/audio/speech", self._body | {"input": TEXT})
        return await play_on_socket(client, self._via, TEXT, self._voice, self._body)

    async def leave(self, client: httpx.AsyncClient, after_s: float) -> float | None:
        turns = Turns(client, self._model, self._voice)
        turn = await turns.stop(TEXT, self._via, after_s, after_first_audio=False)
        await turns.fetch_report(turn)
        stages = (turn.marks.get(mark) for mark in (Mark.T3_STOPPED, Mark.VOCODER_DROPPED))
        ended = [at_s for at_s in stages if at_s is not None]
        if turn.stopped_s is None or not ended:
            return None
        return max(0.0, max(ended) - turn.stopped_s)

    def processes(self) -> list[psutil.Process]:
        return titled(self._server.processes(), OURS)

    def stop(self) -> None:
        self._server.stop()


SIDES: dict[str, type[Upstream] | type[Ours]] = {"upstream": Upstream, "ours": Ours}


def config(load: Load) -> dict[str, Any]:
    """serve_config.yaml with a slot for every caller, and without the features that upstream
    lacks: pacing, guards against runaway generation, and refusals."""
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
        "limits": {
            "send_ahead_s": None,
            "lead_s": None,
            "first_audio_s": ENDED_WITHIN_S,
            "admit": "all",
        },
    }
    return content
