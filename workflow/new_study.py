"""Plan a new study: look at a folder and its table, and write the study's block of settings.

python workflow/new_study.py NAME FOLDER [--table labels.csv]

What was found is printed. Where two readings are possible, a person is asked, or an option says.
Every value has its reason beside it, and is there to be changed. At the end, a dry run.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import yaml

from triage_workflow.params import Params
from triage_workflow.planning import plan
from triage_workflow.planning.block import settings, yaml_of
from triage_workflow.planning.choices import Choices

from triage import command
from triage.data.survey import Survey, look
from triage.errors import UserError
from triage.files import write_text

OPTIONS = {
    "table": "the table of labels, below the folder",
    "file": "the column that names the file",
    "pattern": "the path of a case's files, as images/{id}.jpg or {id}/{id}_{channel}.nii.gz",
    "channels": "the channels at {channel}, with commas between them",
    "label": "the column of the label, or those of the classes with commas between them",
    "positive": "of two classes the positive one",
    "leave-out": "values of the label that are not used, with commas between them",
    "group": "the column of what is never split, such as the patient",
    "partition": "the column that says train, val or test",
    "task": "binary, multiclass or multilabel",
}
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SHOWN = 5


def main(options: argparse.Namespace) -> None:
    """Look, plan, write, and try."""
    text = _checked(options)
    started = time.monotonic()
    survey = look(options.folder)
    _tell(survey)
    choices = Choices({name: getattr(options, name.replace("-", "_")) for name in OPTIONS})
    table = _below(options.folder, options.table)
    choices.given.pop("table", None)
    block = plan.index_of(survey, table, choices)
    whole, cases, problems = plan.complete(survey, block, options.folder)
    groups = len({case.group for case in cases})
    parts = Counter(case.partition or "no partition" for case in cases)
    print(f"cases: {len(cases)} of {groups} groups; {plan._counts(parts)}")
    for problem in problems[:_SHOWN]:
        print(f"not used: {problem.file}: {problem.reason}")
    if len(problems) > _SHOWN:
        print(f"not used: {len(problems) - _SHOWN} more; the index will list them all")
    written = yaml_of(options.name, whole)
    content = yaml.safe_load(text)
    content["studies"] = (content.get("studies") or {}) | {options.name: settings(whole)}
    Params(content, str(options.params))  # what it refuses is not written
    print(written)
    print(f"planned in {time.monotonic() - started:.1f} s")
    if options.only_print:
        return
    write_text(_added(text, written, options.params), options.params)
    print(f"added to {options.params}: read it, and change what you know better")
    if not options.no_dry_run:
        command_line = ["snakemake", "--dry-run", "--quiet", f"{options.name}_metrics"]
        sys.exit(subprocess.run([sys.executable, "-m", *command_line]).returncode)


def _checked(options: argparse.Namespace) -> str:
    """The text of the settings. Raises UserError for a name that can't be one, or is taken."""
    if not _NAME.fullmatch(options.name):
        remedy = "small letters, digits and underscores, a letter first"
        raise UserError(f"{options.name!r} can't be a study's name", where="NAME", remedy=remedy)
    text: str = options.params.read_text(encoding="utf-8")
    if options.name in (yaml.safe_load(text).get("studies") or {}):
        raise UserError(
            f"there is a study {options.name} already",
            where=options.params,
            remedy="choose another name, or take its block out",
        )
    return text


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
    print(f"files: {len(survey.paths)}: {plan._counts(survey.kinds)}")
    print(
        f"images: {len(survey.pictures)} pictures, {len(survey.volumes)} volumes,"
        f" {len(survey.series)} folders of slices"
    )
    print(f"headers: {plan._counts(headers.depths)}; {plan._counts(headers.channels)}")
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
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("name", help="the new study's")
    options.add_argument("folder", type=Path, help="of images and table")
    for name, words in OPTIONS.items():
        options.add_argument(f"--{name}", help=words)
    options.add_argument("--params", type=Path, default=Path("params.yaml"))
    options.add_argument("--only-print", action="store_true", help="write nothing")
    options.add_argument("--no-dry-run", action="store_true")
    options.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    command.run(main, options)
