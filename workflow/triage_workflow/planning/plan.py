"""From a survey of a folder to the settings of a study, each with its reason."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from triage_workflow.planning import machine
from triage_workflow.planning.block import Because, listed, settings
from triage_workflow.planning.choices import Choices

from triage import settings as typed
from triage.data import guess, readers
from triage.data.guess import Columns
from triage.data.readers import Case, IndexSettings, Problem, folders
from triage.data.readers.matching import stem
from triage.data.readers.row_files import SUFFIXES
from triage.data.readers.volumes import TEST, TRAINING
from triage.data.survey import Survey
from triage.errors import UserError

SIDES = (32, 64, 96, 128, 160, 224)  # pixels; more is for who knows why
_POSITIVE = ("malign", "abnormal", "positive", "disease", "cancer", "tumo", "ill", "sick", "patho",
             "pneumo", "mel", "yes", "true", "1", "case", "finding", "high")  # fmt: skip
_BY_NAMES = "many names share this beginning: check that it is a patient"
_MANY = 50  # cases of a class for five folds


Block = dict[str, Any]


@dataclass(frozen=True)
class Labels:
    """The index's settings of labels; each class in its order, with what a row calls it."""

    index: Block
    task: str
    classes: list[str]


def study(
    survey: Survey, table: str | None, choices: Choices, raw: Path, memory: float
) -> tuple[Block, list[Case], list[Problem]]:
    """The whole block of the study, with the cases and problems that its reader finds.

    ``raw``: what the settings call the folder; ``memory``: the bytes that training may take.
    Raises UserError where nothing says what the labels
    are, or the reader can't use what was planned.
    """
    return _complete(survey, _data(survey, table, choices), raw, memory)


def _data(survey: Survey, table: str | None, choices: Choices) -> Block:
    """What the study's block says of its data: task, classes, index and split."""
    tables = [table] if table else _tables(survey)
    if not tables:
        return _of_folders(survey)
    name = choices.one("table", "Which table has the labels?", tables, survey.tables)
    if name is None:
        return _of_folders(survey)
    return _of_table(survey, guess.read(survey.raw, name), choices)


def _tables(survey: Survey) -> list[str]:
    """Tables that may name the images."""
    found = []
    for path in survey.tables:
        try:
            columns = guess.read(survey.raw, path)
        except UserError:
            continue
        if guess.file_columns(columns, survey) or guess.patterns(columns, survey):
            found.append(path)
    return found


def _of_folders(survey: Survey) -> Block:
    if any(path.startswith((f"{TRAINING}/", f"{TEST}/")) for path in survey.paths):
        return _of_patients(survey)
    folders_of = Counter(PurePosixPath(path).parts[:-1] for path in survey.pictures)
    names = [parts for parts in folders_of if parts]
    places = {part for parts in names for part in parts if part in folders.PARTITIONS}
    classes: Counter[str] = Counter()
    for parts in names:
        at = [i for i, part in enumerate(parts) if part in folders.PARTITIONS]
        inner = parts[at[-1] + 1] if at and at[-1] + 1 < len(parts) else parts[-1]
        if inner not in folders.PARTITIONS:
            classes[inner] += folders_of[parts]
    if not 2 <= len(classes) <= guess.MOST_CLASSES:
        raise UserError(
            f"no table names these images, and {len(classes)} folder(s) are no classes",
            where=survey.raw,
            remedy="put a table of labels into the folder, and name it with --table",
        )
    ordered = _ordered(classes)
    words = f"{len(classes)} folders: {listed(classes)}"
    index: Block = {"reader": Because("folders", "a folder a class")}
    names_of = [stem(path, SUFFIXES) for path in survey.pictures]
    if pattern := guess.name_pattern(names_of):
        index["group"] = Because(pattern, _BY_NAMES)
    task = "binary" if len(classes) == 2 else "multiclass"
    block: Block = {"task": task, "classes": Because(ordered, words), "index": index}
    block["split"] = {"validation": "source"} if "val" in places else {}
    return block


def _of_patients(survey: Survey) -> Block:
    names = Counter(path.split("/")[2] for path in survey.paths if path.startswith(f"{TRAINING}/"))
    reader = Because("volumes", f"{TRAINING}/<class>/<patient>/<sequence>")
    classes = Because(_ordered(names), f"folders below {TRAINING}")
    return {"task": "binary", "classes": classes, "index": {"reader": reader}, "split": {}}


