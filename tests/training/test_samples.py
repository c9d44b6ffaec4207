"""From shards to batches: the right images, cut, normalised and augmented as asked."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from training_runs import recipe
from triage.errors import UserError
from triage.training.augment import Augmentation
from triage.training.balance import in_order
from triage.training.normalise import Normalisation, Normaliser
from triage.training.pixels import Pixels, free_memory
from triage.training.samples import ImageSamples, batches
from triage.training.settings import Gamma, Input, Jitter, Noise, Rotate

CPU = torch.device("cpu")
PLAIN = recipe().input
CASES, SLICES, SIZE = 6, 3, 12
JITTER = Jitter(1.0, 0.2, 0.2, 0.2, 0.1)


class Store:
    """Images in memory, read as the store reads them."""

    def __init__(self, dtype: type = np.int16, top: int = 1000, channels: int = 2) -> None:
        shape = (CASES * SLICES, channels, SIZE, SIZE)
        self.images = np.random.default_rng(0).integers(0, top, shape).astype(dtype)
        self.reads = 0

    def read(self, positions: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        self.reads += 1
        top, left = ((SIZE - each) // 2 for each in size)
        return self.images[positions, :, top : top + size[0], left : left + size[1]]


def pixels(store: Store, share: float = 0.5, device: torch.device = CPU, **changes) -> Pixels:
    settings = dataclasses.replace(PLAIN, **changes)
    return Pixels(store, np.arange(CASES * SLICES), (SIZE, SIZE), settings, device, share)


def values(part: Pixels, size: int = 5) -> torch.Tensor:
    bounds = batches(0, len(part), size)
    return torch.cat(list(part.batches([np.arange(*each) for each in bounds])))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32])
@pytest.mark.parametrize("share", [0.5, 0.0])
def test_every_type_comes_as_the_same_numbers(dtype, share):
    store = Store(dtype, 250 if dtype == np.uint8 else 60000 if dtype == np.uint16 else 1000)
    part = pixels(store, share)
    assert part.resident == (share > 0)
    assert np.array_equal(values(part).numpy(), store.images.astype(np.float32))


def test_memory_that_torch_keeps_for_later_use_is_free(monkeypatch):
    amounts = {"mem_get_info": (10, 80), "memory_reserved": 60, "memory_allocated": 25}
    for name, amount in amounts.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, amount=amount: amount)
    assert free_memory(torch.device("cuda")) == 10 + 60 - 25


def test_images_that_fit_are_read_once():
    store = Store()
    part = pixels(store)
    reads = store.reads
    values(part)
    values(part)
    assert store.reads == reads


def test_images_that_do_not_fit_are_read_ahead_in_order():
    store = Store()
    part = pixels(store, share=0.0)
    order = np.random.default_rng(0).permutation(len(part))
    found = torch.cat(list(part.batches(list(np.split(order, 6)))))
    assert np.array_equal(found.numpy(), store.images[order].astype(np.float32))


def test_an_error_while_reading_ahead_reaches_the_reader():
    store = Store()
    part = pixels(store, share=0.0)
    store.images = store.images[:4]
    with pytest.raises(IndexError):
        values(part)


def test_a_reader_may_stop_early():
    part = pixels(Store(), share=0.0)
    reader = part.batches([np.arange(2)] * 9)
    next(reader)
    reader.close()


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_cropping_and_resizing(share):
    store = Store()
    cropped = pixels(store, share, crop=8)
    assert cropped.size == (8, 8)
    assert np.array_equal(values(cropped).numpy(), store.images[:, :, 2:10, 2:10])
    original = torch.from_numpy(store.images).float()
    for size in (6, 20):
        part = pixels(store, share, resize=size)
        assert part.size == (size, size)
        expected = torch.nn.functional.interpolate(
            original, (size, size), mode="bilinear", antialias=True
        )
        assert torch.allclose(values(part), expected, atol=0.51)


def samples(part: Pixels, whole: bool, normalisation: Normalisation, **augment) -> ImageSamples:
    index = np.arange(CASES * SLICES).reshape(CASES, SLICES)
    numbers = np.broadcast_to(np.arange(SLICES), index.shape)
    names = [f"case{i}" for i in range(CASES)]
    if not whole:
        index, numbers = index.reshape(-1, 1), numbers.reshape(-1, 1)
        names = [name for name in names for _ in range(SLICES)]
    settings = dataclasses.replace(
        recipe().augment, **{"rotate": Rotate(1.0, 90.0, False), "flip": 0.5} | augment
    )
    volumes = np.arange(CASES).repeat(SLICES)
    return ImageSamples(
        part,
        Normaliser(normalisation, part, volumes),
        index,
        numbers,
        names,
        np.zeros((len(index), 1), np.float32),
        Augmentation(settings, 1, part.size),
        whole,
        channels_last=True,
    )


def every(chosen: ImageSamples, epoch: int | None = None, size: int = 4) -> torch.Tensor:
    plan = in_order(len(chosen), augmented=True)
    return torch.cat(list(chosen.batches(plan, batches(0, len(chosen), size), epoch)))


FIXED = Normalisation((500.0, 400.0), (100.0, 200.0))


def test_volumes_and_single_images_are_the_same_images():
    store = Store()
    expected = (store.images - np.array([500, 400])[:, None, None]) / np.array([100, 200])[
        :, None, None
    ]
    single = every(samples(pixels(store), False, FIXED))
    volumes = every(samples(pixels(store), True, FIXED))
    assert np.allclose(single.numpy(), expected, atol=1e-4)
    assert torch.equal(volumes.flatten(0, 1), single)


def test_a_volume_on_its_own_scale():
    own = every(samples(pixels(Store()), True, Normalisation(None, None)))
    assert torch.allclose(own.mean((1, 3, 4)), torch.zeros(CASES, 2), atol=1e-5)
    assert torch.allclose(own.var((1, 3, 4), correction=0), torch.ones(CASES, 2), atol=1e-4)
    single = every(samples(pixels(Store(), share=0.0), False, Normalisation(None, None)))
    assert torch.allclose(own.flatten(0, 1), single, atol=1e-5)


def test_a_constant_volume_becomes_zero():
    store = Store()
    store.images[:SLICES] = 7
    assert not every(samples(pixels(store), True, Normalisation(None, None)))[0].any()


def test_augmentation_by_case_keeps_a_volume_together():
    store = Store()
    store.images[:] = store.images[:1]  # all slices alike
    by_case = every(samples(pixels(store), True, FIXED, per="case"), epoch=0)
    assert torch.equal(by_case, by_case[:, :1].expand_as(by_case))
    assert not torch.allclose(by_case[0], by_case[1], atol=0.1)
    by_slice = every(samples(pixels(store), True, FIXED, per="slice"), epoch=0)
    assert not torch.allclose(by_slice[:, 0], by_slice[:, 1], atol=0.1)


def test_slices_of_a_volume_have_noise_of_one_width_and_of_their_own_grain():
    store = Store()
    store.images[:] = store.images[:1]
    noise = {"noise": Noise(0.5, 0.1), "flip": 0.0, "rotate": Rotate(), "per": "case"}
    part = pixels(store)
    difference = every(samples(part, True, FIXED, **noise), epoch=0)
    difference -= every(samples(part, True, FIXED, **noise))
    widths = difference.flatten(3).std(3)[:, :, 0]
    assert torch.allclose(widths, widths.mean(1, keepdim=True), rtol=0.3)
    assert 0 < (widths[:, 0] > 0).sum() < CASES
    noisy = difference[widths[:, 0] > 0]
    assert not torch.isclose(noisy[:, 0], noisy[:, 1]).any(1).all()


@pytest.mark.parametrize("per", ["case", "slice"])
@pytest.mark.parametrize("share", [0.5, 0.0])
def test_augmentation_depends_on_the_case_and_the_epoch_alone(per, share):
    changes = {"per": per, "gamma": Gamma(0.8, (0.5, 2.0)), "noise": Noise(0.8, 0.1)}
    volumes = samples(pixels(Store(), share), True, FIXED, **changes)
    single = samples(pixels(Store(), share), False, FIXED, **changes)
    first = every(volumes, epoch=3)
    assert torch.allclose(first, every(volumes, epoch=3, size=1), atol=1e-5)
    assert torch.allclose(first.flatten(0, 1), every(single, epoch=3, size=7), atol=1e-5)
    assert not torch.allclose(first, every(volumes, epoch=4), atol=0.1)


class Moves(TorchDispatchMode):
    """Counts the copies from the processor to another device: the program waits for each."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **kwargs or {})
        if function is torch.ops.aten._to_copy.default:
            self.count += args[0].device == CPU != made.device
        return made


def test_nothing_is_moved_to_the_device_batch_by_batch():
    def moves(size):
        part = pixels(Store(np.uint8, 250, channels=3), device=torch.device("meta"))
        chosen = samples(part, True, Normalisation(None, None), jitter=JITTER)
        with Moves() as counted:
            assert every(chosen, epoch=0, size=size).shape == (CASES, SLICES, 3, SIZE, SIZE)
        return counted.count

    assert moves(1) == moves(CASES) <= 12


def normalisation(mean, std) -> Normalisation:
    settings = dataclasses.replace(PLAIN, normalise="fixed", mean=mean, std=std)
    return Normalisation.of(settings, {}, 2)


def test_statistics_must_fit_the_channels():
    assert normalisation((1.0, 2.0), (3.0, 4.0)) == Normalisation((1.0, 2.0), (3.0, 4.0))
    with pytest.raises(UserError, match="mean has 1 numbers, the images have 2 channels"):
        normalisation((1.0,), (3.0, 4.0))
    training = Input(None, None, None, "training", (), ())
    with pytest.raises(UserError, match="std is not above 0"):
        Normalisation.of(training, {"mean": [1, 2], "std": [0, 1]}, 2)
