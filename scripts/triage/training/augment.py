"""Augmentation of a whole batch at once, on its device.

Everything that is random is drawn for a whole epoch as a table of parameters, one row an image,
by (seed, epoch, case): see draws. All geometric changes of an image become one projective map, so
that it is interpolated once. Augmentation acts on raw intensities, before normalisation; what
comes in from outside the picture is 0, which is air in a scan and black in a photograph.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from triage.training import draws
from triage.training.draws import Keys
from triage.training.settings import Augment

Floats = NDArray[np.floating]

# The columns of a table of parameters.
MAP = slice(0, 9)  # 3x3, from coordinates of the result to those of the picture
FLIPS = slice(9, 11)  # left-right, upside down
JITTER = slice(11, 15)  # factors of brightness, contrast, saturation; turn of hue
BLUR = 15  # standard deviation in pixels
UNCHANGED = np.array([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 1, 1, 0, 0], np.float32)

GREY = (0.299, 0.587, 0.114)


class Augmentation:
    """The augmentation that ``settings`` describe, for images of ``size`` (height, width).

    ``ceiling`` is the largest intensity an image can have, where there is one: colour changes
    stay below it.
    """

    def __init__(
        self, settings: Augment, seed: int, size: tuple[int, int], ceiling: float | None = None
    ) -> None:
        self.settings = settings
        self.seed = seed
        self.size = size
        self.ceiling = ceiling
        self._warps = any(
            each is not None and each.probability > 0
            for each in (settings.rotate, settings.perspective, settings.affine, settings.crop)
        )
        self._flips = settings.flip > 0 or settings.flip_vertical > 0
        self._jitters = settings.jitter is not None and settings.jitter.probability > 0
        self._blurs = settings.blur is not None and settings.blur.probability > 0

    @property
    def active(self) -> bool:
        return self._warps or self._flips or self._jitters or self._blurs

    def draw(self, epoch: int, keys: Keys, chosen: NDArray[np.bool_] | None = None) -> Tensor:
        """The parameters [keys, columns] of an epoch; rows that are not ``chosen`` change nothing.

        A key stands for a case, or for a slice where slices are augmented one by one.
        """
        draw = _Draw(self.seed, epoch, keys)
        table = np.tile(UNCHANGED, (len(keys), 1))
        flips = np.stack(
            [
                draw.happens("flip", self.settings.flip),
                draw.happens("flip_vertical", self.settings.flip_vertical),
            ],
            axis=1,
        )
        table[:, FLIPS] = flips
        if self._warps:
            table[:, MAP] = self._maps(draw, flips).reshape(-1, 9)
        if self._jitters:
            table[:, JITTER] = self._jitter(draw)
        if self._blurs:
            table[:, BLUR] = self._blur(draw)
        if chosen is not None:
            table[~chosen] = UNCHANGED
        return torch.from_numpy(table)

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        """``images`` [batch, channels, height, width] changed as their ``parameters`` say."""
        if self._warps:
            images = _warp(images, parameters[:, MAP].view(-1, 3, 3), self._is_projective)
        elif self._flips:
            images = _flip(images, parameters[:, FLIPS] > 0.5)
        if self._blurs and self.settings.blur is not None:
            images = _blurred(images, parameters[:, BLUR], self.settings.blur.kernel)
        if self._jitters:
            images = _jittered(images, parameters[:, JITTER], self.ceiling)
        return images

    @property
    def _is_projective(self) -> bool:
        each = self.settings.perspective
        return each is not None and each.probability > 0

    def _maps(self, draw: _Draw, flips: NDArray[np.bool_]) -> Floats:
        """The composed map [keys, 3, 3] of each image: flips, then crop, then the others."""
        maps = np.zeros((len(flips), 3, 3))
        maps[:, 0, 0] = 1.0 - 2.0 * flips[:, 0]
        maps[:, 1, 1] = 1.0 - 2.0 * flips[:, 1]
        maps[:, 2, 2] = 1.0
        if self.settings.crop is not None:
            maps = maps @ self._crop(draw)
        for each in self._choice(draw):
            maps = maps @ each
        return maps

    def _choice(self, draw: _Draw) -> list[Floats]:
        """The maps of rotation, perspective and affine change: all of them, or one an image."""
        height, width = self.size
        maps = [_rotations(draw, self.settings, height, width)]
        if self.settings.perspective is not None:
            maps.append(_perspectives(draw, self.settings, height, width))
        if self.settings.affine is not None:
            maps.append(_affines(draw, self.settings, height, width))
        if self.settings.choose == "all":
            return maps
        which = np.floor(draw.uniform("choice") * len(maps)).astype(int)
        return [np.stack(maps)[which, np.arange(len(which))]]

    def _crop(self, draw: _Draw) -> Floats:
        """A random part of the picture, of random area and shape, blown up to its size."""
        settings = self.settings.crop
        assert settings is not None
        area = draw.between("crop area", *settings.scale)
        # No side may be longer than the picture, so a small part may differ more in shape.
        limit = np.minimum(np.log(4 / 3), -np.log(area))
        ratio = np.exp((2 * draw.uniform("crop shape") - 1) * limit)
        width, height = np.sqrt(area * ratio), np.sqrt(area / ratio)
        maps = _identity(len(area))
        maps[:, 0, 0], maps[:, 1, 1] = width, height
        maps[:, 0, 2] = (1 - width) * (2 * draw.uniform("crop left") - 1)
        maps[:, 1, 2] = (1 - height) * (2 * draw.uniform("crop top") - 1)
        return _where(draw.happens("crop", settings.probability), maps)

    def _jitter(self, draw: _Draw) -> Floats:
        settings = self.settings.jitter
        assert settings is not None
        spread = (settings.brightness, settings.contrast, settings.saturation, settings.hue)
        names = ("brightness", "contrast", "saturation", "hue")
        changes = np.stack(
            [draw.between(name, -most, most) for name, most in zip(names, spread, strict=True)],
            axis=1,
        )
        changes *= draw.happens("jitter", settings.probability)[:, None]
        return changes + np.array([1.0, 1.0, 1.0, 0.0])

    def _blur(self, draw: _Draw) -> Floats:
        settings = self.settings.blur
        assert settings is not None
        sigma = draw.between("blur width", *settings.sigma)
        return sigma * draw.happens("blur", settings.probability)


class _Draw:
    """The draws of one epoch for the given keys, by purpose."""

    def __init__(self, seed: int, epoch: int, keys: Keys) -> None:
        self.seed, self.epoch, self.keys = seed, epoch, keys

    def uniform(self, purpose: str) -> Floats:
        return draws.uniform(self.seed, self.epoch, purpose, self.keys)

    def between(self, purpose: str, low: float, high: float) -> Floats:
        return low + (high - low) * self.uniform(purpose)

    def happens(self, purpose: str, probability: float) -> NDArray[np.bool_]:
        return self.uniform(f"whether {purpose}") < probability


def _identity(count: int) -> Floats:
    return np.tile(np.eye(3), (count, 1, 1))


def _where(happens: NDArray[np.bool_], maps: Floats) -> Floats:
    return np.where(happens[:, None, None], maps, np.eye(3))


def _rotations(draw: _Draw, settings: Augment, height: int, width: int) -> Floats:
    """Turns about the centre; with ``expand`` the turned picture is shrunk to be seen whole."""
    rotate = settings.rotate
    angle = np.deg2rad(draw.between("angle", -rotate.degrees, rotate.degrees))
    cos, sin = np.cos(angle), np.sin(angle)
    maps = _identity(len(angle))
    maps[:, 0, 0], maps[:, 0, 1] = cos, -sin * height / width
    maps[:, 1, 0], maps[:, 1, 1] = sin * width / height, cos
    if rotate.expand:
        wide = np.abs(cos) + np.abs(sin) * height / width
        high = np.abs(cos) + np.abs(sin) * width / height
        maps[:, :2, 0] *= wide[:, None]
        maps[:, :2, 1] *= high[:, None]
    return _where(draw.happens("rotate", rotate.probability), maps)


def _perspectives(draw: _Draw, settings: Augment, height: int, width: int) -> Floats:
    """Views from aside: each corner moves inwards by up to half of ``distortion`` of a side."""
    assert settings.perspective is not None
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float)
    moved = np.empty((len(draw.keys), 4, 2))
    for i, corner in enumerate(corners):
        for axis in (0, 1):
            inwards = draw.between(f"corner {i} {axis}", 0, settings.perspective.distortion)
            moved[:, i, axis] = corner[axis] * (1 - inwards)
    maps = _homographies(moved, corners)
    return _where(draw.happens("perspective", settings.perspective.probability), maps)


def _homographies(source: Floats, target: Floats) -> Floats:
    """The projective maps [n, 3, 3] that take four points [n, 4, 2] to four points [4, 2]."""
    x, y = source[..., 0], source[..., 1]
    u, v = np.broadcast_to(target[:, 0], x.shape), np.broadcast_to(target[:, 1], x.shape)
    one, zero = np.ones_like(x), np.zeros_like(x)
    rows_u = np.stack([x, y, one, zero, zero, zero, -u * x, -u * y], axis=-1)
    rows_v = np.stack([zero, zero, zero, x, y, one, -v * x, -v * y], axis=-1)
    system = np.concatenate([rows_u, rows_v], axis=1)
    solved = np.linalg.solve(system, np.concatenate([u, v], axis=1)[..., None])[..., 0]
    return np.concatenate([solved, np.ones((len(x), 1))], axis=1).reshape(-1, 3, 3)


def _affines(draw: _Draw, settings: Augment, height: int, width: int) -> Floats:
    """Turn, shear and scale about the centre, then shift by a share of the picture's size."""
    affine = settings.affine
    assert affine is not None
    angle = np.deg2rad(draw.between("affine angle", -affine.degrees, affine.degrees))
    shear = np.tan(np.deg2rad(draw.between("shear", -affine.shear, affine.shear)))
    scale = draw.between("scale", *affine.scale)
    forward = _identity(len(angle))
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    forward[:, 0, 0], forward[:, 0, 1] = cos, cos * shear - sin
    forward[:, 1, 0], forward[:, 1, 1] = sin, sin * shear + cos
    forward[:, 0, 1] *= height / width
    forward[:, 1, 0] *= width / height
    for axis, name in enumerate(("shift right", "shift down")):
        forward[:, axis, 2] = 2 * draw.between(name, -affine.translate, affine.translate)
    maps: Floats = np.linalg.inv(forward)
    return _where(draw.happens("affine", affine.probability), maps)


