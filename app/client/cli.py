"""The commands that need only a running server: say, explain, models, voices, pronunciations,
cancel.

Other modules register further commands on `app`. Results go to stdout, progress and errors to
stderr. Knows nothing about Ray.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from app.client.speech_client import (
    DEFAULT_URL,
    SERVER_LEG,
    RequestFailed,
    SpeechClient,
    Timeline,
)
from app.client.speech_file import Spoken, say_to_file
from app.core import CancelAck
from app.errors import ServeError

PROGRAM = "chatterbox-serve"
INTERRUPTED = 130

app = typer.Typer(
    help="Run the Chatterbox text-to-speech server and speak with it.",
    context_settings={"help_option_names": ["--help", "-h"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Url = Annotated[str, typer.Option(help="The address of the server.")]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. Returns the exit status: 0, 1 after an error, 2 after wrong usage, 130
    after Ctrl-C."""
    try:
        app(argv, prog_name=PROGRAM)
    except (RequestFailed, ServeError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
    except SystemExit as end:  # typer ends every command with it
        if end.code == INTERRUPTED:
            typer.echo("interrupted", err=True)
        return int(end.code or 0)
    return 1


def examples(*arguments: str) -> str:
    """The end of a command's help page. `\\b` keeps typer from wrapping the lines."""
    return "\n".join(["\b", "Examples:", *(f"  {PROGRAM} {line}" for line in arguments)])


def _check_captions(path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in (".vtt", ".srt"):
        raise typer.BadParameter("the name of the file must end with .vtt or .srt")
    return path


@app.command(
    epilog=examples(
        'say "Hello there." --out hello.wav',
        'say "Hello there." --out hello.wav --voice bela --timeline',
        'say "Hello there." --out hello.wav --socket --timeline',
        'say "Hello there." --out hello.wav --captions hello.vtt',
    )
)
def say(
    text: Annotated[str, typer.Argument(help="The text to speak.")],
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The WAV file to write.")],
    voice: Annotated[
        str | None, typer.Option(help="A name that `voices` lists. Default: the first one.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A name that `models` lists. Default: the first one.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="The language of the text, for a multilingual model.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same text and seed give the same audio.")
    ] = None,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Print where the time to the first audio went.")
    ] = False,
    socket: Annotated[
        bool, typer.Option("--socket", help="Speak over the WebSocket instead of HTTP.")
    ] = False,
    captions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            callback=_check_captions,
            help="Write captions of the speech, too: a .vtt or .srt file.",
        ),
    ] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Speak a text into a WAV file."""
    with SpeechClient(url) as client:
        spoken = say_to_file(
            client,
            text,
            out,
            model=model,
            voice=voice,
            seed=seed,
            language=language,
            over_socket=socket,
        )
        if spoken.first_audio_s is None:
            raise RequestFailed(f"session {spoken.session_id} was cancelled before its first audio")
        typer.echo(f"{out}: {spoken}")
        if captions is not None:
            kind = captions.suffix.removeprefix(".").lower()
            captions.write_text(client.captions(spoken.whole_id, kind), encoding="utf-8")
        if timeline:
            for line in describe_timeline(spoken, client.timeline(spoken.session_id)):
                typer.echo(line)


@app.command(
    epilog=examples(
        'explain "It costs $5.3 billion."', 'explain "# Title\\n\\nText 🙂" --strip-markdown'
    )
)
def explain(
    text: Annotated[str, typer.Argument(help="The text; nothing is spoken.")],
    *,
    voice: Annotated[
        str | None, typer.Option(help="A name that `voices` lists: its pronunciations count.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="The language of the text, for a multilingual model.")
    ] = None,
    strip_markdown: Annotated[
        bool, typer.Option("--strip-markdown", help="Read the text as Markdown.")
    ] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Show what the model would get of a text: the segments, what is said in other words, and what
    is left out."""
    with SpeechClient(url) as client:
        plan = client.plan(text, voice=voice, language=language, strip_markdown=strip_markdown)
    for line in plan.lines(text):
        typer.echo(line)


@app.command(epilog=examples("models", "models --url http://10.0.0.5:8000"))
def models(url: Url = DEFAULT_URL) -> None:
    """List the models of the server."""
    with SpeechClient(url) as client:
        for name in client.models():
            typer.echo(name)


@app.command(epilog=examples("voices", "voices --url http://10.0.0.5:8000"))
def voices(url: Url = DEFAULT_URL) -> None:
    """List the voices of the server."""
    with SpeechClient(url) as client:
        for name in client.voices():
            typer.echo(name)


@app.command(epilog=examples("pronunciations", "pronunciations --voice bela"))
def pronunciations(
    voice: Annotated[
        str | None, typer.Option(help="A name that `voices` lists. Default: those of every voice.")
    ] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """List the pronunciations that the server keeps for you."""
    with SpeechClient(url) as client:
        for term, say in client.pronunciations(voice):
            typer.echo(f"{term}: {say}")


@app.command(epilog=examples("cancel 3f2a9c", "cancel 3f2a9c --played-ms 1200"))
def cancel(
    session_id: Annotated[str, typer.Argument(help="The X-Request-ID of a speech request.")],
    *,
    played_ms: Annotated[
        float | None,
        typer.Option(min=0, help="How much of the sound was played. Default: all that was sent."),
    ] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Cancel a session and print what was stopped and what was heard."""
    with SpeechClient(url) as client:
        ack = client.cancel(session_id, played_ms)
    typer.echo(describe_cancel(ack))
    if ack.heard is not None:
        typer.echo(f"heard: {ack.heard.text!r}")


def describe_cancel(ack: CancelAck) -> str:
    return (
        f"{ack.state}: {ack.audio_sent_ms / 1000:.2f} s of audio were sent, "
        f"{ack.tokens_generated} tokens were generated ({ack.tokens_discarded} of them were never "
        f"heard), stopped within {ack.stop_ms:.1f} ms"
    )


def describe_timeline(spoken: Spoken, timeline: Timeline) -> Iterator[str]:
    """How long each leg until the first audio took: first the server's legs, then the client's."""
    legs = timeline.legs_ms
    for name, ms in legs.items():
        yield f"  server  {name:<20} {ms:9.1f} ms"
    for name, leg_s in spoken.legs_s.items():
        ms = leg_s * 1000
        if name == SERVER_LEG:
            ms -= legs.get("first_audio", 0.0)
        yield f"  client  {name:<20} {ms:9.1f} ms"
    yield f"  client  {'first_audio':<20} {(spoken.first_audio_s or 0.0) * 1000:9.1f} ms"
