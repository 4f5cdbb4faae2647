"""The figures of the comparison, and upstream's server on the embedded models."""

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

from app.config import ServeArgs
from app.engine.checkpoint.source import open_checkpoint
from app.text.segments import segment
from benchmarks.compare import Round, main, parse, row, run, table
from benchmarks.compare_plot import draw
from benchmarks.compare_sides import SIDES, TEXT, Load, config
from benchmarks.upstream_server import WAV_HEADER_BYTES, build_app, load
from loadtests.playback import Player
from tests.support.players import player_of

LOAD = Load("embedded-turbo", "cpu", 100, "chunked", 8)


def test_a_row_has_the_figures_of_all_rounds():
    smooth, stalled = player_of(0.2, 4.0, late_s=0.09), player_of(0.4, 4.0, late_s=0.11)
    rounds = [Round([smooth, stalled], 4.0, [0.01], 800.2), Round([smooth] * 2, 2.0, [], 700.0)]
    assert row("ours", 2, rounds) == {
        "server": "ours",
        "num_callers": 2,
        "ttfa_ms": {"p50": 200.0, "p95": 400.0},
        "needed_prebuffer_ms": {"p50": 90.0, "p95": 110.0},
        "told_prebuffer_ms": {"p50": None, "p95": None},
        "audio_s_per_s": 3.0,
        "stalled_share": 0.25,
        "cancel_stop_ms": 10.0,
        "peak_memory_mb": 800,
    }


def test_a_row_without_a_stop_has_no_stop_time():
    figures = row("upstream", 1, [Round([player_of(2.0, 4.0)], 2.0, [], 900.0)])
    assert figures["cancel_stop_ms"] is None
    last = table([figures]).splitlines()[-1]
    assert last == "| upstream | 1 | 2,000 | 2,000 | 0 | 0 | 2.00 | 0% | - | 900 |"


def test_the_plot_has_both_servers(tmp_path):
    both = itertools.product(("upstream", "ours"), (1, 8))
    rows = [row(name, n, [Round([player_of(1.0, 4.0)], 2.0, [], 9.0)]) for name, n in both]
    draw(rows, "embedded-babble", tmp_path / "plot.svg")
    drawn = (tmp_path / "plot.svg").read_text()
    assert drawn.count("<!-- upstream -->") == 1
    assert drawn.count("<!-- ours -->") == 1


def test_the_text_is_one_segment_for_both():
    assert len(segment(TEXT, max_chars=280)) == 1


def test_our_config_has_room_for_every_caller_and_admits_all():
    args = config(LOAD)["applications"][0]["args"]
    assert args["limits"]["admit"] == "all"
    assert (args["model"], args["vocoder"]["policy"]) == ("embedded-turbo", "chunked")
    assert (args["t3"]["slots"], args["vocoder"]["slots"]) == (8, 16)
    assert config(LOAD._replace(vocoders=2))["applications"][0]["args"]["vocoder_replicas"] == 2


@pytest.mark.parametrize("dtype", ["auto", "int8"])
def test_our_stages_have_the_precision_that_is_asked_for(dtype):
    args = ServeArgs.model_validate(config(LOAD._replace(dtype=dtype))["applications"][0]["args"])
    assert (args.t3.dtype == "int8", args.vocoder.dtype == "int8") == (dtype == "int8",) * 2


@pytest.mark.parametrize("arguments", [["--servers", "theirs"], ["--num-callers", "0"]])
def test_a_faulty_option_is_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        parse(arguments)
    assert arguments[0] in capsys.readouterr().err


@pytest.mark.parametrize("model", ["embedded-babble", "embedded-turbo"])
async def test_upstreams_server_keeps_the_limit_of_tokens(model):
    upstream = load(open_checkpoint(model), torch.device("cpu"), max_tokens=5)
    async with _client(upstream) as client:
        answer = await client.post("/tts", json={"text": "Hi."}, headers={"X-Request-ID": "one"})
        generation = (await client.get("/generations/one")).json()
        assert (await client.get("/generations/another")).status_code == httpx.codes.NOT_FOUND
    wave, rate = soundfile.read(io.BytesIO(answer.content), dtype="int16")
    num_silent = 3 if model == "embedded-turbo" else 0  # tokens that turbo adds
    assert (rate, len(wave)) == (24_000, 960 * (5 + num_silent))
    assert answer.content[WAV_HEADER_BYTES:] == wave.tobytes()
    assert wave.any()
    assert generation["begun_s"] < generation["ended_s"]


async def test_upstreams_server_runs_one_generation_at_a_time():
    model = _MeetingModel()
    async with _client(model) as client:
        answers = await asyncio.gather(*(client.post("/tts", json={"text": "Hi."}) for _ in "ab"))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert not model.two_met


class _MeetingModel:
    """Each call waits a while for another call at the same time."""

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
    """A server that starts at once. All callers leave at the same time."""

    name = url = "http://ours"
    stopped = 0

    def __init__(self, load: Load, folder: object) -> None:
        self._barrier = asyncio.Barrier(load.most_callers)

    async def speak(self, client: httpx.AsyncClient) -> Player:
        return player_of(0.2, 4.0)

    async def leave(self, client: httpx.AsyncClient, after_s: float) -> float | None:
        assert after_s == pytest.approx(0.1)  # half of a lone caller's time to first audio
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
    assert list(result) == ["benchmark", "model", "dtype", "rows"]
    assert (result["benchmark"], result["model"]) == ("compare", "embedded")
    (figures,) = result["rows"]
    assert (figures["server"], figures["num_callers"]) == ("ours", 3)
    assert figures["ttfa_ms"] == {"p50": 200.0, "p95": 200.0}
    assert figures["cancel_stop_ms"] == 10.0
    assert figures["audio_s_per_s"] > 0
    assert figures["peak_memory_mb"] > 0
    assert _Side.stopped == 2


def test_a_failed_measurement_stops_the_server(monkeypatch):
    class Overloaded(_Side):
        async def speak(self, client: httpx.AsyncClient) -> Player:
            raise RuntimeError("503: overloaded")

    monkeypatch.setitem(SIDES, "ours", Overloaded)
    with pytest.raises(RuntimeError, match="overloaded"):
        run("ours", LOAD, parse(["--servers", "ours"]))
    assert Overloaded.stopped == 1


def _client(model) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(build_app(model))
    return httpx.AsyncClient(transport=transport, base_url="http://upstream")
