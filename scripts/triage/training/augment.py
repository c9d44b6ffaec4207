"""Augmentation of a whole batch at once, on its device.

Everything that is random is drawn for a whole epoch, by (seed, epoch, case): see rng. All geometric
changes of an image become one projective map, so that it is interpolated once. Augmentation acts on
raw intensities, before normalisation; what comes in from outside the picture is 0, which is air in
a scan and black in a photograph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from triage.training import rng
from triage.training.intensity import curved, noisy
from triage.training.rng import Keys
from triage.training.settings import (
    Affine,
    Augment,
    Blur,
    Change,
    Crop,
    Gamma,
    Jitter,
    Noise,
    Perspective,
    Rotate,
)

Floats = NDArray[np.floating]
OneChange = TypeVar("OneChange", bound=Change)

# Brightness and the two axes of colour about it (YIQ); a turn about the first changes the hue.
GREY = np.array([0.299, 0.587, 0.114])
YIQ = np.array([GREY, [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])


@dataclass(frozen=True)
class Parameters:
    """How each of some images [n] is changed, or the images of each case.

    ``maps`` [n, 3, 3] lead from coordinates of the result to those of the picture; ``flips``
    [n, 2] are left-right and upside down; ``grains`` [n, images] are the noise of each image;
    ``colours`` [n, 3, 3] lead from colours of the picture to those of the result, and ``gains``
    [n] are the factors in their place where there is one channel; ``offsets`` [n] are added, in
    units of the picture's mean brightness; ``blurs`` [n] are standard deviations in pixels;
    ``gammas`` [n] are powers, and ``noises`` [n] standard deviations, as shares of the range.
    """

    maps: Tensor
    flips: Tensor
    grains: Tensor
    colours: Tensor
    gains: Tensor
    offsets: Tensor
    blurs: Tensor
    gammas: Tensor
    noises: Tensor

    def to(self, device: torch.device) -> Parameters:
        """The same on another device."""
        return self._each(lambda tensor: tensor.to(device))

    def rows(self, start: int, end: int) -> Parameters:
        """Those from ``start`` to ``end``, for each image."""
        images = self.grains.shape[1]
        each = self._each(lambda tensor: tensor[start:end].repeat_interleave(images, 0))
        return replace(each, grains=self.grains[start:end].reshape(-1, 1))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Parameters:
        return Parameters(*map(change, vars(self).values()))


class Augmentation:
    """The augmentation that ``settings`` describe, for images of ``size`` (height, width).

    ``ceiling`` is the largest intensity an image can have, where there is one: changes of
    intensity stay below it.
    """

    def __init__(
        self, settings: Augment, seed: int, size: tuple[int, int], ceiling: float | None = None
    ) -> None:
        self.settings = settings
        self.seed = seed
        self.size = size
        self.ceiling = ceiling
        warps = (settings.rotate, settings.perspective, settings.affine, settings.crop)
        self._warps = any(map(_on, warps))
        self._flips = settings.flip > 0 or settings.flip_vertical > 0
        self._jitter, self._blur = _on(settings.jitter), _on(settings.blur)
        self._gamma, self._noise = _on(settings.gamma), _on(settings.noise)
        self._grey = torch.from_numpy(GREY).float()[:, None, None]

    @property
    def active(self) -> bool:
        of_pixels = (self._jitter, self._blur, self._gamma, self._noise)
        return self._warps or self._flips or any(of_pixels)

    def draw(
        self,
        epoch: int,
        keys: Keys,
        chosen: NDArray[np.bool_] | None = None,
        images: Keys | None = None,
    ) -> Parameters:
        """The parameters of an epoch for each key; those that are not ``chosen`` change nothing.

        A key stands for a case, or for a slice where slices are augmented one by one. ``images``
        [keys, images each] are those of the images of each; without them, each is one image.
        """
        images = keys[:, None] if images is None else images
        draw = _Draw(self.seed, epoch, keys)
        flips = np.stack(
            [
                draw.happens("flip", self.settings.flip),
                draw.happens("flip_vertical", self.settings.flip_vertical),
            ],
            axis=1,
        )
        same, one, zero = _identity(len(keys)), np.ones(len(keys)), np.zeros(len(keys))
        maps = self._maps(draw, flips) if self._warps else same
        jitters = (same, one, zero) if self._jitter is None else _jitters(draw, self._jitter)
        colours, gains, offsets = jitters
        blurs = _blurs(draw, self._blur) if self._blur else zero
        gammas = _gammas(draw, self._gamma) if self._gamma else one
        noises = _noises(draw, self._noise) if self._noise else zero
        if chosen is not None:
            flips = flips & chosen[:, None]
            maps, colours = _where(chosen, maps), _where(chosen, colours)
            gains, offsets = np.where(chosen, gains, one), np.where(chosen, offsets, zero)
            blurs, noises = np.where(chosen, blurs, zero), np.where(chosen, noises, zero)
            gammas = np.where(chosen, gammas, one)
        floats = (colours, gains, offsets, blurs, gammas, noises)
        numbers = (torch.from_numpy(each).float() for each in floats)
        flipped, grains = torch.from_numpy(flips), torch.from_numpy(self._grains(epoch, images))
        return Parameters(torch.from_numpy(maps).float(), flipped, grains, *numbers)

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """``images`` [batch, channels, height, width] changed as their ``parameters`` say."""
        if self._warps:
            images = _warp(images, parameters.maps, _on(self.settings.perspective) is not None)
        elif self._flips:
            images = self._flipped(images, parameters.flips)
        if self._blur:
            images = _blurred(images, parameters.blurs, self._blur.kernel)
        if self._jitter:
            self._grey = self._grey.to(images.device)  # once, not for every batch
            images = self._clamped(_jittered(images, parameters, self._grey))
        if self._gamma:
            images = curved(images, parameters.gammas, self.ceiling)
        if self._noise:
            noise = (parameters.noises, parameters.grains[:, 0])
            images = self._clamped(noisy(images, *noise, self.ceiling))
        return images

    def _clamped(self, images: Tensor) -> Tensor:
        return images.clamp(0, self.ceiling) if self.ceiling else images

    def _flipped(self, images: Tensor, flips: Tensor) -> Tensor:
        if self.settings.flip > 0:
            images = torch.where(flips[:, 0, None, None, None], images.flip(-1), images)
        if self.settings.flip_vertical > 0:
            images = torch.where(flips[:, 1, None, None, None], images.flip(-2), images)
        return images

    def _maps(self, draw: _Draw, flips: NDArray[np.bool_]) -> Floats:
        """The composed map [keys, 3, 3] of each image: flips, then crop, then the others."""
        maps = np.zeros((len(flips), 3, 3))
        maps[:, 0, 0] = 1.0 - 2.0 * flips[:, 0]
        maps[:, 1, 1] = 1.0 - 2.0 * flips[:, 1]
        maps[:, 2, 2] = 1.0
        if self.settings.crop is not None:
            maps = maps @ _crops(draw, self.settings.crop)
        for each in self._choice(draw):
            maps = maps @ each
        return maps

    def _choice(self, draw: _Draw) -> list[Floats]:
        """The maps of rotation, perspective and affine change: all of them, or one an image."""
        height, width = self.size
        maps = [_rotations(draw, self.settings.rotate, height, width)]
        if self.settings.perspective is not None:
            maps.append(_perspectives(draw, self.settings.perspective))
        if self.settings.affine is not None:
            maps.append(_affines(draw, self.settings.affine, height, width))
        if self.settings.choose == "all":
            return maps
        which = np.floor(draw.uniform("choice") * len(maps)).astype(int)
        return [np.stack(maps)[which, np.arange(len(which))]]

    def _grains(self, epoch: int, images: Keys) -> NDArray[np.int32]:
        if not self._noise:
            return np.zeros(images.shape, np.int32)
        drawn = rng.uniform(self.seed, epoch, "grain", images) * 2**32
        return drawn.astype(np.uint32).view(np.int32)


def _on(change: OneChange | None) -> OneChange | None:
    """The change, if it may happen."""
    return change if change and change.probability > 0 else None


class _Draw:
    """The draws of one epoch for the given keys, by purpose."""

    def __init__(self, seed: int, epoch: int, keys: Keys) -> None:
        self.seed, self.epoch, self.keys = seed, epoch, keys

    def uniform(self, purpose: str) -> Floats:
        return rng.uniform(self.seed, self.epoch, purpose, self.keys)

    def between(self, purpose: str, low: float, high: float) -> Floats:
        return low + (high - low) * self.uniform(purpose)

    def happens(self, purpose: str, probability: float) -> NDArray[np.bool_]:
        return self.uniform(f"whether {purpose}") < probability


def _identity(count: int) -> Floats:
    return np.tile(np.eye(3), (count, 1, 1))


def _where(happens: NDArray[np.bool_], maps: Floats) -> Floats:
    return np.where(happens[:, None, None], maps, np.eye(3))


def _crops(draw: _Draw, settings: Crop) -> Floats:
    """A random part of the picture, of random area and shape, blown up to its size."""
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


def _jitters(draw: _Draw, settings: Jitter) -> tuple[Floats, Floats, Floats]:
    """Brightness, contrast, saturation and hue, in this order, as one map of colours, with the gain
    of grey pictures and the offset that contrast brings."""
    happens = draw.happens("jitter", settings.probability)

    def change(name: str, most: float) -> Floats:
        return draw.between(name, -most, most) * happens

    brightness = 1 + change("brightness", settings.brightness)
    contrast = 1 + change("contrast", settings.contrast)
    saturation = 1 + change("saturation", settings.saturation)
    gain, offset = brightness * contrast, brightness * (1 - contrast)
    grey = np.tile(GREY, (3, 1))
    colours = saturation[:, None, None] * (np.eye(3) - grey) + grey
    colours = _hues(change("hue", settings.hue)) @ colours
    return colours * gain[:, None, None], gain, offset


def _blurs(draw: _Draw, settings: Blur) -> Floats:
    sigma = draw.between("blur width", *settings.sigma)
    return sigma * draw.happens("blur", settings.probability)


def _gammas(draw: _Draw, settings: Gamma) -> Floats:
    powers = np.exp(draw.between("gamma", *np.log(settings.range)))
    return np.where(draw.happens("gamma", settings.probability), powers, 1.0)


def _noises(draw: _Draw, settings: Noise) -> Floats:
    return settings.std * draw.happens("noise", settings.probability)


def _rotations(draw: _Draw, rotate: Rotate, height: int, width: int) -> Floats:
    """Turns about the centre; with ``expand`` the turned picture is shrunk to be seen whole."""
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


def _perspectives(draw: _Draw, settings: Perspective) -> Floats:
    """Views from aside: each corner moves inwards by up to half of ``distortion`` of a side."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float)
    moved = np.empty((len(draw.keys), 4, 2))
    for i, corner in enumerate(corners):
        for axis in (0, 1):
            inwards = draw.between(f"corner {i} {axis}", 0, settings.distortion)
            moved[:, i, axis] = corner[axis] * (1 - inwards)
    maps = _homographies(moved, corners)
    return _where(draw.happens("perspective", settings.probability), maps)


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


