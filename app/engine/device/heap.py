"""Freed memory back to the system.

The C library keeps memory that a program has freed for its next request. Weights are transposed,
joined and rounded while they are loaded: full-size turbo in int8 then holds 640 MB that nobody uses
(2026-11). Knows nothing about models.
"""

import ctypes
import sys
from contextlib import suppress


def trim() -> None:
    """Does nothing where the C library is not glibc. Takes milliseconds: call after a load."""
    if sys.platform == "linux":
        with suppress(AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
