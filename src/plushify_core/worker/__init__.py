"""Background work of one process: runs generations in fair slots, and sweeps periodically."""

from plushify_core.worker.runner import Runner
from plushify_core.worker.sweeper import Sweeper

__all__ = ["Runner", "Sweeper"]
