"""Felt model: Plushify's built-in image model, which needs no key and no network.

It redraws the photo as a padded and stitched felt picture. It does not generate a plushie, so the page presents
its pictures as a preview.
"""

from plushify_adapters.felt._model import FeltModel
from plushify_adapters.felt._photo import UnreadablePhoto
from plushify_adapters.felt._render import render

__all__ = ["FeltModel", "UnreadablePhoto", "render"]