def _affines(draw: _Draw, affine: Affine, height: int, width: int) -> Floats:
    """Turn, shear and scale about the centre, then shift by a share of the picture's size."""
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


def _warp(images: Tensor, maps: Tensor, projective: bool) -> Tensor:
    height, width = images.shape[-2:]
    x = torch.linspace(1 / width - 1, 1 - 1 / width, width, device=images.device)
    y = torch.linspace(1 / height - 1, 1 - 1 / height, height, device=images.device)
    maps = maps if projective else maps[:, :2]
    columns = x * maps[:, :, 0, None] + maps[:, :, 2, None]  # [batch, 2 or 3, width]
    points = columns[:, :, None, :] + y[:, None] * maps[:, :, 1, None, None]
    grid = points[:, :2] / points[:, 2:] if projective else points
    return functional.grid_sample(
        images, grid.permute(0, 2, 3, 1), mode="bilinear", padding_mode="zeros", align_corners=False
    )


def _blurred(images: Tensor, sigma: Tensor, kernel: tuple[int, int]) -> Tensor:
    """Gaussian blur with its own deviation for each image, as far as ``kernel`` (width, height)."""
    (right, row), (down, column) = (_gaussian(sigma, taps) for taps in kernel)
    kernels = (column[:, :, None] * row[:, None, :]).repeat_interleave(images.shape[1], 0)
    padded = functional.pad(images, (right, right, down, down), mode="reflect")
    # Every channel of every image is a group of its own.
    blurred = functional.conv2d(padded.flatten(0, 1)[None], kernels[:, None], groups=len(kernels))
    return blurred[0].unflatten(0, images.shape[:2])


