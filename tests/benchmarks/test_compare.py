"""The arithmetic of the comparison, and upstream's server on the embedded model."""

import asyncio
import io
import itertools
import json
import threading

import httpx
import psutil
import pytest
import soundfile
import torch

from app.engine.checkpoint.source import open_checkpoint
from app.text.segments import segment
from benchmarks.compare import Round, main, parse, row, run, table
from benchmarks.compare_plot import draw
from benchmarks.compare_sides import BYTES_PER_S, SIDES, TEXT, Heard, Load, config
from benchmarks.upstream_server import WAV_HEADER_BYTES, build_app, load

LOAD = Load("embedded-turbo", "cpu", 100, "chunked", 8)


def heard(*parts: tuple[float, float]) -> Heard:
    """Of (when, seconds of sound)."""
    turn = Heard()
    for after_s, audio_s in parts:
        turn.hear(int(audio_s * BYTES_PER_S), after_s)
    return turn


def test_a_listener_who_is_served_in_time_is_never_stalled():
    turn = heard((1.0, 0.5), (1.4, 0.5), (2.0, 0.25))
    assert (turn.first_s, turn.stalled_s, turn.audio_s) == (1.0, 0.0, 1.25)


def test_silences_of_a_turn_add_up():
    turn = heard((1.0, 0.5), (1.75, 0.5), (2.5, 0.25))  # 0.25 s, twice
    assert turn.stalled_s == pytest.approx(0.5)


def test_a_header_is_no_sound():
    turn = Heard()
    turn.hear(0, 0.5)
    turn.hear(BYTES_PER_S, 1.0)
    assert (turn.first_s, turn.audio_s) == (1.0, 1.0)


def test_a_row_holds_what_the_last_line_promises():
    smooth, stalled = Heard(0.2, 0.1, 4.0), Heard(0.4, 0.11, 4.0)
    rounds = [Round([smooth, stalled], 4.0, [0.01], 800.2), Round([smooth] * 2, 2.0, [], 700.0)]
    assert row("ours", 2, rounds) == {
        "server": "ours",
        "num_callers": 2,
        "ttfa_ms": {"p50": 200.0, "p95": 400.0},
        "audio_s_per_s": 3.0,
        "stalled_share": 0.25,
        "cancel_stop_ms": 10.0,
        "peak_memory_mb": 800,
    }


def test_where_nobody_left_in_time_no_stop_is_told():
    (told,) = [row("upstream", 1, [Round([Heard(2.0, 0.0, 4.0)], 2.0, [], 900.0)])]
    assert told["cancel_stop_ms"] is None
    assert (
        table([told]).splitlines()[-1] == "| upstream | 1 | 2,000 | 2,000 | 2.00 | 0% | - | 900 |"
    )


def test_both_servers_are_drawn(tmp_path):
    both = itertools.product(("upstream", "ours"), (1, 8))
    rows = [row(name, n, [Round([Heard(1.0, 0.0, 4.0)], 2.0, [], 9.0)]) for name, n in both]
    draw(rows, "embedded-babble", tmp_path / "plot.svg")
    drawn = (tmp_path / "plot.svg").read_text()
    assert drawn.count("<!-- upstream -->") == 1
    assert drawn.count("<!-- ours -->") == 1


def test_the_text_is_one_segment_for_both():
    assert len(segment(TEXT, max_chars=280)) == 1


def test_our_config_has_room_for_every_caller():
    args = config(LOAD)["applications"][0]["args"]
    assert (args["model"], args["vocoder"]["policy"]) == ("embedded-turbo", "chunked")
    assert (args["t3"]["slots"], args["vocoder"]["slots"]) == (8, 16)
    assert config(LOAD._replace(vocoders=2))["applications"][0]["args"]["vocoder_replicas"] == 2


@pytest.mark.parametrize("arguments", [["--servers", "theirs"], ["--num-callers", "0"]])
def test_what_cannot_be_compared_is_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        parse(arguments)
    assert arguments[0] in capsys.readouterr().err


