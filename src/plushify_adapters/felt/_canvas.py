"""The picture to be made: its true size, the cushion in it, and where the photo lies on the cushion."""

from dataclasses import dataclass
from math import ceil

import numpy as np
import pyvips

from ._raster import Floats, Labels, Points, from_vips, to_vips


@dataclass(frozen=True, slots=True)
class Canvas:
    """Sizes in px of the finished picture. The photo was examined on a grid of its own, `scale` times smaller."""

    width: int
    height: int
    grid_width: int
    grid_height: int
    margin: float
    corner: float

    @property
    def side(self) -> int:
        """The longest side."""
        return max(self.width, self.height)

    @property
    def scale(self) -> float:
        """How many px of the canvas one px of the grid covers, so that the photo just fills the cushion."""
        return max((self.width - 2 * self.margin) / self.grid_width, (self.height - 2 * self.margin) / self.grid_height)

    @property
    def _offset(self) -> tuple[float, float]:
        return (
            (self.width - self.scale * self.grid_width + self.scale - 1) / 2,
            (self.height - self.scale * self.grid_height + self.scale - 1) / 2,
        )

    def place(self, field: Floats) -> Floats:
        """A field over the photo, smoothly drawn at the size of the canvas; its border goes on to the edges.

        Args:
            field: on the grid, or on a finer or coarser one that covers the same.
        """
        height, width = field.shape[:2]
        across, down = self.scale * self.grid_width / width, self.scale * self.grid_height / height
        left, top = (self.width - across * width) / 2, (self.height - down * height) / 2
        beyond = 2 + ceil(max(left / across, top / down, 0))
        extended = to_vips(field).embed(beyond, beyond, width + 2 * beyond, height + 2 * beyond, extend="copy")
        image = extended.affine(
            (across, 0, 0, down),
            interpolate=pyvips.Interpolate.new("bicubic"),
            oarea=(0, 0, self.width, self.height),
            odx=left + (across - 1) / 2 - across * beyond,
            ody=top + (down - 1) / 2 - down * beyond,
        )
        return from_vips(image)

    def points(self, grid_points: Points) -> Points:
        """Points of the grid on the canvas."""
        placed: Points = grid_points * self.scale + np.array(self._offset)
        return placed

    def nearest(self) -> tuple[Labels, Labels]:
        """For each row and column of the canvas, the nearest row and column of the grid."""
        x, y = self._offset
        rows = np.rint((np.arange(self.height) - y) / self.scale).astype(np.int32)
        columns = np.rint((np.arange(self.width) - x) / self.scale).astype(np.int32)
        return np.clip(rows, 0, self.grid_height - 1), np.clip(columns, 0, self.grid_width - 1)

    def depth(self, x: Floats, y: Floats) -> Floats:
        """How far inside the cushion's edge a point lies; negative outside.

        The distance to a rounded box, from https://iquilezles.org/articles/distfunctions2d/.
        """
        across = np.abs(x - (self.width - 1) / 2) - (self.width / 2 - self.margin - self.corner)
        down = np.abs(y - (self.height - 1) / 2) - (self.height / 2 - self.margin - self.corner)
        outside = np.hypot(np.maximum(across, 0), np.maximum(down, 0))
        distance: Floats = self.corner - outside - np.minimum(np.maximum(across, down), 0)
        return distance

    def pixels(self) -> tuple[Floats, Floats]:
        """The x and the y of every pixel, in shapes that broadcast to the canvas."""
        return (
            np.arange(self.width, dtype=np.float32)[None, :],
            np.arange(self.height, dtype=np.float32)[:, None],
        )
