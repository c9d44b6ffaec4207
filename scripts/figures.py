"""Draw a study's results: training curves, ROC, calibration, decisions, mistakes, seeds."""

from __future__ import annotations

import argparse
from pathlib import Path

from triage import command
from triage.data.image_store import Images
from triage.figures import results, style
from triage.figures.runs import read_results
from triage.figures.settings import FigureSettings
from triage.settings import parse


def main(arguments: argparse.Namespace) -> None:
    """Draw each picture that a path in ``--figures`` names."""
    sources = results.Sources(
        results=read_results(
            arguments.metrics, arguments.predictions, arguments.splits, arguments.winner
        ),
        histories=arguments.histories,
        slices=arguments.slices,
        manifest=arguments.manifest,
        split=arguments.splits[0],
        images=Images.open(arguments.arrays, arguments.tables),
        settings=parse(FigureSettings, arguments.settings),
    )
    with style.styled():
        for target, figure in results.draw(sources, arguments.figures):
            style.save(figure, target)


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--settings", required=True, help="FigureSettings as JSON")
    options.add_argument("--histories", type=Path, nargs="+", required=True)
    options.add_argument("--metrics", type=Path, nargs="+", required=True, help="one a run")
    options.add_argument(
        "--predictions", type=Path, nargs="+", required=True, help="run folders, as for --metrics"
    )
    options.add_argument(
        "--slices", type=Path, nargs="*", default=[], help="probabilities of single slices"
    )
    options.add_argument("--manifest", type=Path, required=True)
    options.add_argument("--winner", type=Path, required=True)
    options.add_argument("--splits", type=Path, nargs="+", required=True)
    options.add_argument("--arrays", type=Path, nargs="+", required=True)
    options.add_argument("--tables", type=Path, nargs="+", required=True)
    options.add_argument(
        "--figures", type=Path, nargs="+", required=True, help=f"<{'|'.join(results.NAMES)}>.svg"
    )
    command.run(main, options)
