"""Images in pictures: their places, captions, colours and spots."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from triage.figures import explained, spots, tiles


def test_a_sheet_puts_every_image_in_its_place() -> None:
    grey, colour = np.full((4, 6), 0.5, np.float32), np.zeros((4, 6, 3), np.float32)
    shown = tiles.sheet([[grey, colour], [None, grey]])
    height, width = shown.cell
    assert shown.picture.shape == (2 * height, tiles.LEAST_COLUMNS * width, 3)
    assert (shown.picture[:4, :6] == 0.5).all()
    assert (shown.picture[:4, width : width + 6] == 0).all()
    assert (shown.picture[height:, :width] == 1).all()


def test_captions_stand_above_the_images_and_not_on_them() -> None:
    image = np.zeros((40, 60), np.float32)
    shown = tiles.sheet([[image, image], [image]], {1: ["a case\np = 0.10"]})
    (first, second), height = shown.tops, shown.cell[0]
    assert first == 0
    room = second - height
    assert (shown.picture[height : int(second)] == 1).all()
    (caption,) = tiles.figure(shown).axes[0].texts
    inches_a_pixel = tiles.MOST_ROOM / shown.picture.shape[1]
    assert caption.get_position()[1] <= second
    assert room * inches_a_pixel >= 2 * tiles.LINE - 0.01


@pytest.mark.parametrize("side", [8, 200])
def test_captions_of_the_first_row_are_not_cut(side: int) -> None:
    image = np.zeros((side, side), np.float32)
    figure = tiles.figure(tiles.sheet([[image]], {0: ["a case\np = 0.10"]}), ["a long name"])
    renderer = FigureCanvasAgg(figure).get_renderer()
    (caption,) = figure.axes[0].texts
    assert caption.get_window_extent(renderer).y1 <= figure.bbox.y1


def test_photographs_are_shown_in_the_colours_that_they_had() -> None:
    image = np.random.default_rng(0).uniform(0, 255, (3, 4, 4))
    mean, std = (100.0, 120.0, 140.0), (10.0, 20.0, 30.0)
    normalised = (image - np.array(mean)[:, None, None]) / np.array(std)[:, None, None]
    of = SimpleNamespace(mean=mean, std=std)
    source: Any = SimpleNamespace(checkpoint=SimpleNamespace(normalisation=of), has_scans=False)
    np.testing.assert_allclose(explained._coloured(source, normalised), image)
    source.has_scans = True
    assert explained._coloured(source, normalised) is normalised


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20))
def test_shrinking_keeps_the_mean_and_the_bound(height: int, width: int, longest: int) -> None:
    image = np.random.default_rng(height * 100 + width).random((height, width), np.float32)
    small = tiles.shrink(image, longest)
    assert max(small.shape) <= longest or max(image.shape) <= longest
    assert image.min() <= small.min() <= small.max() <= image.max()


def test_a_constant_image_can_be_windowed() -> None:
    assert (tiles.window(np.full((3, 3), 7, np.int16)) == 0).all()


def test_bright_spots_are_found_inside_and_not_on_the_rim() -> None:
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    radius = np.hypot(x, y)
    image = 100.0 * (radius < 0.8) + 500.0 * ((radius > 0.74) & (radius < 0.8))
    for row, column in ((50, 50), (80, 70)):
        image += 150 * np.exp(
            -((np.arange(128)[:, None] - row) ** 2 + (np.arange(128) - column) ** 2) / 8
        )
    found = [(row, column) for row, column, _ in spots.brightest(image, 2)]
    assert sorted(found) == [(50, 50), (80, 70)]
    assert spots.brightest(np.zeros((64, 64)), 3) == []
