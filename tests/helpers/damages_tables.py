"""Damaged tables of labels: what spreadsheets and their users do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import picture_sets
from damage_layouts import Damage, Outcome


def _edit(name: str, change: Callable[[str], str]) -> Callable[[Path], object]:
    def do(raw: Path) -> None:
        table = raw / name
        table.write_bytes(change(table.read_bytes().decode()).encode())

    return do


def _bytes(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda raw: (raw / name).write_bytes(change((raw / name).read_bytes()))


def any_table(name: str, columns: list[str], first: str, label: str) -> Iterator[Damage]:
    """Of the table ``name`` with its needed ``columns``, the ``first`` row's file and its label."""
    stop, used = "stopped", "used"
    for column in columns:
        yield Damage(
            f"no column {column}", _edit(name, lambda t, c=column: t.replace(c, "X")), stop
        )
        yield Damage(
            f"twice the column {column}",
            _edit(name, lambda t, c=column: t.replace(c, f"{c},{c}", 1)),
            stop,
        )
    edits: dict[str, tuple[Callable[[str], str], Outcome]] = {
        "empty": (lambda text: "", stop),
        "only a header": (lambda text: text.splitlines()[0], stop),
        "no header": (lambda text: text.split("\n", 1)[1], stop),
        "semicolons": (lambda text: text.replace(",", ";"), used),
        "tabs": (lambda text: text.replace(",", "\t"), used),
        "zero bytes": (lambda text: text.replace(label, "\0"), stop),
        "an open quote": (lambda text: text.replace(first, f'"{first}', 1), stop),
        "an unknown label": (lambda text: text.replace(label, "Unheard"), stop),
        # A row without label is an unlabelled case, but where "No Finding" is a label.
        "no label": (
            lambda text: text.replace(label, "", 1),
            stop if label == "No Finding" else used,
        ),
        "no file name": (lambda text: text.replace(first, "", 1), stop),
        "a cell too many": (lambda text: text.replace(label, f"{label},{label}", 1), stop),
        "half a row": (lambda text: text + text.splitlines()[1][: len(first) + 4], stop),
        "carriage returns": (lambda text: text.replace("\n", "\r\n"), used),
        "a byte order mark": (lambda text: "\ufeff" + text, used),
        "trailing commas": (lambda text: text.replace("\n", ",,\n"), used),
        "blank lines": (lambda text: text.replace("\n", "\n\n"), used),
        "spaces": (lambda text: text.replace(",", " , "), used),
        "no end of the last line": (lambda text: text.rstrip("\n"), used),
        "quotes": (lambda text: text.replace(label, f'"{label}"'), used),
    }
    for what, (change, outcome) in edits.items():
        yield Damage(f"table: {what}", _edit(name, change), outcome)
    yield Damage("table: UTF-16", _bytes(name, lambda b: b.decode().encode("utf-16")), used)
    yield Damage("table: latin-1", _bytes(name, lambda b: b.replace(b"\n", b"\xfc\n", 1)), stop)
    yield Damage(
        "pictures in a folder that may not be read",
        lambda raw: (raw / "images").chmod(0),
        stop,
        "no permission",
    )
    yield Damage("table: no permission", lambda raw: (raw / name).chmod(0), stop)
    yield Damage("table: gone", lambda raw: (raw / name).unlink(), stop)
    yield Damage("table: a folder", lambda raw: _as_folder(raw / name), stop)
    yield Damage(
        "table: doubled rows that disagree",
        _edit(name, lambda text: text.rstrip("\n") + f"\n{_other_label(text, label)}\n"),
        stop,
    )
    yield Damage(
        "table: a file that is not there",
        lambda raw: (raw / "images" / first).unlink(),
        "quarantined",
        "not there",
    )
    for what, path in {"above": f"../{first}", "of the machine": "/etc/passwd"}.items():
        yield Damage(
            f"table: a file {what}",
            _edit(name, lambda text, path=path: text.replace(first, path, 1)),
            "quarantined",
        )


def _as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _other_label(text: str, label: str) -> str:
    """The first row that has the label, with another one."""
    row = next(line for line in text.splitlines() if label in line)
    other = {"HP": "SSA", "No Finding": "Mass"}[label]
    return row.replace(label, other)


def tables_of(study: str) -> list[Damage]:
    """Of the label table of a study that has one."""
    if study == "mhist":
        columns = picture_sets.MHIST_HEADER.split(",")
        found = list(any_table("annotations.csv", columns, "MHIST_aaa.png", "HP"))
        rows = {
            "eight votes": ("HP,1,", "HP,8,"), "less than no vote": ("HP,1,", "HP,-1,"),
            "half a vote": ("HP,1,", "HP,1.5,"), "a vote in words": ("HP,1,", "HP,one,"),
            "no vote": ("HP,1,", "HP,,"), "votes against the label": ("HP,1,", "HP,6,"),
            "another partition": (",train", ",training"), "no partition": (",train", ","),
            "a partition in capitals": (",train", ",TRAIN"),
        }  # fmt: skip
        return found + [
            Damage(
                f"table: {what}",
                _edit("annotations.csv", _replace(*change)),
                "used" if "capitals" in what else "stopped",
            )
            for what, change in rows.items()
        ]
    if study == "xray_heads":
        name = "Data_Entry_2017.csv"
        columns = ["Image Index", "Finding Labels", "Patient ID"]
        found = list(any_table(name, columns, "00000001_000.png", "No Finding"))
        listed = "00000001_000.png"
        return [
            *found,
            Damage("table: both", _edit(name, _replace("Mass|", "Mass|No Finding|")), "stopped"),
            Damage("table: no patient", _edit(name, _replace("0,1,041Y", "0,,041Y")), "stopped"),
            Damage("table: an odd age", _edit(name, _replace("041Y", "411Y")), "used"),
            Damage("table: no age", _edit(name, _replace("041Y", "")), "used"),
            Damage("table: age in months", _edit(name, _replace("041Y", "018M")), "used"),
            Damage("one list", lambda raw: (raw / "test_list.txt").write_text(listed), "stopped"),
            Damage(
                "a picture in both lists",
                lambda raw: [
                    (raw / file).write_text(listed)
                    for file in ("test_list.txt", "train_val_list.txt")
                ],
                "stopped",
            ),
        ]
    return []


def _replace(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text, old
        return text.replace(old, new, 1)

    return change
