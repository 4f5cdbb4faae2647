"""The command line of a client: say, models, voices, cancel.

A `Command` is all there is to one; `main` takes more of them, so that what knows Ray can add its
own without this file knowing it. Results go to stdout, progress and errors to stderr.
"""

import argparse
import itertools
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from app.client.speech_client import (
    BYTES_PER_S,
    DEFAULT_URL,
    RequestFailed,
    Speech,
    SpeechClient,
    Timeline,
)
from app.core import SAMPLE_RATE, CancelAck


@dataclass(frozen=True, slots=True)
class Terminal:
    out: Console
    err: Console


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Terminal], int]  # returns the exit status


@dataclass(frozen=True, slots=True)
class Spoken:
    """How a sentence was spoken; times since its request. `first_audio_s` is None if nothing was
    heard."""

    session_id: str
    answered_s: float = 0.0
    first_audio_s: float | None = None
    audio_s: float = 0.0
    wall_s: float = 0.0

    def __str__(self) -> str:
        if self.first_audio_s is None:
            return "waiting for the first audio"
        return (
            f"first audio after {self.first_audio_s:.2f} s, {self.audio_s:.1f} s of audio, "
            f"real-time factor {self.wall_s / self.audio_s:.2f}"
        )


def say_to_file(
    client: SpeechClient,
    text: str,
    path: Path,
    err: Console,
    *,
    model: str | None = None,
    voice: str | None = None,
    seed: int | None = None,
    language: str | None = None,
) -> Spoken:
    """Speak into a WAV file of true length, showing progress. The file is opened at the first
    sound and is well-formed whatever happens afterwards. No model or voice: the server's first."""
    model = model or client.models()[0]
    voice = voice or client.voices()[0]
    columns = SpinnerColumn(), TextColumn("{task.description}")
    with (
        Progress(*columns, console=err, transient=True) as progress,
        client.speak(text, model=model, voice=voice, seed=seed, language=language) as speech,
    ):
        spoken = Spoken(speech.session_id)
        task = progress.add_task(str(spoken), total=None)
        for spoken in _written(speech, path):
            progress.update(task, description=str(spoken))
    return spoken


def _written(speech: Speech, path: Path) -> Iterator[Spoken]:
    """After each part in the file, how far it is."""
    first = next(speech.pcm, None)
    if first is None:
        return
    first_audio_s = time.monotonic() - speech.sent_s
    answered_s = speech.answered_s - speech.sent_s
    num_bytes = 0
    with path.open("wb") as raw, wave.open(raw, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        for part in itertools.chain([first], speech.pcm):
            file.writeframes(part)  # rewrites the header, too
            num_bytes += len(part)
            wall_s = time.monotonic() - speech.sent_s
            audio_s = num_bytes / BYTES_PER_S
            yield Spoken(speech.session_id, answered_s, first_audio_s, audio_s, wall_s)


def describe_cancel(ack: CancelAck) -> str:
    return (
        f"{ack.state}: {ack.audio_sent_ms / 1000:.2f} s of audio were sent, {ack.tokens_generated} "
        f"tokens generated ({ack.tokens_discarded} of them never heard), "
        f"stopped within {ack.stop_ms:.1f} ms"
    )


def describe_timeline(spoken: Spoken, timeline: Timeline) -> Iterator[str]:
    """Where the time until the first audio went, leg by leg: the server's, then the client's."""
    legs = timeline.legs_ms
    for name, ms in legs.items():
        yield f"  server  {name:<20} {ms:9.1f} ms"
    answered_ms, first_ms = spoken.answered_s * 1000, (spoken.first_audio_s or 0.0) * 1000
    if "first_audio" in legs:
        outside_ms = answered_ms - legs["first_audio"]
        yield f"  client  {'connection and proxy':<20} {outside_ms:9.1f} ms"
    yield f"  client  {'answer to sample':<20} {first_ms - answered_ms:9.1f} ms"
    yield f"  client  {'first_audio':<20} {first_ms:9.1f} ms"


def _add_url(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", default=DEFAULT_URL, help="the server (default: %(default)s)")


def _add_say(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a WAV file")
    parser.add_argument("--voice", help="one of `voices` (default: the first)")
    parser.add_argument("--model", help="one of `models` (default: the first)")
    parser.add_argument("--language", help="of the text, where the model speaks several")
    parser.add_argument("--seed", type=int, help="the same seed speaks the same")
    parser.add_argument("--timeline", action="store_true", help="tell where the time went")
    _add_url(parser)


def _add_cancel(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session_id", help="the X-Request-ID of a speech request")
    _add_url(parser)


def _say(args: argparse.Namespace, terminal: Terminal) -> int:
    with SpeechClient(args.url) as client:
        spoken = say_to_file(
            client,
            args.text,
            args.out,
            terminal.err,
            model=args.model,
            voice=args.voice,
            seed=args.seed,
            language=args.language,
        )
        if spoken.first_audio_s is None:
            raise RequestFailed(f"session {spoken.session_id} was cancelled before its first sound")
        _line(terminal.out, f"{args.out}: {spoken}")
        if args.timeline:
            for line in describe_timeline(spoken, client.timeline(spoken.session_id)):
                _line(terminal.out, line)
    return 0


def _models(args: argparse.Namespace, terminal: Terminal) -> int:
    with SpeechClient(args.url) as client:
        for name in client.models():
            _line(terminal.out, name)
    return 0


def _voices(args: argparse.Namespace, terminal: Terminal) -> int:
    with SpeechClient(args.url) as client:
        for name in client.voices():
            _line(terminal.out, name)
    return 0


def _cancel(args: argparse.Namespace, terminal: Terminal) -> int:
    with SpeechClient(args.url) as client:
        _line(terminal.out, describe_cancel(client.cancel(args.session_id)))
    return 0


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


COMMANDS = (
    Command("say", "speak a text into a WAV file", _add_say, _say),
    Command("models", "list the models the server speaks with", _add_url, _models),
    Command("voices", "list its voices", _add_url, _voices),
    Command("cancel", "stop a session and say what was stopped", _add_cancel, _cancel),
)


def build_parser(commands: Sequence[Command]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chatterbox-serve")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in commands:
        subparser = subparsers.add_parser(command.name, help=command.help)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None, extra_commands: Sequence[Command] = ()) -> int:
    args = build_parser([*COMMANDS, *extra_commands]).parse_args(argv)
    terminal = Terminal(Console(), Console(stderr=True))
    run: Callable[[argparse.Namespace, Terminal], int] = args.run
    try:
        return run(args, terminal)
    except RequestFailed as fault:
        _line(terminal.err, f"error: {fault}")
    except OSError as fault:  # the file cannot be written
        _line(terminal.err, f"error: {fault}")
    except KeyboardInterrupt:
        _line(terminal.err, "interrupted")
        return 130
    return 1
