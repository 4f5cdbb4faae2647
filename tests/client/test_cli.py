"""The command line against a real server with a fake voice."""

import json
import socket
import threading
import wave

import numpy as np
import pytest

from app.audio.pcm import to_s16le
from app.client.cli import Command, main
from app.client.speech_client import RequestFailed, SpeechClient, _whole_samples
from app.core import CancelState
from app.errors import SynthesisFailed
from tests.api.conftest import serving
from tests.support.fakes import MULTILINGUAL, FakeSynthesizer, tone


@pytest.fixture
def synthesizer():
    return FakeSynthesizer()


@pytest.fixture
def url(synthesizer):
    with serving(synthesizer) as url:
        yield url


@pytest.fixture
def away():
    """The URL of a port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, so that nobody else takes it; not listening
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def read(path):
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24_000)
        return file.readframes(file.getnframes())


def test_say_writes_a_wav_of_true_length(url, synthesizer, tmp_path, capsys):
    out = tmp_path / "hello.wav"
    assert main(["say", "Hello [bold]there.", "--out", str(out), "--url", url]) == 0
    assert read(out) == to_s16le(tone(synthesizer.num_samples))
    assert out.stat().st_size == 44 + 2 * synthesizer.num_samples
    said = capsys.readouterr().out
    assert "hello.wav: first audio after " in said
    assert "0.6 s of audio, real-time factor " in said


def test_say_tells_leg_by_leg_where_the_time_went(url, tmp_path, capsys):
    options = ["--out", str(tmp_path / "x.wav"), "--url", url, "--timeline"]
    assert main(["say", "Hello.", *options]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    legs = {tuple(line.split()[:-2]): float(line.split()[-2]) for line in lines}
    assert legs["server", "claim"] == 2.0
    assert legs["server", "first_audio"] == 250.0
    client_ms = legs["client", "first_audio"]
    outside_ms = legs["client", "connection", "and", "proxy"]
    assert abs(outside_ms + 250.0 + legs["client", "answer", "to", "sample"] - client_ms) < 0.3


def test_say_passes_on_what_it_is_told(tmp_path):
    synthesizer = FakeSynthesizer(MULTILINGUAL)
    options = ["--model", "multilingual", "--voice", "anna", "--language", "fr", "--seed", "9"]
    with serving(synthesizer) as url:
        out = str(tmp_path / "x.wav")
        assert main(["say", "Bonjour.", "--out", out, "--url", url + "/", *options]) == 0
    (request,) = synthesizer.requests
    assert (request.segments, request.voice, request.language) == (("Bonjour.",), "anna", "fr")
    assert request.sampling.seed == 9


def test_models_and_voices(url, capsys):
    assert main(["models", "--url", url]) == 0
    assert main(["voices", "--url", url]) == 0
    assert capsys.readouterr().out.split() == ["english", "default", "anna", "søren"]


@pytest.mark.parametrize(
    "command", [["models"], ["voices"], ["cancel", "x"], ["say", "Hi", "--out", "never.wav"]]
)
def test_a_server_that_is_away_is_said_in_one_line(away, command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([*command, "--url", away]) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"error: no server answers at {away}")
    assert "make serve" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--voice", "nobody"], "404: there is no voice 'nobody'"),
        (["--model", "other"], "404: model 'other' is not served here"),
        (["--language", "en"], "400: language has no effect on model 'english'"),
    ],
)
def test_a_refusal_is_told_and_no_file_is_made(url, options, message, tmp_path, capsys):
    out = tmp_path / "x.wav"
    assert main(["say", "Hello.", "--out", str(out), "--url", url, *options]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_stream_that_breaks_leaves_what_was_heard_well_formed(tmp_path, capsys):
    out = tmp_path / "x.wav"
    with serving(FakeSynthesizer(fail_at=1, fault=SynthesisFailed("lost"))) as url:
        assert main(["say", "Hello.", "--out", str(out), "--url", url]) == 1
    assert "broke off" in capsys.readouterr().err
    assert read(out) == to_s16le(tone(5 * 960))


def test_a_file_that_cannot_be_written_is_told_and_the_session_closed(tmp_path, capsys):
    synthesizer = FakeSynthesizer(hold_at=1)
    with serving(synthesizer) as url:
        out = str(tmp_path / "missing" / "x.wav")
        assert main(["say", "Hello.", "--out", out, "--url", url]) == 1
        assert synthesizer.closed.wait(10)
    assert "missing" in capsys.readouterr().err


def test_cancel_tells_what_was_stopped(tmp_path, capsys):
    synthesizer = FakeSynthesizer(hold_at=1)
    with serving(synthesizer) as url, SpeechClient(url) as client:
        with client.speak("Hello.", model="english", voice="anna", session_id="s") as speech:
            heard = next(speech.pcm)
            assert synthesizer.holding.wait(10)
            assert main(["cancel", "s", "--url", url]) == 0
            assert list(speech.pcm) == []
        assert client.cancel("s").state is CancelState.ALREADY_DONE
        assert client.cancel("nobody").state is CancelState.UNKNOWN
        with pytest.raises(RequestFailed, match="400"):
            client.cancel("a b")
    assert len(heard) == 5 * 960 * 2
    assert capsys.readouterr().out == (
        "stopped: 0.40 s of audio were sent, 12 tokens generated (2 of them never heard), "
        "stopped within 1.5 ms\n"
    )


def test_a_session_cancelled_before_its_first_sound_is_told(tmp_path, capsys):
    synthesizer = FakeSynthesizer(hold_at=0)
    out = tmp_path / "x.wav"

    def cancel_when_held(url):
        assert synthesizer.holding.wait(10)
        with SpeechClient(url) as client:
            client.cancel(synthesizer.requests[0].key.session_id)

    with serving(synthesizer) as url:
        canceller = threading.Thread(target=cancel_when_held, args=[url])
        canceller.start()
        assert main(["say", "Hello.", "--out", str(out), "--url", url]) == 1
        canceller.join()
    assert "was cancelled before its first sound" in capsys.readouterr().err
    assert not out.exists()


def test_pcm_never_splits_a_sample():
    pcm = np.arange(1000, dtype="<i2").tobytes()
    parts = list(_whole_samples(iter([pcm[:1], pcm[1:2], pcm[2:501], pcm[501:]])))
    assert b"".join(parts) == pcm
    assert all(len(part) % 2 == 0 for part in parts)


def test_what_is_no_answer_of_this_server_is_still_told():
    """A proxy's own page has no error object."""
    page = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve_one():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(page)

        thread = threading.Thread(target=serve_one)
        thread.start()
        with (
            SpeechClient(f"http://127.0.0.1:{listener.getsockname()[1]}") as client,
            pytest.raises(RequestFailed, match="502: Bad Gateway") as caught,
        ):
            client.models()
        thread.join()
    assert caught.value.status == 502


def test_another_command_can_be_added(capsys):
    def run(args, terminal):
        terminal.out.print(json.dumps({"file": args.file}))
        return 3

    added = Command("check", "check it", lambda parser: parser.add_argument("file"), run)
    assert main(["check", "a.yaml"], [added]) == 3
    assert json.loads(capsys.readouterr().out) == {"file": "a.yaml"}


@pytest.mark.parametrize("argv", [[], ["say"], ["say", "Hi"], ["fly"]])
def test_wrong_usage_exits_with_2(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage: chatterbox-serve" in capsys.readouterr().err
