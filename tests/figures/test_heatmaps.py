"""Heat maps point at what decides."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from triage.figures.heatmaps import heatmaps
from triage.models import ModelSettings, build
from triage.models.combined import Combined
from triage.models.sequence import SequenceModel

DEVICES = ["cpu", *["cuda"] * torch.cuda.is_available()]


class Corner(nn.Module):
    """A network whose logit counts what is bright in channel 0 of its feature map."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(8)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(x)[:, 0].relu().sum(dim=(1, 2))[:, None]


class ChannelsLast(nn.Module):
    """The same of a feature map [n, rows, columns, channels], as Swin transformers have it."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(64, 16, bias=False)
        nn.init.constant_(self.read.weight, 1 / 64)

    def forward(self, x: Tensor) -> Tensor:
        rows = x[:, 0].unflatten(2, (-1, 8)).unflatten(1, (-1, 8))
        return self.read(rows.transpose(2, 3).flatten(3))[..., 0].sum(dim=(1, 2))[:, None]


@pytest.mark.parametrize("network", [Corner, ChannelsLast])
def test_the_brightest_place_is_found(network: type[nn.Module]) -> None:
    images = torch.zeros(2, 1, 64, 64)
    images[0, 0, 8:16, 40:48] = 1
    images[1, 0, 48:56, 0:8] = 1
    maps = heatmaps(network(), images, 0)
    assert maps.shape == (2, 64, 64)
    for each, (row, column) in zip(maps, [(12, 44), (52, 3)], strict=True):
        assert each[row, column] == each.max() > 0
        assert each[32, 20] == 0


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("name", "channels", "size", "options"),
    [
        ("resnet18", 3, 80, {}),
        ("cnn5", 1, 128, {}),
        ("cnn4", 1, 64, {"size": 64, "width": 4}),
        ("lesion_cnn", 3, 128, {}),
        ("vgg16", 1, 64, {"size": 64}),
        ("fcnn", 3, 16, {"size": 16}),
        ("vit", 3, 48, {"size": 48, "patch": 8, "layers": 2, "heads": 2, "hidden": 8, "mlp": 8}),
    ],
)
def test_every_architecture_has_one(
    device: str, name: str, channels: int, size: int, options: dict[str, object]
) -> None:
    torch.manual_seed(2)
    network = build(ModelSettings(name, "none", options), channels, 2).to(device).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    images = torch.randn(3, channels, size, size, device=device)
    maps = heatmaps(network, images, 1)
    assert maps.shape == (3, size, size)
    assert maps.isfinite().all()
    assert maps.min() >= 0
    assert network.training, "the network is left as it was"
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize("device", DEVICES)
def test_a_volume_has_a_map_for_each_slice(device: str) -> None:
    torch.manual_seed(3)
    cnn = build(ModelSettings("resnet18", "none", {"hidden": [16]}), 3, 1)
    network = Combined(cnn, SequenceModel(16, 1, 8, 2, "attention"), "trained").to(device)
    maps = heatmaps(network, torch.randn(1, 10, 3, 64, 64, device=device), 0)
    assert maps.shape == (10, 64, 64)
    assert maps.max() > 0
