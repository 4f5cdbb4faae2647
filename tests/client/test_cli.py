"""The command line against a real server with a fake voice."""

import re
import socket
import subprocess
import sys
import threading
import wave

import httpx
import pytest
import typer

from app.audio.captions import srt, vtt
from app.audio.pcm import to_s16le
from app.client.cli import PROGRAM, app, main
from app.client.speech_client import RequestFailed, SpeechClient
from app.core import CancelState
from app.errors import SynthesisFailed
from app.spoken_words import SpokenWord, Transcript
from app.voices.library import VoiceLibrary
from tests.support.api_clients import serving
from tests.support.fakes import MULTILINGUAL, FakeSynthesizer, tone

pytestmark = pytest.mark.full  # seconds in all


@pytest.fixture
def synthesizer():
    return FakeSynthesizer()


@pytest.fixture
def url(synthesizer):
    with serving(synthesizer) as url:
        yield url


@pytest.fixture
def away():
    """The URL of a port on which no process listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound: no other process can take the port
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


@pytest.mark.parametrize(
    ("option", "names"),
    [
        ([], ["connection and proxy", "answer to sample", "first_audio"]),
        (["--socket"], ["handshake", "start to started", "connection and proxy", "first_audio"]),
    ],
    ids=["http", "socket"],
)
def test_say_timeline_prints_the_legs_of_server_and_client(url, tmp_path, capsys, option, names):
    options = ["--out", str(tmp_path / "x.wav"), "--url", url, "--timeline", *option]
    assert main(["say", "Hello.", *options]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    legs = {(words[0], " ".join(words[1:-2])): float(words[-2]) for words in lines}
    assert legs["server", "claim"] == 2.0
    assert legs["server", "first_audio"] == 250.0
    assert [name for side, name in legs if side == "client"] == names
    parts_ms = sum(legs["client", name] for name in names[:-1])
    assert abs(parts_ms + 250.0 - legs["client", "first_audio"]) < 0.3


def test_say_over_the_socket_writes_the_whole_text(url, synthesizer, tmp_path, capsys):
    out = tmp_path / "hello.wav"
    options = ["--out", str(out), "--url", url, "--socket", "--voice", "anna", "--seed", "9"]
    assert main(["say", "Hello there.", *options]) == 0
    assert read(out) == to_s16le(tone(synthesizer.num_samples))
    (request,) = synthesizer.requests
    assert (request.segments, request.voice.name) == (("Hello there.",), "anna")
    assert request.sampling.seed == 9


def test_an_error_over_the_socket_is_one_line(url, tmp_path, capsys):
    options = ["--out", str(tmp_path / "x.wav"), "--url", url, "--socket", "--voice", "nobody"]
    assert main(["say", "Hello.", *options]) == 1
    error = capsys.readouterr().err
    assert error.count("error: ") == 1
    assert "nobody" in error


def test_say_sends_model_voice_language_and_seed(tmp_path):
    synthesizer = FakeSynthesizer(MULTILINGUAL)
    options = ["--model", "multilingual", "--voice", "anna", "--language", "fr", "--seed", "9"]
    with serving(synthesizer) as url:
        out = str(tmp_path / "x.wav")
        assert main(["say", "Bonjour.", "--out", out, "--url", url + "/", *options]) == 0
    (request,) = synthesizer.requests
    assert (request.segments, request.voice.name, request.language) == (("Bonjour.",), "anna", "fr")
    assert request.sampling.seed == 9


SAID = Transcript(
    "Hello there.",
    (SpokenWord("Hello", 0, 5, 40.0, 400.0), SpokenWord("there.", 6, 12, 400.0, 900.0)),
    1000.0,
)


@pytest.mark.parametrize("option", [[], ["--socket"]], ids=["http", "socket"])
@pytest.mark.parametrize("kind", ["vtt", "srt"])
def test_say_writes_captions(url, synthesizer, tmp_path, option, kind):
    synthesizer.transcripts = AnyId(SAID)
    captions = tmp_path / f"hello.{kind}"
    options = ["--out", str(tmp_path / "x.wav"), "--url", url, "--captions", str(captions)]
    assert main(["say", "Hello there.", *options, *option]) == 0
    assert captions.read_text() == {"vtt": vtt, "srt": srt}[kind](SAID)
    [asked] = synthesizer.transcripts.asked
    [request] = synthesizer.requests
    takes = {asked: 0, f"{asked}-0": 1}  # the context is named, not its first take
    assert takes[request.key.session_id] == bool(option)


def test_captions_of_another_kind_are_refused_before_anything_is_spoken(
    url, synthesizer, tmp_path, capsys
):
    options = ["--out", str(tmp_path / "x.wav"), "--url", url, "--captions", "hello.txt"]
    assert main(["say", "Hello there.", *options]) == 2
    assert ".vtt or .srt" in capsys.readouterr().err
    assert synthesizer.requests == []


class AnyId:
    """A transcript of every session."""

    def __init__(self, transcript):
        self.transcript = transcript
        self.asked = []

    def get(self, session_id):
        self.asked.append(session_id)
        return self.transcript


def test_explain_prints_what_the_model_would_get(url, synthesizer, capsys):
    assert main(["explain", "# I **owe** $5\n\n[laugh]", "--strip-markdown", "--url", url]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "I owe five dollars",
        "    '$5' is said as 'five dollars'",
        "left out: '[laugh]' (tag)",
    ]
    assert synthesizer.requests == []


def test_models_and_voices_print_one_name_per_line(url, capsys):
    assert main(["models", "--url", url]) == 0
    assert main(["voices", "--url", url]) == 0
    assert capsys.readouterr().out.split() == ["english", "default", "anna", "søren"]


@pytest.mark.parametrize("of", [[], ["--voice", "søren"]], ids=["every voice", "one voice"])
def test_pronunciations_are_printed_one_per_line(synthesizer, tmp_path, capsys, of):
    with serving(synthesizer, library=VoiceLibrary(str(tmp_path))) as url:
        body = {"pronunciations": [{"term": "SQL", "say": "sequel"}, {"term": "C++", "say": "see"}]}
        query = {"voice": of[1]} if of else {}
        httpx.put(f"{url}/v1/audio/pronunciations", json=body, params=query).raise_for_status()
        assert main(["pronunciations", *of, "--url", url]) == 0
    assert capsys.readouterr().out.splitlines() == ["SQL: sequel", "C++: see"]


@pytest.mark.parametrize(
    "command",
    [
        ["explain", "Hi"],
        ["models"],
        ["pronunciations"],
        ["voices"],
        ["cancel", "x"],
        ["say", "Hi", "--out", "never.wav"],
        ["say", "Hi", "--out", "never.wav", "--socket", "--model", "m", "--voice", "v"],
    ],
)
def test_a_server_that_does_not_answer_is_one_error_line(
    away, command, capsys, tmp_path, monkeypatch
):
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
def test_say_prints_a_refusal_and_makes_no_file(url, options, message, tmp_path, capsys):
    out = tmp_path / "x.wav"
    assert main(["say", "Hello.", "--out", str(out), "--url", url, *options]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_broken_stream_leaves_a_well_formed_file(tmp_path, capsys):
    out = tmp_path / "x.wav"
    with serving(FakeSynthesizer(fail_at=1, error=SynthesisFailed("lost"))) as url:
        assert main(["say", "Hello.", "--out", str(out), "--url", url]) == 1
    assert "broke off" in capsys.readouterr().err
    assert read(out) == to_s16le(tone(5 * 960))


def test_a_file_that_cannot_be_written_cancels_the_session(tmp_path, capsys):
    synthesizer = FakeSynthesizer(hold_at=1)
    with serving(synthesizer) as url:
        out = str(tmp_path / "missing" / "x.wav")
        assert main(["say", "Hello.", "--out", out, "--url", url]) == 1
        assert synthesizer.closed.wait(10)
    assert "missing" in capsys.readouterr().err


def test_cancel_prints_what_was_stopped(tmp_path, capsys):
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
        "stopped: 0.40 s of audio were sent, 12 tokens were generated (2 of them were never "
        "heard), stopped within 1.5 ms\n"
    )


def test_say_reports_a_session_that_was_cancelled_before_its_first_audio(tmp_path, capsys):
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
        canceller.join(10)
        assert not canceller.is_alive(), "the cancel was not answered"
    assert "was cancelled before its first audio" in capsys.readouterr().err
    assert not out.exists()


COMMANDS = ("say", "explain", "models", "voices", "pronunciations", "cancel")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_examples(command, capsys):
    assert main([command, "--help"]) == 0
    page = capsys.readouterr().out
    assert page.startswith(f"Usage: {PROGRAM} {command} ")
    assert re.search(rf"^  Examples:\n    {PROGRAM} {command}", page, re.MULTILINE)


@pytest.mark.parametrize("argv", [["--help"], ["-h"]])
def test_help_lists_every_command(argv, capsys):
    assert main(argv) == 0
    page = capsys.readouterr().out
    assert set(COMMANDS) <= set(re.findall(r"^  (\S+)", page, re.MULTILINE))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_printed(shell, capsys, monkeypatch):
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: shell)
    assert main(["--show-completion"]) == 0
    assert "_CHATTERBOX_SERVE_COMPLETE=complete_" + shell in capsys.readouterr().out


def test_the_shell_completes_a_command(capsys, monkeypatch):
    monkeypatch.setenv("_CHATTERBOX_SERVE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"{PROGRAM} mo")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert main([]) == 0
    assert capsys.readouterr().out.split() == ["models"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "Missing command"),
        (["say"], "Missing argument 'text'"),
        (["say", "Hi"], "Missing option '--out'"),
        (["say", "--out", "x.wav"], "Missing argument 'text'"),
        (["say", "Hi", "--out", "x.wav", "--seed", "x"], "'--seed'"),
        (["models", "--uri", "x"], "No such option: --uri"),
        (["fly"], "No such command 'fly'"),
    ],
)
def test_wrong_usage_exits_with_2(argv, message, capsys):
    assert main(argv) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"Usage: {PROGRAM}")
    assert message in shown.err
    assert shown.out == ""


def test_ctrl_c_exits_with_130(capsys, monkeypatch):
    def interrupted(client):
        raise KeyboardInterrupt

    monkeypatch.setattr(SpeechClient, "models", interrupted)
    assert main(["models"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_an_error_of_the_program_keeps_its_plain_traceback(capsys, monkeypatch):
    def broken(client):
        raise ZeroDivisionError

    monkeypatch.setattr(SpeechClient, "models", broken)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    with pytest.raises(ZeroDivisionError) as caught:
        main(["models"])
    sys.excepthook(caught.type, caught.value, caught.tb)
    assert capsys.readouterr().err.splitlines()[0] == "Traceback (most recent call last):"


def test_a_module_can_add_a_command(capsys, monkeypatch):
    monkeypatch.setattr(app, "registered_commands", [*app.registered_commands])

    @app.command()
    def check(file: str) -> None:
        typer.echo(file)
        raise typer.Exit(3)

    assert main(["check", "a.yaml"]) == 3
    assert capsys.readouterr().out == "a.yaml\n"


def test_the_command_line_imports_neither_ray_nor_torch_nor_fastapi():
    """Each takes a second or more, also before `--help` and before a shell completes a word."""
    program = "import sys, deployments.cli; print(*{name.split('.')[0] for name in sys.modules})"
    command = [sys.executable, "-W", "ignore", "-c", program]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not {"ray", "torch", "fastapi"} & set(loaded)
    assert {"typer", "httpx"} <= set(loaded)
