"""Write a study's model card and its reporting checklist, for people and for the report."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import yaml

from triage import command
from triage.data import withdrawn
from triage.evaluation.chosen import chosen_run
from triage.evaluation.samples import read_sample
from triage.files import read_json, read_rows, read_table, write_json, write_text
from triage.report.card import Card, CardSettings, Sources, measured_part
from triage.report.cases import read_cases
from triage.report.checklist import checklist
from triage.report.networks import read_networks
from triage.report.sections import markdown
from triage.settings import parse


def main(arguments: argparse.Namespace) -> None:
    """Describe the winner's run that is best on validation."""
    settings = parse(CardSettings, arguments.settings)
    metrics = chosen_run(arguments.winner, arguments.metrics)
    arm, run = metrics.parent.name, metrics.stem
    folder = next(path for path in arguments.predictions if path.parts[-2:] == (arm, run))
    fold = run.partition("-")[0]
    split = next(path for path in arguments.splits if path.stem == fold)
    groups = read_table(split, ["case", "group"])
    content = read_json(metrics)
    partition = measured_part(content)
    members = settings.ensembles.get(arm, (arm,))
    made = Card(
        Sources(
            settings=settings,
            words=yaml.safe_load(arguments.texts.read_text(encoding="utf-8")),
            arm=arm,
            run=run,
            winner=read_json(arguments.winner),
            metrics=content,
            partition=partition,
            sample=read_sample(folder / f"{partition}.csv", groups),
            networks=read_networks(arguments.records, members, settings.origins, run),
            rows=read_cases(arguments.manifest, split),
            quarantined=len(read_rows(arguments.quarantine)),
            withdrawn=len(withdrawn.read(arguments.withdrawn)),
        )
    )
    guidelines = yaml.safe_load(arguments.checklists.read_text(encoding="utf-8"))
    card, items = made.sections(), checklist(guidelines, made.facts)
    write_text(markdown(f"Model card: {made.title}", card), arguments.card)
    write_text(markdown(f"Reporting checklist: {made.title}", items), arguments.checklist)
    both = {"card": list(map(asdict, card)), "checklist": list(map(asdict, items))}
    write_json(both, arguments.page)
    command.log.info("card of %s, %s: %d subgroups", arm, run, len(made.subgroups))


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--settings", required=True, help="CardSettings as JSON")
    options.add_argument("--winner", type=Path, required=True)
    options.add_argument("--metrics", type=Path, nargs="+", required=True, help="of all runs")
    options.add_argument("--predictions", type=Path, nargs="+", required=True, help="run folders")
    options.add_argument("--records", type=Path, nargs="+", required=True, help="of trained runs")
    options.add_argument("--splits", type=Path, nargs="+", required=True, help="fold<k>.csv")
    options.add_argument("--manifest", type=Path, required=True)
    options.add_argument("--quarantine", type=Path, required=True)
    options.add_argument("--withdrawn", type=Path, required=True)
    options.add_argument("--texts", type=Path, required=True, help="what is said of each study")
    options.add_argument("--checklists", type=Path, required=True, help="items of guidelines")
    options.add_argument("--card", type=Path, required=True, help="Markdown, to write")
    options.add_argument("--checklist", type=Path, required=True, help="Markdown, to write")
    options.add_argument("--page", type=Path, required=True, help="JSON of both, to write")
    command.run(main, options)
