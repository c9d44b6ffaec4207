"""Five blocks of convolution, batch norm and pooling, then two dense layers."""

from __future__ import annotations

from torch import Tensor, nn

from triage.models.shapes import check_size

WIDTHS = (32, 64, 64, 128, 256)


class Cnn5(nn.Module):
    """For pictures [batch, channels, size, size]; at 128 grey pixels it has 2,524,033 weights."""

    def __init__(
        self, channels: int, outputs: int, size: int, dropout: tuple[float, ...], hidden: int
    ) -> None:
        super().__init__()
        self.size = size
        layers: list[nn.Module] = []
        for width, share in zip(WIDTHS, dropout, strict=True):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(width)]
            layers += [nn.MaxPool2d(2), nn.Dropout(share)]
            channels = width
        self.backbone = nn.Sequential(*layers)
        flat = channels * (size // 2 ** len(WIDTHS)) ** 2
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout[-1]),
            nn.Linear(flat, hidden),
            nn.ReLU(),
            nn.Linear(hidden, outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        check_size(x, self.size)
        return self.head(self.backbone(x))


def build(
    name: str,
    channels: int,
    outputs: int,
    *,
    size: int = 128,
    dropout: tuple[float, float, float, float, float] = (0.1, 0.1, 0.1, 0.2, 0.2),
    hidden: int = 512,
) -> Cnn5:
    """``cnn5``: ``dropout`` after each of the five blocks, ``hidden`` units before the end."""
    return Cnn5(channels, outputs, size, dropout, hidden)