def _flip(images: Tensor, flips: Tensor) -> Tensor:
    images = torch.where(flips[:, 0, None, None, None], images.flip(-1), images)
    return torch.where(flips[:, 1, None, None, None], images.flip(-2), images)


def _warp(images: Tensor, maps: Tensor, projective: bool) -> Tensor:
    height, width = images.shape[-2:]
    x = torch.linspace(1 / width - 1, 1 - 1 / width, width, device=images.device)
    y = torch.linspace(1 / height - 1, 1 - 1 / height, height, device=images.device)
    columns = x * maps[:, :, 0, None] + maps[:, :, 2, None]  # [batch, 3, width]
    points = columns[:, :, None, :] + y[:, None] * maps[:, :, 1, None, None]
    grid = points[:, :2] / points[:, 2:] if projective else points[:, :2]
    return functional.grid_sample(
        images, grid.permute(0, 2, 3, 1), mode="bilinear", padding_mode="zeros", align_corners=False
    )


def _blurred(images: Tensor, sigma: Tensor, kernel: tuple[int, int]) -> Tensor:
    """Gaussian blur with its own deviation for each image, as far as ``kernel`` (width, height)."""
    for dimension, taps in ((3, kernel[0]), (2, kernel[1])):
        reach = taps // 2
        offsets = torch.arange(-reach, reach + 1, device=images.device)
        weights = torch.exp(-0.5 * (offsets / sigma.clamp(min=1e-3)[:, None]) ** 2)
        weights = weights / weights.sum(1, keepdim=True)
        margin = (reach, reach, 0, 0) if dimension == 3 else (0, 0, reach, reach)
        padded = functional.pad(images, margin, mode="reflect")
        length = images.shape[dimension]
        images = torch.zeros_like(images)
        for tap in range(2 * reach + 1):
            part = padded.narrow(dimension, tap, length)
            images = torch.addcmul(images, part, weights[:, tap, None, None, None])
    return images


