"""Geometry of the finished picture: its size, the cushion in it, and how the photo maps onto the cushion."""

from dataclasses import dataclass
from math import ceil

import numpy as np
import pyvips

from plushify_adapters.felt._raster import Floats, Labels, Points, from_vips, to_vips


@dataclass(frozen=True, slots=True)
class Canvas:
    """Size of the finished picture in px, and of the grid on which the photo is analysed.

    Args:
        width, height: size of the picture, in px.
        grid_width, grid_height: size of the grid, in cells.
        margin: distance between the cushion and the edges of the picture, in px.
        corner: radius of the cushion's corners, in px.
    """

    width: int
    height: int
    grid_width: int
    grid_height: int
    margin: float
    corner: float

    @property
    def side(self) -> int:
        """Longest side in px."""
        return max(self.width, self.height)

    @property
    def scale(self) -> float:
        """Width of a grid cell in px of the canvas, chosen so that the photo covers the whole cushion."""
        return max((self.width - 2 * self.margin) / self.grid_width, (self.height - 2 * self.margin) / self.grid_height)

    @property
    def _offset(self) -> tuple[float, float]:
        return (
            (self.width - self.scale * self.grid_width + self.scale - 1) / 2,
            (self.height - self.scale * self.grid_height + self.scale - 1) / 2,
        )

    def upscale(self, field: Floats) -> Floats:
        """Return a field resampled to the size of the canvas, with its border values repeated up to the edges.

        Args:
            field: values on the grid, or on a finer or coarser grid over the same photo.
        """
        height, width = field.shape[:2]
        across, down = self.scale * self.grid_width / width, self.scale * self.grid_height / height
        left, top = (self.width - across * width) / 2, (self.height - down * height) / 2
        padding = 2 + ceil(max(left / across, top / down, 0))
        extended = to_vips(field).embed(padding, padding, width + 2 * padding, height + 2 * padding, extend="copy")
        image = extended.affine(
            (across, 0, 0, down),
            interpolate=pyvips.Interpolate.new("bicubic"),
            oarea=(0, 0, self.width, self.height),
            odx=left + (across - 1) / 2 - across * padding,
            ody=top + (down - 1) / 2 - down * padding,
        )
        return from_vips(image)

    def from_grid(self, grid_points: Points) -> Points:
        """Return points of the grid in px of the canvas."""
        placed: Points = grid_points * self.scale + np.array(self._offset)
        return placed

    def nearest_cells(self) -> tuple[Labels, Labels]:
        """Return the nearest row of the grid for each row of the canvas, and the same for the columns."""
        x, y = self._offset
        rows = np.rint((np.arange(self.height) - y) / self.scale).astype(np.int32)
        columns = np.rint((np.arange(self.width) - x) / self.scale).astype(np.int32)
        return np.clip(rows, 0, self.grid_height - 1), np.clip(columns, 0, self.grid_width - 1)

    def depth(self, x: Floats, y: Floats) -> Floats:
        """Return how deep each point is inside the cushion, in px. Points outside have a negative depth.

        This is the negated signed distance to a rounded box: https://iquilezles.org/articles/distfunctions2d/.
        """
        across = np.abs(x - (self.width - 1) / 2) - (self.width / 2 - self.margin - self.corner)
        down = np.abs(y - (self.height - 1) / 2) - (self.height / 2 - self.margin - self.corner)
        outside = np.hypot(np.maximum(across, 0), np.maximum(down, 0))
        distance: Floats = self.corner - outside - np.minimum(np.maximum(across, down), 0)
        return distance

    def pixels(self) -> tuple[Floats, Floats]:
        """Return the x and the y of every pixel, in shapes (1, width) and (height, 1), which broadcast."""
        return (
            np.arange(self.width, dtype=np.float32)[None, :],
            np.arange(self.height, dtype=np.float32)[:, None],
        )
