"""Leave out of an external set what its study has seen in training or validation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from triage import command
from triage.arguments import Paths
from triage.data import groups as grouping
from triage.data.shards import Decoding, fingerprints
from triage.data.split import PART_COLUMNS
from triage.data.withdrawn import read_files
from triage.errors import UserError
from triage.files import read_table, write_table

COLUMNS = ["case", "group", "label", "votes", "partition", "sha256"]
SEEN = ("train", "val")  # parts of a study; of folds, all that are dealt


@dataclass(frozen=True)
class Settings:
    """What counts as the same picture, and whether the same name is the same patient.

    ``images``: how files of the study and of the set are decoded, to know copies of withdrawn ones.
    """

    near_duplicate_bits: int
    same_patients: bool
    images: tuple[Decoding, ...]


def main(
    settings: Settings,
    raws: Paths,
    withdrawn: Paths,
    manifest: Path,
    tables: Paths,
    study_manifest: Path,
    study_groups: Path,
    study_tables: Paths,
    groups: Path,
    cases: Path,
) -> None:
    """Write the table of groups, and the list of the cases that are left.

    ``raws`` and ``withdrawn``: raw folders of the study and of the set, and their withdrawn files.

    Raises UserError where none is left.
    """
    own, known = (read_table(path, COLUMNS) for path in (manifest, study_manifest))
    part_of = read_table(study_groups, grouping.COLUMNS).set_index("case")["part"]
    seen = known[known["case"].map(part_of).isin(SEEN)]
    gone = [
        mark
        for raw, table, images in zip(raws, withdrawn, settings.images, strict=True)
        for mark in fingerprints(raw, [each.files for each in read_files(table)], images)
    ]
    made = grouping.exclude_seen(
        own,
        grouping.read_shown(tables, own["case"].tolist()),
        seen,
        grouping.read_shown(study_tables, seen["case"].tolist()),
        grouping.SplitSettings(near_duplicate_bits=settings.near_duplicate_bits),
        settings.same_patients,
        gone,
    )
    write_table(made, groups)
    left = made["part"] != "excluded"
    if not left.any():
        raise UserError(
            f"training or validation has seen all of its {len(made)} case(s)",
            where=manifest.parent,
            remedy="point the external set's raw at other data, or take the set out",
        )
    write_table(made.loc[left, PART_COLUMNS], cases)
    for case, reason, twin in made.loc[~left, ["case", "reason", "twin"]].to_numpy().tolist():
        command.log.info("left out: %s: %s%s", case, reason, f" as {twin}" if twin else "")
    command.log.info("%d case(s) from elsewhere, %d left out", len(made), (~left).sum())


if __name__ == "__main__":
    command.run(main)