def _of_table(survey: Survey, table: Columns, choices: Choices) -> Block:
    every = list(table.columns)
    columns: Block = {}
    index: Block = {
        "reader": Because("table", f"{len(table.columns)} columns"),
        "table": table.path,
    }
    taken = _name_files(survey, table, columns, index, choices)
    labels = _labels(table, taken, columns, choices)
    taken |= _columns_of(columns["label"])
    groups = guess.group_columns(table, taken)
    group = choices.one("group", "Which column says what belongs together?", groups, every)
    if group:
        distinct = table.columns[group].distinct
        columns["group"] = Because(group, f"{distinct} of {len(table.columns[group].cells)} rows")
    elif pattern := guess.name_pattern(_names(table, columns)):
        index["group"] = Because(pattern, _BY_NAMES)
    parts = guess.partition_columns(table)
    part = choices.one("partition", "Which column says the partition?", parts, every)
    split: Block = {}
    if part:
        columns["partition"] = Because(part, listed(table.columns[part].values))
        words = {value.casefold() for value in table.columns[part].values}
        if words & {"val", "valid", "validation", "dev"}:
            split["validation"] = Because("source", f"{part} has validation cases")
    index["columns"] = columns
    index |= labels.index
    taken |= {each for each in (group, part) if each}
    if attributes := guess.attribute_columns(table, taken):
        same = all(name == column for name, column in attributes.items())
        kept = list(attributes) if same else attributes
        index["attributes"] = Because(kept, "kept for subgroups")
    counts = _class_counts(table, columns["label"], labels)
    classes = Because(labels.classes, counts)
    return {"task": labels.task, "classes": classes, "index": index, "split": split}


def _name_files(
    survey: Survey, table: Columns, columns: Block, index: Block, choices: Choices
) -> set[str]:
    """Says which column names the files, or in what pattern; gives the columns that do."""
    if "pattern" in choices.given:
        columns["pattern"] = choices.given["pattern"]
        if "channels" in choices.given:
            index["channels"] = choices.given["channels"].split(",")
        return set()
    found = guess.file_columns(table, survey)
    name = choices.one("file", "Which column names the file?", found, list(table.columns))
    if name:
        columns["file"] = Because(name, f"such as {next(filter(None, table.columns[name].cells))}")
        return {name}
    patterns = guess.patterns(table, survey)
    texts = [each.text for each in patterns]
    chosen = choices.one("pattern", "What do the paths look like?", texts, texts)
    if chosen is None:
        raise UserError(
            "no column's cells are names, or parts, of images' paths",
            where=survey.raw / table.path,
            remedy="say --file COLUMN or --pattern 'images/{column}.jpg', or correct the table",
        )
    pattern = patterns[texts.index(chosen)]
    columns["pattern"] = Because(pattern.text, "the paths of most rows")
    if pattern.channels:
        index["channels"] = Because(
            list(pattern.channels), "what stands at {channel} in most cases"
        )
    return {pattern.column}


def _labels(table: Columns, taken: set[str], columns: Block, choices: Choices) -> Labels:
    marks = guess.mark_columns(table, taken)
    named = [each for each in guess.label_columns(table, taken) if each not in marks]
    candidates = named + (marks if len(marks) == 1 else [])
    if len(marks) > 1:
        candidates.append(",".join(marks))
    every = [*table.columns, ",".join(marks)]
    answer = choices.one("label", "Which column is the label?", candidates, every)
    if answer is None:
        raise UserError(
            "no column has a few values that may be classes",
            where=table.path,
            remedy=f"say --label COLUMN; there are {', '.join(table.columns)}",
        )
    if answer in table.columns:
        return _named(table, answer, columns, choices)
    columns["label"] = Because(answer.split(","), "a column of 0 and 1 for each class")
    several = any(
        sum(table.columns[name].cells[row] in ("1", "1.0") for name in marks) != 1
        for row in range(len(table.columns[marks[0]].cells))
    )
    task = "multilabel" if several else "multiclass"
    return Labels({}, choices.given.get("task") or task, marks)


def _named(table: Columns, name: str, columns: Block, choices: Choices) -> Labels:
    column = table.columns[name]
    mark = guess.separator(column)
    words: Counter[str] = Counter()
    for value, count in column.values.items():
        for word in value.split(mark) if mark else [value]:
            words[word.strip()] += count
    del words[""]
    columns["label"] = Because(name, f"{len(words)} values")
    if mark:
        columns["separator"] = Because(mark, "some cells name several classes")
    leave_out = [word for word in choices.given.get("leave-out", "").split(",") if word]
    kept = Counter({word: count for word, count in words.items() if word not in leave_out})
    task = "multilabel" if mark else "binary" if len(kept) == 2 else "multiclass"
    task = choices.given.get("task") or task
    ordered = _ordered(kept, choices if task == "binary" else None)
    index: Block = {}
    if any(word.replace(".", "").lstrip("-").isdigit() for word in kept):
        ordered_values = {word: f"{name} {word}" for word in ordered}
        index["values"] = Because(ordered_values, "change the names here and in classes")
        ordered = list(ordered_values.values())
    if leave_out:
        index["leave_out"] = leave_out
    return Labels(index, task, ordered)


