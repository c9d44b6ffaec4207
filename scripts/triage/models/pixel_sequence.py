"""A CNN whose feature map is read pixel by pixel, by one of three heads.

``cnn4`` is the source's network: four convolutions of c, 2c, 4c and 8c channels. Under
``resnet18_pixels`` the same heads read the feature map of a ResNet-18.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

import torch
from torch import Tensor, nn

from triage.constraints import Count, Dropout, Pixels
from triage.models import recurrent, resnet
from triage.models.dropout import FastDropout
from triage.models.sized import SizedNetwork

HeadName = Literal["fc", "rnn", "lstm"]


class PixelHead(nn.Module):
    """Logits [batch, outputs] from a feature map [batch, channels, rows, columns].

    Its pixels, row by row, are the steps of a sequence: each goes through the same dense layer
    (``fc``), or through a recurrent network (``rnn``, ``lstm``). The outputs of all steps are
    concatenated and projected to the logits.
    """

    def __init__(
        self, head: HeadName, channels: int, steps: int, hidden: int, outputs: int, dropout: float
    ) -> None:
        super().__init__()
        if head == "fc":
            self.reader: nn.Module = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU())
        else:
            kind = nn.RNN if head == "rnn" else nn.LSTM
            self.reader = kind(channels, hidden, batch_first=True)
        self.dropout = FastDropout(dropout)
        self.projection = nn.Linear(steps * hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        steps = x.flatten(2).transpose(1, 2)
        if isinstance(self.reader, nn.RNNBase):
            states = recurrent.read(self.reader, steps)
        else:
            states = self.reader(steps)
        return self.projection(self.dropout(states.flatten(1)))


def build(
    name: str,
    channels: int,
    outputs: int,
    *,
    head: HeadName = "lstm",
    size: Pixels = 256,
    width: Count = 80,
    hidden: Count = 64,
    dropout: Dropout = 0.3,
) -> SizedNetwork:
    """``cnn4`` or ``resnet18_pixels``.

    ``width`` is c, the channels of the first convolution (cnn4 only); ``hidden`` the size of a
    step's output; ``dropout`` acts after each convolution and before the projection.
    """
    backbone = _cnn4(channels, width, dropout) if name == "cnn4" else _resnet18(channels)
    with torch.no_grad():
        shape = backbone.eval()(torch.zeros(1, channels, size, size)).shape
    backbone.train()
    reader = PixelHead(head, shape[1], shape[2] * shape[3], hidden, outputs, dropout)
    return SizedNetwork(backbone, reader, size)


def _cnn4(channels: int, width: int, dropout: float) -> nn.Module:
    layers: list[nn.Module] = []
    for factor in (1, 2, 4, 8):
        layers += [nn.Conv2d(channels, factor * width, 3, padding=1), nn.ReLU()]
        layers += [nn.MaxPool2d(2), FastDropout(dropout)]
        channels = factor * width
    return nn.Sequential(*layers)


def _resnet18(channels: int) -> nn.Module:
    network = resnet.build("resnet18", channels, 1).backbone
    # Under their own names, so that pretrained weights find them.
    layers = dict(network.named_children())
    del layers["avgpool"], layers["fc"]
    return nn.Sequential(OrderedDict(layers))
