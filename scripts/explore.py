"""Draw what a study's data looks like: counts, intensities, cases, slices, bright spots, twins.

Images are shown of training cases only, and of pairs that show the same.
"""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.arguments import Paths
from triage.figures import data, style
from triage.figures.settings import ExploreSettings


def main(
    settings: ExploreSettings,
    manifest: Path,
    split: Path,
    groups: Path,
    arrays: Paths,
    tables: Paths,
    figures: Paths,
) -> None:
    """Draw each picture that a path in ``--figures`` names."""
    study = data.Study.read(manifest, split, arrays, tables, groups, settings)
    with style.styled():
        for target, figure in data.draw(study, figures):
            style.save(figure, target)


if __name__ == "__main__":
    command.run(main)
