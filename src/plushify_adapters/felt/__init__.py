"""The felt model: Plushify's built-in image model, which needs no key and no network.

It sews a felt picture of the photo instead of imagining a plushie: a preview of what the service does, and an
honest one.
"""

from ._photo import UnreadablePhoto
from .model import FeltModel
from .render import render

__all__ = ["FeltModel", "UnreadablePhoto", "render"]