@pytest.mark.parametrize("model", ["embedded-babble", "embedded-turbo"])
async def test_upstreams_server_answers_a_whole_file_of_the_length_it_is_held_to(model):
    spoken = load(open_checkpoint(model), torch.device("cpu"), max_tokens=5)
    async with _client(spoken) as client:
        answer = await client.post("/tts", json={"text": "Hi."}, headers={"X-Request-ID": "one"})
        told = (await client.get("/generations/one")).json()
        assert (await client.get("/generations/another")).status_code == httpx.codes.NOT_FOUND
    wave, rate = soundfile.read(io.BytesIO(answer.content), dtype="int16")
    num_silent = 3 if model == "embedded-turbo" else 0  # tokens that turbo adds
    assert (rate, len(wave)) == (24_000, 960 * (5 + num_silent))
    assert answer.content[WAV_HEADER_BYTES:] == wave.tobytes()
    assert wave.any()
    assert told["begun_s"] < told["ended_s"]


async def test_upstreams_server_lets_one_generation_in_at_a_time():
    speaker = _Speaker()
    async with _client(speaker) as client:
        answers = await asyncio.gather(*(client.post("/tts", json={"text": "Hi."}) for _ in "ab"))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert not speaker.two_met


class _Speaker:
    """Each caller waits a while for another to come in beside it."""

    sr = 24_000

    def __init__(self) -> None:
        self._pair = threading.Barrier(2)
        self.two_met = False

    def generate(self, text: str) -> torch.Tensor:
        try:
            self._pair.wait(timeout=0.5)
            self.two_met = True
        except threading.BrokenBarrierError:
            self._pair.reset()
        return torch.zeros(1, 960)


class _Side:
    """A server that is there at once, and answers each caller after all have asked."""

    name = url = "http://ours"
    stopped = 0

    def __init__(self, load: Load, folder: object) -> None:
        self._barrier = asyncio.Barrier(load.most_callers)

    async def speak(self, client: httpx.AsyncClient) -> Heard:
        return Heard(0.2, 0.0, 4.0)

    async def leave(self, client: httpx.AsyncClient, after_s: float) -> float | None:
        assert after_s == pytest.approx(0.1)  # half of what a lone caller waits
        await self._barrier.wait()
        return 0.01

    def processes(self) -> list[psutil.Process]:
        return [psutil.Process()]

    def stop(self) -> None:
        type(self).stopped += 1


def test_the_last_line_is_one_json_object(monkeypatch, capsys):
    monkeypatch.setitem(SIDES, "ours", _Side)
    monkeypatch.setattr(_Side, "stopped", 0)
    options = ["--servers", "ours", "--num-callers", "3", "--turns", "2", "--rounds", "2"]
    monkeypatch.setattr("sys.argv", ["compare.py", *options])
    main()
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(result) == ["benchmark", "model", "rows"]
    assert (result["benchmark"], result["model"]) == ("compare", "embedded")
    (told,) = result["rows"]
    assert (told["server"], told["num_callers"]) == ("ours", 3)
    assert (told["ttfa_ms"], told["cancel_stop_ms"]) == ({"p50": 200.0, "p95": 200.0}, 10.0)
    assert told["audio_s_per_s"] > 0
    assert told["peak_memory_mb"] > 0
    assert _Side.stopped == 2


def test_a_server_is_stopped_where_measuring_it_fails(monkeypatch):
    class Mute(_Side):
        async def speak(self, client: httpx.AsyncClient) -> Heard:
            raise RuntimeError("503: overloaded")

    monkeypatch.setitem(SIDES, "ours", Mute)
    with pytest.raises(RuntimeError, match="overloaded"):
        run("ours", LOAD, parse(["--servers", "ours"]))
    assert Mute.stopped == 1


def _client(spoken) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(build_app(spoken))
    return httpx.AsyncClient(transport=transport, base_url="http://upstream")
