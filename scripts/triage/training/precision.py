"""The precision of the forward pass: which one, and as a context."""

from __future__ import annotations

import torch

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolved(precision: str, device: torch.device) -> str:
    """``precision``, or for ``auto`` bfloat16 where ``device`` has units for it, else float32.

    By what the device has and not by a measurement, so that it is the same for every run on it.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        has_units = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        has = torch.cpu.get_capabilities()
        has_units = bool(has.get("amx_bf16") or has.get("avx512_bf16"))
    return "bfloat16" if has_units else "float32"


class Autocast:
    """The precision of the forward pass, as a context."""

    def __init__(self, device: torch.device, precision: str) -> None:
        self.device = device
        self.name = resolved(precision, device)

    def __call__(self) -> torch.autocast:
        enabled = self.name != "float32"
        return torch.autocast(self.device.type, PRECISIONS[self.name], enabled=enabled)
