"""`make demo`: start the server, speak a sentence into a file, cancel a longer one, and tell."""

from pathlib import Path

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from app.client.cli import Terminal, describe_cancel, say_to_file
from app.client.speech_client import BYTES_PER_S, SpeechClient
from app.core import CancelAck
from deployments.server import ServerProcess

SENTENCE = "Hello there. You hear this while it is still being generated."
LONGER = "This one is much longer, and nobody wants to hear it to its end. " * 12
CANCEL_AFTER_S = 1.5  # of audio
CLEAREST = "bela"  # of the embedded model's voices; other models have others


def run_demo(server: ServerProcess, out: Path, terminal: Terminal) -> None:
    """Raises ServeError or RequestFailed where anything of it does not work."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=terminal.err, transient=True) as progress:
        progress.add_task(f"starting Ray Serve on {server.url}", total=None)
        server.wait_ready()
    with SpeechClient(server.url) as client:
        voices = client.voices()
        voice = CLEAREST if CLEAREST in voices else voices[0]
        spoken = say_to_file(client, SENTENCE, out, terminal.err, voice=voice)
        terminal.out.print(f"spoke into {out}: {spoken}", highlight=False, soft_wrap=True)
        ack, heard_s = cancel_midway(client)
        told = f"cancelled a longer text after {heard_s:.2f} s of audio; {describe_cancel(ack)}"
        terminal.out.print(told, highlight=False, soft_wrap=True)


def cancel_midway(client: SpeechClient) -> tuple[CancelAck, float]:
    """The acknowledgement, and the seconds of audio that arrived in all."""
    num_bytes, ack = 0, None
    with client.speak(LONGER, model=client.models()[0], voice=client.voices()[0]) as speech:
        for pcm in speech.pcm:
            num_bytes += len(pcm)
            if ack is None and num_bytes >= CANCEL_AFTER_S * BYTES_PER_S:
                ack = client.cancel(speech.session_id)
    return ack or client.cancel(speech.session_id), num_bytes / BYTES_PER_S
