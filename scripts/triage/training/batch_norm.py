"""Batch norm whose statistics are those of the whole batch, when several processes share it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm


class SharedBatchNorm(_BatchNorm):
    """Batch norm over the batches of all processes, on the CPU, for which torch has none."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"batch norm needs [batch, channels, ...], not {list(input.shape)}")

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        others = [i for i in range(x.dim()) if i != 1]
        shape = [1, -1] + [1] * (x.dim() - 2)
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        sums = values.sum(others)
        count = torch.full_like(sums, x.numel() / x.shape[1])
        total, count = all_reduce(torch.stack([sums, count])).unbind(0)
        mean = total / count
        # A second pass, since a difference of mean squares would be mostly rounding.
        centred = values - mean.view(shape)
        variance = all_reduce(centred.square().sum(others)) / count
        self._follow(mean.detach(), variance.detach(), count)
        scale = torch.rsqrt(variance + self.eps)
        if not self.affine:
            return (centred * scale.view(shape)).to(x.dtype)
        scaled = centred * (scale * self.weight).view(shape) + self.bias.view(shape)
        return scaled.to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.momentum is None:
            return
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


def share_batch_norm(network: nn.Module, device: torch.device) -> None:
    """Make every batch norm of ``network`` a shared one; its weights and names stay."""
    for name, part in network.named_children():
        if not isinstance(part, _BatchNorm):
            share_batch_norm(part, device)
        elif device.type == "cuda":
            setattr(network, name, nn.SyncBatchNorm.convert_sync_batchnorm(part))
        else:
            setattr(network, name, _shared(part))


def _shared(norm: _BatchNorm) -> SharedBatchNorm:
    shared = SharedBatchNorm(
        norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
    )
    shared.__dict__.update(
        {name: norm.__dict__[name] for name in ("_parameters", "_buffers", "training")}
    )
    return shared