def _ordered(classes: Counter[str], choices: Choices | None = None) -> list[str]:
    """The classes, of two the positive one last."""
    if len(classes) != 2:
        return sorted(classes)
    positive = choices.given.get("positive") if choices else None
    if positive in classes:
        return sorted(classes, key=lambda name: name == positive)
    hints = {name: any(word in name.lower() for word in _POSITIVE) for name in classes}
    hints = {
        name: hint and not name.lower().startswith(("no", "non")) for name, hint in hints.items()
    }
    if sum(hints.values()) == 1:
        return sorted(classes, key=lambda name: hints[name])
    return sorted(classes, key=lambda name: (-classes[name], name))


def _class_counts(table: Columns, label: Because, labels: Labels) -> str:
    if isinstance(label.value, list):
        ones = {name: sum(each in ("1", "1.0") for each in table.columns[name].cells)
                for name in label.value}  # fmt: skip
        return listed(Counter(ones))
    return listed(table.columns[label.value].values)


def _columns_of(label: Because) -> set[str]:
    return set(label.value) if isinstance(label.value, list) else {label.value}


def _names(table: Columns, columns: Block) -> list[str]:
    file = columns.get("file")
    return [stem(cell, SUFFIXES) for cell in table.columns[file.value].cells] if file else []


def _complete(
    survey: Survey, block: Block, raw: Path, memory: float
) -> tuple[Block, list[Case], list[Problem]]:
    plain = settings(block)
    index = plain["index"] | {"classes": plain["classes"], "task": plain["task"]}
    planned = typed.convert(IndexSettings, json.loads(json.dumps(index)), "index")
    cases, problems = readers.reader(planned.reader).find(survey.raw, survey.paths, planned)
    labelled = [case for case in cases if case.label]
    if not labelled:
        raise UserError("no case has a label", where=survey.raw, remedy="see --table and --label")
    groups = {name: {case.group for case in labelled if name in case.label.split("|")}
              for name in plain["classes"]}  # fmt: skip
    rarest = min(groups, key=lambda name: len(groups[name]))
    whole: Block = {"raw": str(raw), "task": block["task"], "classes": block["classes"]}
    whole["index"] = block["index"]
    whole["images"] = _images(survey)
    whole["split"] = _split(block["split"], cases, rarest, len(groups[rarest]))
    whole["training"] = _training(survey, whole, labelled, plain, memory)
    return whole, cases, problems


def _images(survey: Survey) -> Block:
    headers = survey.headers
    if survey.has_volumes:
        return {"mode": Because("volume", "volumes"), "size": None}
    mode = "grey" if headers.channels["colour"] == 0 else "rgb"
    side = max([each for each in SIDES if each <= headers.side], default=SIDES[0])
    return {
        "mode": Because(mode, listed(headers.channels) + " of the headers that were read"),
        "size": Because(side, f"half of the pictures are {headers.side} pixels or more a side"),
    }


def _split(split: Block, cases: Sequence[Case], rarest: str, groups: int) -> Block:
    found = dict(split)
    if not any(case.partition == "test" for case in cases):
        found["test"] = Because("fold", "no case is said to be for testing")
    k = 5 if groups >= _MANY else max(3, min(5, groups // 4))
    found["k"] = Because(k, f"the rarest class, {rarest}, has {groups} groups")
    return found


def _training(
    survey: Survey, whole: Block, cases: Sequence[Case], plain: Block, memory: float
) -> Block:
    sizes = Counter(name for case in cases for name in case.label.split("|"))
    most, least = max(sizes.values()), max(1, min(sizes[name] for name in plain["classes"]))
    epochs = 40 if len(cases) < 500 else 30 if len(cases) < 2000 else 20
    if survey.has_volumes:
        slices = statistics.median(survey.headers.slices or [1])
        side = survey.headers.side or SIDES[-1]
    else:
        slices, side = 1, whole["images"]["size"].value
    network, batch = machine.network(int(len(cases) * slices), side, memory)
    recipe: Block = {
        "epochs": Because(epochs, f"{len(cases)} labelled cases"),
        "batch_size": batch,
        "precision": Because("auto", "bfloat16 where there are units for it: about twice as fast"),
        "optimizer": {"lr": 1.0e-3},
        "schedule": {"name": "cosine"},
        "select": {"by": "loss"},
    }
    if most > 3 * least:
        key = "pos_weight" if plain["task"] == "multilabel" else "class_weights"
        how = "balanced" if plain["task"] == "multilabel" else "inverse"
        share = f"the commonest class has {most / least:.1f} times the cases of the rarest"
        recipe["loss"] = {key: Because(how, share)}
    recipe["augment"] = {"flip": Because(0.5, "0 where left and right differ")}
    floor = Because("random_forest", "no network, but what one has to be ahead of")
    names = {network.value: network, floor.value: floor}
    return {
        "recipe": recipe,
        "arms": {name: {"model": {"architecture": each}} for name, each in names.items()},
    }
