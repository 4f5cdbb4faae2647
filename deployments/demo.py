"""`make demo`: start the server, speak a sentence into a file, cancel a longer text, and print
the figures."""

from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from app.client.cli import describe_cancel
from app.client.speech_client import BYTES_PER_S, SpeechClient
from app.client.speech_file import say_to_file
from app.core import CancelAck
from deployments.server import ServerProcess

SENTENCE = "Hello there. You hear this while it is still being generated."
LONGER = "This one is much longer, and nobody wants to hear it to its end. " * 12
CANCEL_AFTER_S = 1.5  # of audio
CLEAREST = "bela"  # of the embedded model's voices; other models have others


def run_demo(server: ServerProcess, out: Path) -> None:
    """Raises ServeError or RequestFailed where a step fails."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(f"starting Ray Serve on {server.url}", total=None)
        server.wait_ready()
    with SpeechClient(server.url) as client:
        voices = client.voices()
        voice = CLEAREST if CLEAREST in voices else voices[0]
        spoken = say_to_file(client, SENTENCE, out, voice=voice)
        typer.echo(f"spoke a sentence into {out}: {spoken}")
        ack, received_s = cancel_midway(client)
        typer.echo(
            f"cancelled a longer text after {received_s:.2f} s of audio; {describe_cancel(ack)}"
        )


def cancel_midway(client: SpeechClient) -> tuple[CancelAck, float]:
    """The acknowledgement, and the seconds of audio that the client received."""
    num_bytes, ack = 0, None
    with client.speak(LONGER, model=client.models()[0], voice=client.voices()[0]) as speech:
        for pcm in speech.pcm:
            num_bytes += len(pcm)
            if ack is None and num_bytes >= CANCEL_AFTER_S * BYTES_PER_S:
                ack = client.cancel(speech.session_id)
    return ack or client.cancel(speech.session_id), num_bytes / BYTES_PER_S
