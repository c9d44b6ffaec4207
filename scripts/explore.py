"""Draw what a study's data looks like: counts, intensities, cases, slices, bright spots.

Only the manifest, the split and the images are read; images are shown of training cases only.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from triage import command
from triage.figures import data, style
from triage.figures.settings import ExploreSettings
from triage.settings import parse


def main(arguments: argparse.Namespace) -> None:
    """Draw each picture that a path in ``--figures`` names."""
    settings = parse(ExploreSettings, arguments.settings)
    study = data.Study.read(
        arguments.manifest, arguments.split, arguments.arrays, arguments.tables, settings
    )
    with style.styled():
        for target, figure in data.draw(study, arguments.figures):
            style.save(figure, target)


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--settings", required=True, help="ExploreSettings as JSON")
    options.add_argument("--manifest", type=Path, required=True)
    options.add_argument("--split", type=Path, required=True)
    options.add_argument("--arrays", type=Path, nargs="+", required=True)
    options.add_argument("--tables", type=Path, nargs="+", required=True)
    options.add_argument(
        "--figures", type=Path, nargs="+", required=True, help=f"<{'|'.join(data.FIGURES)}>.png|svg"
    )
    command.run(main, options)
