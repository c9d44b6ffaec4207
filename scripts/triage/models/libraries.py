"""Networks of libraries: which there are, found in their sources, without importing torch.

So a name that is none is refused before any job starts.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
from functools import cache
from pathlib import Path

from triage.errors import UserError

# By architecture: the library's sources, and what declares a network there.
SOURCES = {
    "torchvision": ("models/*.py", r"^@register_model\([^\n]*\)\n(?:@[^\n]*\n)*def (\w+)\("),
    "timm": ("models/*.py", r"^@register_model\n(?:@[^\n]*\n)*def (\w+)\("),
    "monai": (
        "networks/nets/*.py",
        r"^(?:class|def) (DenseNet\d+|resnet\d+|SE\w*\d+|EfficientNetBN|ViT)\b",
    ),
}

# Pixels a side below which nothing is left of a picture in torchvision's last layers, by the
# beginning of a name.
LEAST = {
    "alexnet": 63,
    "convnext": 32,
    "densenet": 29,
    "googlenet": 15,
    "inception": 75,
    "squeezenet1": 21,
    "vgg": 32,
}


@cache
def known(library: str, where: str = "model.architecture") -> tuple[str, ...]:
    """The names of a library's networks. Raises UserError where it is not installed."""
    found = importlib.util.find_spec(library)
    if found is None or found.origin is None:
        raise UserError(
            f"{library} is not installed",
            where=where,
            remedy=f'pip install --constraint constraints.txt --editable ".[{library}]"',
        )
    files, declaration = SOURCES[library]
    texts = [
        path.read_text(encoding="utf-8") for path in sorted(Path(found.origin).parent.glob(files))
    ]
    names = {name for text in texts for name in re.findall(declaration, text, re.MULTILINE)}
    return tuple(sorted(names))


def refuse_unknown(network: str, library: str, where: str = "model.options.network") -> None:
    """Raise UserError with the most alike names where ``network`` is none of a library's."""
    names = known(library, where)
    if network in names:
        return
    lower = {name.casefold(): name for name in names}
    alike = [lower[each] for each in difflib.get_close_matches(network.casefold(), lower, 5, 0.5)]
    raise UserError(
        f"{network!r} is no network of {library}",
        where=where,
        remedy=f"did you mean {', '.join(alike)}?" if alike else f"such as {', '.join(names[:5])}",
    )


def least_size(library: str, network: str) -> int:
    """Below how many pixels a side a network can't take a picture, as far as that is known."""
    if library != "torchvision":
        return 1
    return next((size for start, size in LEAST.items() if network.startswith(start)), 1)
