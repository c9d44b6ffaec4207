"""Bringing pictures to the channels and the size in which they are stored."""

from __future__ import annotations

import numpy as np
from PIL import Image


def to_grey(picture: np.ndarray) -> np.ndarray:
    """``picture`` [..., channels, height, width] of 1 to 4 channels as one of grey.

    A fourth (or second) channel is transparency and is dropped; colours are weighed as by ITU-R
    BT.601, rounded.
    """
    colours = _opaque(picture)
    if colours.shape[-3] == 1:
        return colours
    red, green, blue = (colours[..., i : i + 1, :, :] for i in range(3))
    grey = red * 0.299
    grey += green * 0.587
    grey += blue * 0.114
    return _like(grey, picture)


def to_rgb(picture: np.ndarray) -> np.ndarray:
    """``picture`` [..., channels, height, width] of 1 to 4 channels as one of three."""
    colours = _opaque(picture)
    return np.repeat(colours, 3, axis=-3) if colours.shape[-3] == 1 else colours


def scale(picture: np.ndarray, size: int) -> np.ndarray:
    """``picture`` [..., height, width] scaled to ``size`` x ``size``, smoothed where it shrinks."""
    if picture.shape[-2:] == (size, size):
        return picture
    planes = picture.reshape(-1, *picture.shape[-2:])
    scaled = [_scale_plane(plane, size) for plane in planes]
    return np.stack(scaled).reshape(*picture.shape[:-2], size, size)


def _scale_plane(plane: np.ndarray, size: int) -> np.ndarray:
    exact = plane if plane.dtype == np.uint8 else plane.astype(np.float32)
    image = Image.fromarray(exact).resize((size, size), Image.Resampling.BICUBIC)
    return _like(np.asarray(image), plane)


def _opaque(picture: np.ndarray) -> np.ndarray:
    channels = picture.shape[-3]
    return picture[..., : channels - (channels in (2, 4)), :, :]


def _like(values: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """``values`` in the dtype of ``picture``, rounded and kept in range where that is integer."""
    if picture.dtype.kind == "f" or values.dtype == picture.dtype:
        return values.astype(picture.dtype, copy=False)
    bounds = np.iinfo(picture.dtype)
    return np.clip(np.rint(values), bounds.min, bounds.max).astype(picture.dtype)
