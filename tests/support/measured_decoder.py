"""What the decoding process makes of a file, and the memory that it took."""

import subprocess
import sys
from dataclasses import dataclass

from app.voices import decoder
from app.voices.decoder import Decoded, Purpose
from app.voices.unusable_sound import UnusableSound

# It tells of itself: what the kernel counts for a child begins with the memory of its parent.
MEASURED = """
import resource
import sys
from app.voices import decoder_process
decoder_process.main()
sys.stderr.write(open("/proc/self/status").read())
sys.stderr.write(f"Limit: {resource.getrlimit(resource.RLIMIT_AS)[0] // 1024} kB")
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """In bytes."""

    outcome: Decoded | str  # or the refusal
    resident: int  # the most, where the process did not die
    address_space: int
    limit: int


def decode_measured(content: bytes, purpose: Purpose) -> Measured:
    """As `decode_blocking`, without its limit of time."""
    command = (sys.executable, "-W", "ignore", "-c", MEASURED, purpose.value)
    ended = subprocess.run(command, input=content, capture_output=True, check=False)
    told = dict(line.split(":") for line in ended.stderr.decode().splitlines() if " kB" in line)
    sizes = [int(told.get(name, "0").split()[0]) * 1024 for name in ("VmHWM", "VmPeak", "Limit")]
    try:
        return Measured(decoder._parse(ended.returncode, ended.stdout), *sizes)
    except UnusableSound as refused:
        return Measured(str(refused), *sizes)
