"""torchvision, importable beside any build of torch. Everything imports it from here.

The registry's torchvision is compiled for CUDA. Beside a torch without CUDA its compiled part does
not load, and torchvision then stops at its own declarations ("operator torchvision::nms does not
exist"). Declaring the two operators that it looks for is enough: they are never called here.
Where the compiled part loads, nothing is declared.
"""

from __future__ import annotations

import atexit
import importlib.util
import sys
from pathlib import Path

import torch

OPERATORS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def _compiled_part_loads() -> bool:
    package = importlib.util.find_spec("torchvision")
    if package is None or package.origin is None:
        return True  # the import below says best what is wrong
    libraries = sorted(Path(package.origin).parent.glob("_C*.*"))
    try:
        for library in libraries:
            torch.ops.load_library(library)
    except OSError:
        return False
    return bool(libraries)


# Declarations last as long as the library object, so the module keeps it.
_declarations = torch.library.Library("torchvision", "FRAGMENT")
if not _compiled_part_loads():
    for _name, _signature in OPERATORS.items():
        if not hasattr(torch.ops.torchvision, _name):
            _declarations.define(_name + _signature)

from torchvision import models, transforms  # noqa: E402

# What it brings along sums up at exit how long compiling took, even if nothing was compiled.
if _compiler := sys.modules.get("torch._dynamo.utils"):
    atexit.unregister(_compiler.dump_compile_times)

__all__ = ["models", "transforms"]