def _jittered(images: Tensor, factors: Tensor, ceiling: float | None) -> Tensor:
    """Brightness, contrast, saturation and hue changed, in this order."""
    brightness, contrast, saturation, hue = factors[:, :, None, None, None].unbind(1)

    def clipped(x: Tensor) -> Tensor:
        return x.clamp(0, ceiling) if ceiling else x

    images = clipped(images * brightness)
    images = clipped(torch.lerp(_grey(images).mean((2, 3), keepdim=True), images, contrast))
    if images.shape[1] != 3:
        return images
    images = clipped(torch.lerp(_grey(images), images, saturation))
    return _hue_turned(images, hue)


def _grey(images: Tensor) -> Tensor:
    if images.shape[1] != 3:
        return images.mean(1, keepdim=True)
    weights = images.new_tensor(GREY)[:, None, None]
    return (images * weights).sum(1, keepdim=True)


def _hue_turned(images: Tensor, turn: Tensor) -> Tensor:
    """The hue moved by ``turn`` [batch, 1, 1, 1] of a full circle, through the HSV hexagon."""
    red, green, blue = images.unbind(1)
    value, brightest = images.max(1)
    chroma = value - images.min(1).values
    safe = chroma.clamp(min=1e-6)
    sectors = torch.stack(
        [(green - blue) / safe, (blue - red) / safe + 2, (red - green) / safe + 4], dim=1
    )
    sector = sectors.gather(1, brightest[:, None])[:, 0] + 6 * turn[:, 0]
    channels = []
    for start in (5, 3, 1):
        k = torch.remainder(sector + start, 6)
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, dim=1)