def _gaussian(sigma: Tensor, taps: int) -> tuple[int, Tensor]:
    """The reach of a kernel of so many taps, and its weights for each deviation."""
    reach = taps // 2
    offsets = torch.arange(-reach, reach + 1, device=sigma.device)
    weights = torch.exp(-0.5 * (offsets / sigma.clamp(min=1e-3)[:, None]) ** 2)
    return reach, weights / weights.sum(1, keepdim=True)


def _jittered(images: Tensor, parameters: Parameters, grey: Tensor) -> Tensor:
    means = images.mean((2, 3), keepdim=True)
    offset = parameters.offsets[:, None, None, None]
    if images.shape[1] != 3:
        gain = parameters.gains[:, None, None, None]
        return images * gain + offset * means.mean(1, keepdim=True)
    offset = offset * (means * grey).sum(1, keepdim=True)
    return torch.baddbmm(offset.flatten(2), parameters.colours, images.flatten(2)).view_as(images)


def _hues(turns: Floats) -> Floats:
    """Maps of colours [n, 3, 3] that turn hues by parts of a full circle, keeping brightness."""
    turned = _identity(len(turns))
    cos, sin = np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)
    turned[:, 1, 1], turned[:, 1, 2] = cos, -sin
    turned[:, 2, 1], turned[:, 2, 2] = sin, cos
    maps: Floats = np.linalg.inv(YIQ) @ turned @ YIQ
    return maps
