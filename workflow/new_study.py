"""Plan a new study: look at a folder and its table, and write the study's block of settings.

python workflow/new_study.py NAME FOLDER [--table labels.csv]

What was found is printed. Where two readings are possible, a person is asked, or an option says.
Every value has its reason beside it, and is there to be changed. At the end, a dry run.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from triage_workflow.params import Params
from triage_workflow.params.reading import load
from triage_workflow.planning import machine, plan
from triage_workflow.planning.block import listed, yaml_of
from triage_workflow.planning.choices import Choices

from triage import command
from triage.arguments import Arguments
from triage.data.readers import Case, Problem
from triage.data.survey import Survey, look
from triage.errors import UserError
from triage.files import write_text

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SHOWN = 5


@dataclass(frozen=True)
class Readings(Arguments):
    """Which of several readings of a folder and its table is meant."""

    table: Annotated[str | None, "the table of labels, below the folder"] = None
    file: Annotated[str | None, "the column that names the file"] = None
    pattern: Annotated[str | None, "as images/{id}.jpg or {id}/{id}_{channel}.nii"] = None
    channels: Annotated[str | None, "what stands at {channel}, with commas between them"] = None
    label: Annotated[str | None, "the column of the label, or one a class with commas"] = None
    positive: Annotated[str | None, "of two classes the positive one"] = None
    leave_out: Annotated[str | None, "values of the label without use, with commas"] = None
    group: Annotated[str | None, "the column of what is never split, such as the patient"] = None
    partition: Annotated[str | None, "the column that says train, val or test"] = None
    task: Annotated[str | None, "binary, multiclass or multilabel"] = None


def main(
    name: Annotated[str, "the new study's"],
    folder: Annotated[Path, "of images and table"],
    /,
    readings: Readings,
    params: Annotated[Path, "the settings that the study is added to"] = Path("params.yaml"),
    only_print: Annotated[bool, "write nothing"] = False,
    no_dry_run: bool = False,
) -> None:
    """Look, plan, write, and try."""
    text = _checked(name, params)
    started = time.monotonic()
    survey = look(folder)
    _tell(survey)
    given = {key.replace("_", "-"): each for key, each in asdict(readings).items()}
    table = _below(folder, given.pop("table"))
    whole, cases, problems = plan.study(survey, table, Choices(given), folder, machine.memory())
    _tell_cases(cases, problems)
    written = yaml_of(name, whole)
    added = _added(text, written, params)
    Params(load(added), str(params))  # what it refuses is not written
    print(written)
    print(f"planned in {time.monotonic() - started:.1f} s")
    if only_print:
        return
    write_text(added, params)
    print(f"added to {params}: read it, and change what you know better")
    if not no_dry_run:
        command_line = ["snakemake", f"{name}_metrics", "--dry-run"]
        sys.exit(subprocess.run([sys.executable, "-m", *command_line]).returncode)


def _tell_cases(cases: Sequence[Case], problems: Sequence[Problem]) -> None:
    groups = len({case.group for case in cases})
    parts = Counter(case.partition or "no partition" for case in cases)
    print(f"cases: {len(cases)} of {groups} groups; {listed(parts)}")
    for problem in problems[:_SHOWN]:
        print(f"not used: {problem.file}: {problem.reason}")
    if len(problems) > _SHOWN:
        print(f"not used: {len(problems) - _SHOWN} more; the index will list them all")


def _checked(name: str, params: Path) -> str:
    """The text of the settings. Raises UserError for a name that can't be one, or is taken."""
    if not _NAME.fullmatch(name):
        remedy = "small letters, digits and underscores, a letter first"
        raise UserError(f"{name!r} can't be a study's name", where="NAME", remedy=remedy)
    if name in Params.read(params).studies:
        raise UserError(
            f"there is a study {name} already",
            where=params,
            remedy="choose another name, or take its block out",
        )
    return params.read_text(encoding="utf-8")


def _below(folder: Path, table: str | None) -> str | None:
    """The path of the table below the folder."""
    if table is None:
        return None
    for path in (folder / table, Path(table)):
        if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
            return path.resolve().relative_to(folder.resolve()).as_posix()
    raise UserError(
        f"is not below {folder}",
        where=table,
        remedy="copy it there: what a study is made from lies in one folder",
    )


def _tell(survey: Survey) -> None:
    headers = survey.headers
    print(f"files: {len(survey.paths)}: {listed(survey.kinds)}")
    print(
        f"images: {len(survey.pictures)} pictures, {len(survey.volumes)} volumes,"
        f" {len(survey.series)} folders of slices"
    )
    print("headers:", listed(headers.depths), listed(headers.channels))
    if headers.sides:
        print(f"smaller side: {min(headers.sides)} to {max(headers.sides)}, median {headers.side}")
    if headers.slices:
        print(f"slices: {min(headers.slices)} to {max(headers.slices)}")
    for path in headers.unreadable[:_SHOWN]:
        print(f"warning: {path} has no header that can be read")
    if survey.doubles:
        first = " and ".join(survey.doubles[0][:2])
        print(f"warning: {len(survey.doubles)} image(s) are there more than once, such as {first}")
    print(f"tables: {', '.join(survey.tables) or 'none'}")


def _added(text: str, written: str, params: Path) -> str:
    """The settings with a block more, which stands where ``studies`` ends."""
    lines = text.rstrip("\n").split("\n")
    starts = [i for i, line in enumerate(lines) if re.match(r"studies:\s*(\{\}|#.*)?$", line)]
    if len(starts) != 1:
        raise UserError(
            "has no line studies: of its own", where=params, remedy="add the block by hand"
        )
    lines[starts[0]] = lines[starts[0]].replace("{}", "").rstrip()
    later = [i for i in range(starts[0] + 1, len(lines)) if re.match(r"[^\s#]", lines[i])]
    end = later[0] if later else len(lines)
    return "\n".join([*lines[:end], written.strip("\n"), *lines[end:]]) + "\n"


if __name__ == "__main__":
    command.run(main)
