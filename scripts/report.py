"""Write the report: one page with everything in it, that opens from disk without a network."""

from __future__ import annotations

import argparse
from pathlib import Path

from triage import command
from triage.files import write_text
from triage.report import page
from triage.settings import parse

FILES = {
    "manifests": "one a study",
    "quarantines": "one a study",
    "withdrawn": "one a study",
    "consents": "one a study: which checkpoints have seen withdrawn cases",
    "splits": "one a study: the first fold",
    "tables": "one a study: the table of its arms",
    "cards": "one a study: its model card and checklist",
    "metrics": "one a run",
    "records": "one a trained run",
    "figures": "pictures, in the order in which they are shown",
    "captions": "one a picture's name",
}


def main(arguments: argparse.Namespace) -> None:
    """Gather and write."""
    settings = parse(page.ReportSettings, arguments.settings)
    files = page.Files(**{name: tuple(getattr(arguments, name)) for name in FILES})
    text = page.render(settings, files, arguments.texts, arguments.template)
    write_text(text, arguments.output)
    command.log.info("%s: %.1f MB", arguments.output, len(text.encode()) / 1e6)


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--settings", required=True, help="ReportSettings as JSON")
    for name, words in FILES.items():
        options.add_argument(f"--{name}", type=Path, nargs="+", required=True, help=words)
    options.add_argument("--texts", type=Path, required=True, help="what is said of each study")
    options.add_argument("--template", type=Path, required=True)
    options.add_argument("--output", type=Path, required=True)
    command.run(main, options)
