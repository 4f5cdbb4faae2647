"""Which tests of int8 a processor can run."""

from pathlib import Path

import pytest

from app.engine.device.int8_linear import HAS_FBGEMM

needs_int8 = pytest.mark.skipif(not HAS_FBGEMM, reason="torch has int8 kernels for x86 alone")


def has_vnni() -> bool:
    """What the processor says of itself. FBGEMM uses VNNI of 512 bits alone."""
    return "avx512_vnni" in Path("/proc/cpuinfo").read_text()
