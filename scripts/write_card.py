"""Write a study's model card and its reporting checklist, for people and for the report."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import yaml

from triage import command
from triage.arguments import Paths
from triage.data import withdrawn as withdrawals
from triage.data.manifest import split_cases
from triage.evaluation.chosen import chosen_run
from triage.evaluation.samples import read_sample
from triage.files import read_json, read_rows, read_table, write_json, write_text
from triage.report import checklist as items
from triage.report.card import Card, CardSettings, Sources, measured_part
from triage.report.external import read_externals
from triage.report.leakage import read_reasons
from triage.report.networks import read_networks
from triage.report.sections import markdown
from triage.report.thresholds import steps


def main(
    settings: CardSettings,
    winner: Path,
    metrics: Paths,
    predictions: Paths,
    records: Paths,
    splits: Paths,
    manifest: Path,
    groups: Path,
    quarantine: Path,
    withdrawn: Path,
    texts: Path,
    checklists: Path,
    card: Path,
    checklist: Path,
    page: Path,
    external: Paths = (),
    shifts: Paths = (),
    external_metrics: Paths = (),
) -> None:
    """Describe the winner's run that is best on validation."""
    chosen = chosen_run(winner, metrics)
    arm, run = chosen.parent.name, chosen.stem
    members = settings.members.get(f"{arm}/{run}", (f"{arm}/{run}",))
    fold = members[0].rpartition("/")[2].partition("-")[0]
    split = next(path for path in splits if path.stem == fold)
    grouped = read_table(split, ["case", "group"])
    content = read_json(chosen)
    partition = measured_part(content)
    measured = (arm, run, f"{partition}.csv")
    table = next(path for path in predictions if path.parts[-3:] == measured)
    sample = read_sample(table, grouped)
    made = Card(
        Sources(
            settings=settings,
            words=yaml.safe_load(texts.read_text(encoding="utf-8")),
            arm=arm,
            run=run,
            winner=read_json(winner),
            metrics=content,
            partition=partition,
            sample=sample,
            networks=read_networks(records, members, settings.origins),
            rows=list(split_cases(manifest, split)),
            quarantined=len(read_rows(quarantine)),
            withdrawn=len(withdrawals.read(withdrawn)),
            excluded=read_reasons(groups),
            externals=read_externals(external, shifts),
            external_pages={
                path.stem: read_json(path)
                for path in external_metrics
                if path.parent == chosen.with_suffix("")
            },
        )
    )
    guidelines = yaml.safe_load(checklists.read_text(encoding="utf-8"))
    filled = items.checklist(guidelines, made.facts, settings.answers)
    parts = {"card": made.sections(), "checklist": filled}
    write_text(markdown(f"Model card: {settings.told.title}", parts["card"]), card)
    write_text(markdown(f"Reporting checklist: {settings.told.title}", filled), checklist)
    shown = {name: list(map(asdict, part)) for name, part in parts.items()}
    write_json(shown | {"thresholds": list(map(asdict, steps(sample, content)))}, page)
    command.log.info("card of %s, %s: %d subgroups", arm, run, len(made.subgroups))


if __name__ == "__main__":
    command.run(main)
