"""Draw a study's results: training curves, ROC, calibration, decisions, mistakes, seeds."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.arguments import Paths
from triage.data.image_store import Images
from triage.figures import results, style
from triage.figures.runs import read_results
from triage.figures.settings import FigureSettings
from triage.files import folders


def main(
    settings: FigureSettings,
    histories: Paths,
    metrics: Paths,
    predictions: Paths,
    parts: Paths,
    winner: Path,
    arrays: Paths,
    tables: Paths,
    figures: Paths,
    slices: Paths = (),
) -> None:
    """Draw each picture that a path in ``--figures`` names."""
    sources = results.Sources(
        results=read_results(metrics, folders(predictions), parts, winner),
        histories=histories,
        slices=slices,
        parts=parts,
        images=Images.open(arrays, tables),
        settings=settings,
    )
    with style.styled():
        for target, figure in results.draw(sources, figures):
            style.save(figure, target)


if __name__ == "__main__":
    command.run(main)
