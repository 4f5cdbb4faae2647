"""`make demo`: start the server, speak a sentence into a file, cancel a longer one, and tell."""

from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from app.client import Heard, SpeechClient, new_session_id, save_wav
from deployments.server import ServerProcess

SENTENCE = "Hello there. You hear this while it is still being generated."
LONGER = "This one is much longer, and nobody wants to hear it to its end. " * 12
CANCEL_AFTER_S = 1.5  # of audio


def run_demo(server: ServerProcess, out: Path, console: Console) -> None:
    """Raises ServeError where anything of it does not work."""
    with _progress(console) as progress:
        task = progress.add_task(f"starting Ray Serve on {server.url}")
        server.wait_ready(tick=lambda: progress.advance(task, 0))
    with SpeechClient(server.url) as client:
        speak_into(client, SENTENCE, out, console)
        cancel_midway(client, console)


def speak_into(
    client: SpeechClient, text: str, out: Path, console: Console, **fields: object
) -> None:
    """With progress while it arrives: time to first audio, audio seconds, real-time factor."""
    heard = Heard(new_session_id())
    parts: list[bytes] = []
    with _progress(console) as progress:
        task = progress.add_task("waiting for the first sound")
        for pcm in client.speak(text, heard, **fields):
            parts.append(pcm)
            progress.update(task, description=_told(heard))
    save_wav(out, b"".join(parts))
    console.print(f"{out}: {_told(heard)}")


def cancel_midway(client: SpeechClient, console: Console) -> None:
    heard = Heard(new_session_id())
    ack: dict[str, object] = {}
    for _ in client.speak(LONGER, heard):
        if heard.audio_s >= CANCEL_AFTER_S and not ack:
            ack = client.cancel(heard.session_id)
    console.print(f"cancelled a longer text after {heard.audio_s:.2f} s of audio: {ack}")


def _told(heard: Heard) -> str:
    return (
        f"first audio after {heard.first_audio_s or 0:.2f} s, {heard.audio_s:.2f} s of audio, "
        f"real-time factor {heard.real_time_factor:.2f}"
    )


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
