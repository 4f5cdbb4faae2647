"""A room for a browser: a PulseAudio server whose microphone hears its loudspeaker from a
distance, and a person who speaks in the room. Nothing is heard outside.

Tests without PulseAudio are skipped.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.eventually import eventually_sync

needs_pulseaudio = pytest.mark.skipif(
    shutil.which("pulseaudio") is None or shutil.which("pacat") is None, reason="no PulseAudio here"
)
LOUDNESS = 0x8000  # of the loudspeaker in the room, half of PulseAudio's scale: -18 dB
STARTS_WITHIN_S = 20
# A browser takes no monitor for a microphone, so the monitor gets another name.
SCRIPT = f"""
load-module module-null-sink sink_name=room rate=48000 channels=1
load-module module-null-sink sink_name=loudspeaker rate=48000 channels=1
load-module module-loopback source=loudspeaker.monitor sink=room latency_msec=30
set-sink-volume loudspeaker {LOUDNESS}
load-module module-remap-source source_name=microphone master=room.monitor
set-default-sink loudspeaker
set-default-source microphone
load-module module-native-protocol-unix auth-anonymous=1 socket={{socket}}
"""


class Room:
    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment`: in which a program finds the server."""
        self.environment = environment

    def speak(self, pcm: NDArray[np.int16], rate: int) -> None:
        """Somebody says this in the room. Returns when it was said."""
        format_of = ("--raw", "--format=s16le", "--channels=1", f"--rate={rate}")
        command = ["pacat", "--device=room", *format_of]
        sound = pcm.astype("<i2").tobytes()
        subprocess.run(command, input=sound, env=self.environment, check=True, timeout=60)


@contextmanager
def quiet_room(folder: Path) -> Iterator[Room]:
    socket, script = folder / "native", folder / "room.pa"
    script.write_text(SCRIPT.format(socket=socket))
    environment = {**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    environment["PULSE_SERVER"] = f"unix:{socket}"
    options = ("--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--log-target=stderr")
    command = ["pulseaudio", "-n", "-F", str(script), *options]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        eventually_sync(socket.exists, STARTS_WITHIN_S, "PulseAudio listens")
        yield Room(environment)
    finally:
        server.terminate()
        server.wait(STARTS_WITHIN_S)
