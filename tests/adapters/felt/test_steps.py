"""Tests of the single steps of drawing a felt picture."""

import numpy as np
import pytest

from plushify_adapters.felt._canvas import Canvas
from plushify_adapters.felt._colour import few_colours, oklab, srgb
from plushify_adapters.felt._fabric import felt_texture
from plushify_adapters.felt._outlines import round_outlines
from plushify_adapters.felt._photo import enlarge_middle
from plushify_adapters.felt._pieces import cut_into_pieces
from plushify_adapters.felt._recipes import RECIPES
from plushify_adapters.felt._relief import brightness
from plushify_adapters.felt._stitches import contours, draw_stitches, stitches_along
from plushify_adapters.felt._subject import prominence
from tests.adapters.felt.scenes import teddy

CANVAS = Canvas(width=200, height=100, grid_width=90, grid_height=45, margin=10, corner=20)


def disc(height: int, width: int, radius: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the distance in px of each pixel to a circle around the middle; negative outside."""
    y, x = np.mgrid[:height, :width]
    return radius - np.hypot(x - (width - 1) / 2, y - (height - 1) / 2)


@pytest.mark.parametrize(
    ("colour", "expected"),
    [((1, 1, 1), (1, 0, 0)), ((0, 0, 0), (0, 0, 0)), ((1, 0, 0), (0.628, 0.225, 0.126))],
    ids=["white", "black", "red"],
)
def test_oklab_matches_published_values(colour: tuple[float, ...], expected: tuple[float, ...]) -> None:
    """White, black and red have the values that Ottosson's page and CSS Color 4 give."""
    assert oklab(np.array(colour, dtype=np.float32)) == pytest.approx(expected, abs=0.001)


def test_srgb_inverts_oklab() -> None:
    """Converting to Oklab and back changes no band by more than half a step of 255."""
    colours = np.random.default_rng(1).uniform(0, 1, (500, 3)).astype(np.float32)

    assert srgb(oklab(colours)) == pytest.approx(colours, abs=0.5 / 255)


def test_a_palette_keeps_a_rare_but_distinct_colour() -> None:
    """A colour with little weight is in the palette if it is far from all others."""
    colours = np.array([[0.50, 0, 0], [0.51, 0, 0], [0.49, 0, 0], [0.6, 0.2, 0]], dtype=np.float32)

    palette = few_colours(colours, np.array([100, 90, 80, 2], dtype=np.float32), 2)

    assert sorted(palette[:, 1].tolist()) == pytest.approx([0, 0.2])


def test_a_photo_of_four_quarters_is_cut_into_four() -> None:
    """Pieces follow the areas of equal colour in the photo."""
    lab = np.zeros((60, 80, 3), dtype=np.float32)
    lab[:30, 40:, 1], lab[30:, :40, 2], lab[30:, 40:, 0] = 0.2, 0.2, 0.9

    pieces = cut_into_pieces(lab, 4, weight=np.ones((60, 80)))

    assert sorted(pieces.areas.tolist()) == [1200] * 4
    assert sorted(len(set(others)) for others in pieces.neighbours) in ([2, 2, 2, 2], [2, 2, 3, 3])


def test_a_small_contrasting_detail_stays_a_piece() -> None:
    """An eye is not merged with the face around it, even if only two pieces may be left."""
    lab = np.full((80, 80, 3), 0.7, dtype=np.float32)
    lab += np.linspace(0, 0.02, 80)[:, None, None]
    lab[36:44, 36:44] = 0.1

    pieces = cut_into_pieces(lab, 2, weight=np.ones((80, 80)))

    assert pieces.areas.min() == 64


def test_the_bear_is_the_subject() -> None:
    """The bear's ears are prominent and the field around it is not."""
    pieces = cut_into_pieces(oklab(teddy() / np.float32(255)), 40, weight=np.ones((180, 240)))

    prominent = prominence(pieces)[pieces.labels]

    left_ear, right_ear, field = (29, 84), (29, 156), (20, 20)
    assert min(prominent[left_ear], prominent[right_ear]) > 0.9
    assert prominent[field] < 0.1


def test_rounding_outlines_keeps_each_piece_in_place() -> None:
    """A piece of the grid covers the same area of the canvas after its outline is rounded and upscaled."""
    lab = np.zeros((45, 90, 3), dtype=np.float32)
    lab[disc(45, 90, 15) > 0] = 0.8
    pieces = cut_into_pieces(lab, 2, weight=np.ones((45, 90)))

    labels, clearness = round_outlines(pieces, 1.5, CANVAS)

    inside = disc(100, 200, 15 * CANVAS.scale)
    assert set(labels[inside > 3].tolist()) == {int(pieces.labels[22, 45])}
    assert set(labels[inside < -3].tolist()) == {int(pieces.labels[0, 0])}
    assert clearness[np.abs(inside) < 0.7].max() < 0.5 < clearness[np.abs(inside) > 12].min()


def test_the_contour_of_a_circle_is_one_closed_line() -> None:
    """Tracing a circle gives one closed line with the radius of the circle."""
    (line,) = contours(disc(60, 80, 20.0), 0.0)

    assert line[0].tolist() == line[-1].tolist()
    assert np.hypot(line[:, 0] - 39.5, line[:, 1] - 29.5) == pytest.approx(20, abs=0.1)


def test_a_contour_that_leaves_the_picture_is_open() -> None:
    """A line that the border cuts off has two separate ends on the border."""
    y, _ = np.mgrid[:20, :30]

    (line,) = contours(y.astype(float), 7.5)

    assert sorted(line[[0, -1]].tolist()) == [[0, 7.5], [29, 7.5]]


def test_stitches_are_evenly_spaced_along_the_line() -> None:
    """A straight seam of 100 px has twenty stitches 5 px apart, all in the direction of the seam."""
    line = np.stack([np.arange(101.0), np.zeros(101)], axis=1)

    stitches = stitches_along(line, np.ones(101, dtype=bool), 5.0)

    assert stitches[:, 0] == pytest.approx(np.arange(20) * 5 + 2.5)
    assert stitches[:, 2:] == pytest.approx(np.tile([1.0, 0.0], (20, 1)))


def test_a_stretch_too_short_for_four_stitches_gets_none() -> None:
    """Of two wanted stretches, only the one that is long enough gets stitches."""
    line = np.stack([np.arange(101.0), np.zeros(101)], axis=1)
    wanted = (line[:, 0] < 12) | (line[:, 0] > 50)

    stitches = stitches_along(line, wanted, 5.0)

    assert stitches[:, 0].min() > 50


def test_a_stitch_covers_its_length_and_casts_a_shadow() -> None:
    """The thread covers the length and width of the stitch, and its shadow lies on the side away from the lamp."""
    thread = draw_stitches(np.array([[100.0, 50.0, 1.0, 0.0]]), 20.0, 6.0, CANVAS)

    rows, columns = np.nonzero(thread.cover >= 0.5)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (47, 53, 90, 110)
    assert thread.shadow[55, 100] > thread.shadow[45, 100]


def test_the_felt_texture_tiles_seamlessly_and_has_mean_zero() -> None:
    """The left and right edge of the texture fit together, and it makes felt neither lighter nor darker on average."""
    texture = felt_texture(np.random.default_rng(1), RECIPES["classic"], CANVAS)

    assert (texture.mean(), texture.std()) == pytest.approx((0, 1), abs=1e-4)
    across_edge = np.abs(texture[:, 0] - texture[:, -1]).mean()
    assert across_edge == pytest.approx(np.abs(np.diff(texture, axis=1)).mean(), rel=0.2)


def test_light_comes_from_the_upper_left() -> None:
    """Flat felt has brightness 1; a slope towards the upper left is brighter, the opposite slope darker."""
    y, x = np.mgrid[:100, :200].astype(np.float32)
    flat = brightness(np.zeros((100, 200), dtype=np.float32), CANVAS)
    towards, away = brightness(0.3 * (x + y), CANVAS), brightness(-0.3 * (x + y), CANVAS)

    assert flat == pytest.approx(1)
    assert away[50, 100] < 0.9 < 1.1 < towards[50, 100]


def test_enlarging_the_middle_keeps_the_edges() -> None:
    """The middle becomes larger while the edges stay in place; amount 0 returns the photo itself."""
    photo = np.zeros((80, 80, 3), dtype=np.float32)
    photo[disc(80, 80, 12) > 0] = 1
    photo[:, :2] = photo[:, -2:] = 0.5

    grown = enlarge_middle(photo, 0.35)

    assert (grown[..., 0] > 0.9).sum() > 1.4 * (photo[..., 0] > 0.9).sum()
    assert grown[[0, -1]] == pytest.approx(photo[[0, -1]], abs=0.05)
    assert enlarge_middle(photo, 0.0) is photo
