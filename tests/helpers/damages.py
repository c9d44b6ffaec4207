"""Damaged raw data: what disks, exports and spreadsheets do to each of the five layouts."""

from __future__ import annotations

from collections.abc import Iterator

from damage_layouts import LAYOUTS, Damage, Layout
from damages_files import any_file, folder_names, patient_names, patients, pictures, volumes
from damages_tables import tables_of


def all_damages() -> Iterator[tuple[Layout, Damage, bool]]:
    """Every damage of every layout, and whether it is done to the victim or to the raw folder."""
    for layout in LAYOUTS.values():
        of_file = [*any_file()]
        if layout.reader == "volumes":
            of_file += [*volumes(), *patients(), *patient_names()]
        else:
            of_file += pictures()
        if layout.reader == "folders":
            of_file += folder_names()
        yield from ((layout, damage, True) for damage in of_file)
        yield from ((layout, damage, False) for damage in tables_of(layout.study))
