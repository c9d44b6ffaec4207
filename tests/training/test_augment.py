"""Augmentation of batches: what each kind does, and on what it depends."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats

from training_runs import recipe
from triage.training import rng
from triage.training.augment import GREY, Augmentation
from triage.training.settings import (
    Affine,
    Blur,
    Crop,
    Gamma,
    Jitter,
    Noise,
    Perspective,
    Rotate,
)

PLAIN = dataclasses.replace(recipe().augment, flip=0.0, rotate=Rotate(0.0, 0.0, False))
KEYS = rng.keys(f"case{i}" for i in range(64))
EVERYTHING = {
    "flip": 0.5,
    "flip_vertical": 0.5,
    "rotate": Rotate(0.5, 180.0, True),
    "perspective": Perspective(0.5, 0.5),
    "affine": Affine(0.5, 10.0, 0.1, (0.9, 1.1), 5.0),
    "crop": Crop(1.0, (0.8, 1.0)),
    "blur": Blur(0.5, (5, 9), (0.1, 3.0)),
    "jitter": Jitter(0.8, 0.2, 0.2, 0.2, 0.2),
    "gamma": Gamma(0.5, (0.7, 1.5)),
    "noise": Noise(0.5, 0.05),
}


def augmentation(size=(16, 16), seed=1, **changes):
    return Augmentation(dataclasses.replace(PLAIN, **changes), seed, size, 255.0)


def pictures(count=8, channels=3, size=(16, 16)):
    torch.manual_seed(0)
    return 255 * torch.rand(count, channels, *size)


def parameters(count, **columns):
    return dataclasses.replace(augmentation().draw(0, KEYS[:count]), **columns)


def equal(first, second):
    return all(each.equal(vars(second)[name]) for name, each in vars(first).items())


def test_nothing_asked_for_is_not_active():
    assert not augmentation().active
    assert augmentation(flip=0.5).active


def test_flips_are_exact():
    images = pictures(2)
    flips = torch.eye(2, dtype=torch.bool)
    flipping = augmentation(flip=0.5, flip_vertical=0.5)
    flipped = flipping.apply(images, parameters(2, flips=flips))
    assert torch.equal(flipped[0], images[0].flip(-1))
    assert torch.equal(flipped[1], images[1].flip(-2))


def test_half_are_flipped():
    drawn = augmentation(flip=0.5).draw(0, rng.keys(map(str, range(4000))))
    assert abs(drawn.flips[:, 0].float().mean() - 0.5) < 0.03
    assert not drawn.flips[:, 1].any()


@pytest.mark.parametrize("size", [(16, 16), (12, 20)])
def test_a_turn_by_half_a_circle_turns_both_axes(size):
    images = pictures(2, size=size)
    turn = torch.diag(torch.tensor([-1.0, -1.0, 1.0])).expand(2, 3, 3)
    turned = augmentation(size, rotate=Rotate(1.0, 10.0, False)).apply(
        images, parameters(2, maps=turn)
    )
    assert torch.allclose(turned, images.flip((-1, -2)), atol=1e-3)


def test_rotation_stays_within_its_degrees_and_is_a_turn_in_pixels():
    size = (10, 20)
    drawn = augmentation(size, rotate=Rotate(1.0, 10.0, False)).draw(0, KEYS)
    maps = drawn.maps.double().numpy()
    to_pixels = np.diag([size[1] / 2, size[0] / 2, 1])
    turns = to_pixels @ maps @ np.linalg.inv(to_pixels)
    assert np.allclose(turns[:, :2, :2] @ turns[:, :2, :2].transpose(0, 2, 1), np.eye(2), atol=1e-6)
    angles = np.rad2deg(np.arctan2(turns[:, 1, 0], turns[:, 0, 0]))
    assert abs(angles).max() <= 10
    assert angles.std() > 4


def test_what_comes_in_from_outside_is_zero():
    images = torch.full((64, 1, 16, 16), 100.0)
    turned = augmentation(rotate=Rotate(1.0, 45.0, False))
    result = turned.apply(images, turned.draw(0, KEYS))
    assert result[:, :, 0, 0].min() == 0
    assert result[:, :, 8, 8].min() > 99


def test_expansion_shows_the_whole_picture():
    size = (40, 60)
    images = torch.zeros(64, 1, *size)
    images[:, :, :, 0] = images[:, :, 0] = images[:, :, -1] = images[:, :, :, -1] = 100.0
    turned = augmentation(size, rotate=Rotate(1.0, 180.0, True))
    drawn = turned.draw(0, KEYS)
    corners = torch.tensor([[x, y, 1.0] for x in (-1.0, 1.0) for y in (-1.0, 1.0)])
    places = (torch.linalg.inv(drawn.maps) @ corners.T)[:, :2]
    assert places.abs().max() <= 1 + 1e-5
    assert places.abs().amax((1, 2)).min() > 1 - 1e-5


def test_perspective_moves_corners_inwards_only():
    viewed = augmentation(perspective=Perspective(1.0, 0.5))
    maps = viewed.draw(0, KEYS).maps
    corners = torch.tensor([[-1.0, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]])
    places = torch.linalg.inv(maps) @ corners.T
    places = places[:, :2] / places[:, 2:]
    inwards = places * corners[:, :2].T
    assert inwards.max() <= 1 + 1e-4
    assert inwards.min() >= 0.5 - 1e-4


def test_a_crop_is_part_of_the_picture_of_the_wanted_area():
    maps = augmentation(crop=Crop(1.0, (0.5, 0.9))).draw(0, KEYS).maps
    area = maps[:, 0, 0] * maps[:, 1, 1]
    assert area.min() >= 0.5 - 1e-6
    assert area.max() <= 0.9 + 1e-6
    for axis in (0, 1):
        assert (maps[:, axis, axis] + maps[:, axis, 2].abs()).max() <= 1 + 1e-6


def test_choosing_one_never_combines_two():
    changes = {
        "rotate": Rotate(1.0, 30.0, False),
        "affine": Affine(1.0, 0.0, 0.2, (1.0, 1.0), 0.0),
        "choose": "one",
    }
    maps = augmentation(**changes).draw(0, KEYS).maps
    turned = maps[:, 0, 1] != 0
    shifted = maps[:, 0, 2] != 0
    assert (turned ^ shifted).all()
    assert 10 < turned.sum() < 54


def test_blur_is_torchvisions():
    from triage.models.vision import transforms

    images = pictures(3)
    blurred = augmentation(blur=Blur(1.0, (5, 9), (0.1, 3.0)))
    result = blurred.apply(images, parameters(3, blurs=torch.tensor([0.0, 0.7, 2.5])))
    assert torch.allclose(result[0], images[0], atol=1e-3)
    for i, sigma in ((1, 0.7), (2, 2.5)):
        expected = transforms.functional.gaussian_blur(images[i], [5, 9], [sigma, sigma])
        assert torch.allclose(result[i], expected, atol=1e-2)


def jittered(images, **amounts):
    """Images changed as drawn for them, and the numbers drawn."""
    jitter = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0} | amounts
    changed = augmentation(jitter=Jitter(1.0, **jitter))
    name, most = next(iter(amounts.items()))
    drawn = (2 * rng.uniform(1, 0, name, KEYS) - 1) * most
    return changed.apply(images, changed.draw(0, KEYS)), drawn


@pytest.mark.parametrize("kind", ["brightness", "contrast", "saturation"])
@pytest.mark.parametrize("channels", [1, 3])
def test_colour_changes_are_torchvisions(kind, channels):
    from triage.models.vision import transforms

    if channels == 1 and kind == "saturation":
        return
    images = 60 + pictures(64, channels) / 2  # far enough from black and white
    result, drawn = jittered(images, **{kind: 0.2})
    adjust = getattr(transforms.functional, f"adjust_{kind}")
    expected = [adjust(image / 255, 1 + by) for image, by in zip(images, drawn, strict=True)]
    assert torch.allclose(result / 255, torch.stack(expected), atol=2e-3)


def test_a_turn_of_hue_keeps_brightness_and_grey():
    images = 100 + pictures(64) / 6
    images[0] = images[0, :1]
    result, drawn = jittered(images, hue=0.2)
    weights = torch.tensor(GREY, dtype=torch.float32).view(3, 1, 1)
    brightness = [(each * weights).sum(1) for each in (images, result)]
    assert torch.allclose(*brightness, atol=0.05)
    assert torch.allclose(result[0], images[0], atol=0.05)
    moved = (result - images).abs().mean((1, 2, 3))
    assert np.corrcoef(moved[1:], abs(drawn[1:]))[0, 1] > 0.9


def test_red_turned_by_a_third_of_the_circle_is_green_or_blue():
    changed = augmentation(jitter=Jitter(1.0, 0.0, 0.0, 0.0, 0.5))
    turn = (2 * rng.uniform(1, 0, "hue", KEYS) - 1) * 0.5
    third = np.argmin(abs(abs(turn) - 1 / 3))
    colour = changed.draw(0, KEYS).colours[third] @ torch.tensor([255.0, 0.0, 0.0])
    assert colour.argmax() != 0


def test_grey_images_take_brightness_and_contrast():
    changed = augmentation(jitter=Jitter(1.0, 0.2, 0.2, 0.2, 0.2))
    images = pictures(4, channels=1)
    assert changed.apply(images, changed.draw(0, KEYS[:4])).shape == images.shape


def test_the_result_does_not_depend_on_the_batch():
    changed = augmentation(**EVERYTHING)
    images, drawn = pictures(64), changed.draw(3, KEYS)
    whole = changed.apply(images, drawn)
    parts = [changed.apply(images[i : i + 5], drawn.rows(i, i + 5)) for i in range(0, 64, 5)]
    assert torch.allclose(whole, torch.cat(parts), atol=1e-3)
    assert equal(changed.draw(3, KEYS[10:20]), drawn.rows(10, 20))
    assert not equal(changed.draw(4, KEYS), drawn)


def test_samples_that_are_not_chosen_stay_as_they_are():
    changed = augmentation(**EVERYTHING)
    images, chosen = pictures(64), np.arange(64) % 2 == 0
    result = changed.apply(images, changed.draw(0, KEYS, chosen))
    same = (result - images).abs().amax((1, 2, 3)) < 1e-2
    assert torch.equal(same, torch.from_numpy(~chosen))


def test_results_keep_to_the_range_of_intensities():
    changed = augmentation(**EVERYTHING)
    result = changed.apply(pictures(64), changed.draw(0, KEYS))
    assert result.min() >= 0
    assert result.max() <= 255


def scans(count=8):
    """Two channels of their own ranges: -1000 to 2000, and 200 to 40000."""
    ranges = torch.tensor([[-1000.0, 2000.0], [200.0, 40000.0]])[:, :, None, None]
    shares = torch.rand(count, 2, 32, 32, generator=torch.manual_seed(0))
    shares[:, :, 0, 0], shares[:, :, 1, 1] = 0, 1
    return ranges[:, 0] + shares * (ranges[:, 1] - ranges[:, 0])


def of_scans(**changes):
    return Augmentation(dataclasses.replace(PLAIN, **changes), 1, (32, 32))


def test_gamma_is_a_power_of_shares_of_the_range():
    gammas = torch.tensor([1.0, 0.7, 1.5])
    changed, images = augmentation(gamma=Gamma(1.0, (0.7, 1.5))), pictures(3)
    result = changed.apply(images, parameters(3, gammas=gammas))
    assert torch.equal(result[0], images[0])
    expected = 255 * (images / 255) ** gammas[:, None, None, None]
    assert torch.allclose(result, expected, rtol=1e-4)
    images = scans(3)
    result = of_scans(gamma=Gamma(1.0, (0.7, 1.5))).apply(images, parameters(3, gammas=gammas))
    low, high = torch.tensor([[-1000.0, 0.0], [2000.0, 40000.0]])[:, :, None, None]
    expected = low + (high - low) * ((images - low) / (high - low)) ** gammas[:, None, None, None]
    assert torch.allclose(result, expected, rtol=1e-4, atol=1)


def test_gammas_are_even_by_their_logarithm():
    gammas = augmentation(gamma=Gamma(0.5, (0.25, 4.0))).draw(0, rng.keys(map(str, range(4000))))
    changed = gammas.gammas[gammas.gammas != 1]
    assert abs(len(changed) / 4000 - 0.5) < 0.03
    assert 0.25 <= changed.min() <= changed.max() <= 4
    assert abs((changed < 1).float().mean() - 0.5) < 0.05


def test_noise_is_normal_and_as_wide_as_a_share_of_the_range():
    changed, images = of_scans(noise=Noise(1.0, 0.05)), scans(64)
    drawn = changed.draw(0, KEYS)
    noise = (changed.apply(images, drawn) - images) / torch.tensor([3000, 40000])[:, None, None]
    assert abs(noise.std() - 0.05) < 0.001
    assert stats.kstest(noise[:8].flatten().numpy() / 0.05, "norm").pvalue > 0.01
    each = np.corrcoef(noise.flatten(2).flatten(0, 1).numpy())  # of images and channels
    assert abs(each - np.eye(len(each))).max() < 0.2
    beside = np.corrcoef(noise[..., 1:].flatten().numpy(), noise[..., :-1].flatten().numpy())
    assert abs(beside[0, 1]) < 0.02


def test_an_image_without_noise_stays_as_it_is():
    changed, images = of_scans(noise=Noise(0.5, 0.05)), scans(64)
    drawn = changed.draw(0, KEYS)
    same = (changed.apply(images, drawn) == images).flatten(1).all(1)
    assert torch.equal(same, drawn.noises == 0)
    assert 16 < same.sum() < 48


def test_a_picture_of_one_value_has_neither_curve_nor_trouble():
    changed = of_scans(gamma=Gamma(1.0, (0.5, 2.0)), noise=Noise(1.0, 0.1))
    for value in (-5.0, 0.0, 7.0):
        result = changed.apply(torch.full((64, 1, 32, 32), value), changed.draw(0, KEYS))
        assert torch.isfinite(result).all()
        assert abs(result.mean() - value) < 0.1
