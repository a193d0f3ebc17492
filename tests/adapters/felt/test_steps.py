"""The steps a felt picture is made in, each by itself."""

import numpy as np
import pytest

from plushify_adapters.felt._canvas import Canvas
from plushify_adapters.felt._colour import few_colours, oklab, srgb
from plushify_adapters.felt._fabric import weave
from plushify_adapters.felt._outlines import trim
from plushify_adapters.felt._patches import cut
from plushify_adapters.felt._photo import enlarge_middle
from plushify_adapters.felt._recipes import CLASSIC
from plushify_adapters.felt._relief import light
from plushify_adapters.felt._stitches import contours, dashes, sew
from plushify_adapters.felt._subject import prominence
from tests.adapters.felt.scenes import teddy

CANVAS = Canvas(width=200, height=100, grid_width=90, grid_height=45, margin=10, corner=20)


def disc(height: int, width: int, radius: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """How far inside a circle around the middle each pixel lies."""
    y, x = np.mgrid[:height, :width]
    return radius - np.hypot(x - (width - 1) / 2, y - (height - 1) / 2)


@pytest.mark.parametrize(
    ("colour", "expected"),
    [((1, 1, 1), (1, 0, 0)), ((0, 0, 0), (0, 0, 0)), ((1, 0, 0), (0.628, 0.225, 0.126))],
    ids=["white", "black", "red"],
)
def test_oklab_of_known_colours(colour: tuple[float, ...], expected: tuple[float, ...]) -> None:
    """The values that Ottosson's page and CSS Color 4 give for these colours."""
    assert oklab(np.array(colour, dtype=np.float32)) == pytest.approx(expected, abs=0.001)


def test_srgb_is_the_way_back() -> None:
    """To Oklab and back changes no colour by as much as half a step of 255."""
    colours = np.random.default_rng(1).uniform(0, 1, (500, 3)).astype(np.float32)

    assert srgb(oklab(colours)) == pytest.approx(colours, abs=0.5 / 255)


def test_a_palette_has_what_stands_out() -> None:
    """A rare colour far from all others gets its place among the few."""
    colours = np.array([[0.50, 0, 0], [0.51, 0, 0], [0.49, 0, 0], [0.6, 0.2, 0]], dtype=np.float32)

    palette = few_colours(colours, np.array([100, 90, 80, 2], dtype=np.float32), 2)

    assert sorted(palette[:, 1].tolist()) == pytest.approx([0, 0.2])


def test_a_photo_of_four_quarters_is_cut_into_four() -> None:
    """Pieces follow the colours of the photo."""
    lab = np.zeros((60, 80, 3), dtype=np.float32)
    lab[:30, 40:, 1], lab[30:, :40, 2], lab[30:, 40:, 0] = 0.2, 0.2, 0.9

    pieces = cut(lab, 4, weight=np.ones((60, 80)))

    assert sorted(pieces.areas.tolist()) == [1200] * 4
    assert sorted(len(set(others)) for others in pieces.neighbours) in ([2, 2, 2, 2], [2, 2, 3, 3])


def test_a_small_thing_that_stands_out_stays_a_piece() -> None:
    """An eye is not joined with the face around it, even if only two pieces may be left."""
    lab = np.full((80, 80, 3), 0.7, dtype=np.float32)
    lab += np.linspace(0, 0.02, 80)[:, None, None]
    lab[36:44, 36:44] = 0.1

    pieces = cut(lab, 2, weight=np.ones((80, 80)))

    assert pieces.areas.min() == 64


def test_the_bear_is_the_subject() -> None:
    """What cannot be reached from the border without a step in colour counts as subject, the field as background."""
    pieces = cut(oklab(teddy() / np.float32(255)), 40, weight=np.ones((180, 240)))

    prominent = prominence(pieces)[pieces.labels]

    left_ear, right_ear, field = (29, 84), (29, 156), (20, 20)
    assert min(prominent[left_ear], prominent[right_ear]) > 0.9
    assert prominent[field] < 0.1


def test_trimmed_pieces_are_those_of_the_grid_at_the_size_of_the_canvas() -> None:
    """Where a piece lies does not change when its outline is rounded and enlarged."""
    lab = np.zeros((45, 90, 3), dtype=np.float32)
    lab[disc(45, 90, 15) > 0] = 0.8
    pieces = cut(lab, 2, weight=np.ones((45, 90)))

    labels, clearness = trim(pieces, 1.5, CANVAS)

    inside = disc(100, 200, 15 * CANVAS.scale)
    assert set(labels[inside > 3].tolist()) == {int(pieces.labels[22, 45])}
    assert set(labels[inside < -3].tolist()) == {int(pieces.labels[0, 0])}
    assert clearness[np.abs(inside) < 0.7].max() < 0.5 < clearness[np.abs(inside) > 12].min()


def test_a_contour_runs_where_the_field_crosses_the_level() -> None:
    """A circle is found as one closed line of its radius."""
    (line,) = contours(disc(60, 80, 20.0), 0.0)

    assert line[0].tolist() == line[-1].tolist()
    assert np.hypot(line[:, 0] - 39.5, line[:, 1] - 29.5) == pytest.approx(20, abs=0.1)


def test_a_contour_that_leaves_the_picture_is_open() -> None:
    """What the border cuts off is not joined across the border."""
    y, _ = np.mgrid[:20, :30]

    (line,) = contours(y.astype(float), 7.5)

    assert sorted(line[[0, -1]].tolist()) == [[0, 7.5], [29, 7.5]]


def test_stitches_are_even_and_lie_along_the_line() -> None:
    """A straight seam of 100 px has twenty stitches 5 px apart, all in its direction."""
    line = np.stack([np.arange(101.0), np.zeros(101)], axis=1)

    stitches = dashes(line, np.ones(101, dtype=bool), 5.0)

    assert stitches[:, 0] == pytest.approx(np.arange(20) * 5 + 2.5)
    assert stitches[:, 2:] == pytest.approx(np.tile([1.0, 0.0], (20, 1)))


def test_stitches_only_where_they_are_wanted() -> None:
    """A seam too short for a few stitches is left out."""
    line = np.stack([np.arange(101.0), np.zeros(101)], axis=1)
    wanted = (line[:, 0] < 12) | (line[:, 0] > 50)

    stitches = dashes(line, wanted, 5.0)

    assert stitches[:, 0].min() > 50


def test_a_stitch_covers_its_length_and_casts_a_shadow() -> None:
    """Thread lies where the stitch is, and its shadow on the side away from the lamp."""
    thread = sew(np.array([[100.0, 50.0, 1.0, 0.0]]), 20.0, 6.0, CANVAS)

    rows, columns = np.nonzero(thread.cover >= 0.5)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (47, 53, 90, 110)
    assert thread.shadow[55, 100] > thread.shadow[45, 100]


def test_felt_has_no_seam_and_no_tone_of_its_own() -> None:
    """The cloth goes on at its opposite edge, and is neither lighter nor darker than what it is laid on."""
    cloth = weave(np.random.default_rng(1), CLASSIC, CANVAS)

    assert (cloth.mean(), cloth.std()) == pytest.approx((0, 1), abs=1e-4)
    across_edge = np.abs(cloth[:, 0] - cloth[:, -1]).mean()
    assert across_edge == pytest.approx(np.abs(np.diff(cloth, axis=1)).mean(), rel=0.2)


def test_the_lamp_is_at_the_upper_left() -> None:
    """Flat felt is as bright as its colour; what faces the upper left is brighter, what turns away darker."""
    y, x = np.mgrid[:100, :200].astype(np.float32)
    flat = light(np.zeros((100, 200), dtype=np.float32), CANVAS)
    towards, away = light(0.3 * (x + y), CANVAS), light(-0.3 * (x + y), CANVAS)

    assert flat == pytest.approx(1)
    assert away[50, 100] < 0.9 < 1.1 < towards[50, 100]


def test_the_middle_grows_and_the_frame_stays() -> None:
    """The head becomes larger; nothing at the edges is lost."""
    photo = np.zeros((80, 80, 3), dtype=np.float32)
    photo[disc(80, 80, 12) > 0] = 1
    photo[:, :2] = photo[:, -2:] = 0.5

    grown = enlarge_middle(photo, 0.35)

    assert (grown[..., 0] > 0.9).sum() > 1.4 * (photo[..., 0] > 0.9).sum()
    assert grown[[0, -1]] == pytest.approx(photo[[0, -1]], abs=0.05)
    assert enlarge_middle(photo, 0.0) is photo
