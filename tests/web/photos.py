"""Photos for tests with the real codec."""

import pyvips


def jpeg() -> bytes:
    """Return a JPEG file of 96 × 64 px with noise."""
    noise: bytes = pyvips.Image.gaussnoise(96, 64, mean=128, sigma=30).cast("uchar").jpegsave_buffer()
    return noise
