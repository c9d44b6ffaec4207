"""Trained networks in use: new files in, probabilities and decisions out.

from triage import Model
model = Model.load("results/pneumonia/training/cnn5/fold0-seed1/checkpoint.pt")
print(*model.predict("scan1.png", "folder/"), sep="\\n")
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from triage.data import inventory, readers, shards, workers
from triage.data.image_store import Images
from triage.data.readers import BadFile, Problem
from triage.data.shards import Decoding
from triage.data.shards import Task as File
from triage.errors import UserError
from triage.evaluation.choices import Choices, choices_of
from triage.evaluation.evaluate import summarise
from triage.evaluation.samples import Sample
from triage.evaluation.settings import EvaluationSettings, Point
from triage.files import read_json
from triage.paths import inside
from triage.runs import run_name
from triage.settings import convert
from triage.task import SEPARATOR, Task
from triage.training import distributed
from triage.training.cases import Cases, check_labels
from triage.training.checkpoint import Checkpoint
from triage.training.images import slice_numbers
from triage.training.prediction import Predictor
from triage.training.settings import Flip

AT_ONCE = 256 << 20  # bytes of decoded images that are predicted together
TINY = 1e-300  # for logarithms of what may be 0

Decoded = tuple[File, np.ndarray]


@dataclass(frozen=True)
class Prediction:
    """What a model says of a case.

    ``probabilities`` are those of all classes by name, and ``called`` the classes that it is
    decided to have. ``usable`` is false, and both are empty, where its files can't be used.
    ``remark`` says why, or in what the image is unlike those that the model was trained on.
    """

    case: str
    probabilities: dict[str, float]
    called: tuple[str, ...]
    usable: bool
    remark: str = ""

    @property
    def decision(self) -> str:
        """The classes that the case is decided to have, as one word; "" for none."""
        return SEPARATOR.join(self.called)


@dataclass(frozen=True)
class Model:
    """Networks of one study, whose probabilities are averaged, and how to decide by them.

    ``choices`` has a threshold for each class, of which those of ``point`` are used; ``decided``
    says in words where they come from.
    """

    predictors: tuple[Predictor, ...]
    choices: Choices
    point: Point
    decided: str

    @classmethod
    def load(
        cls,
        *checkpoints: str | os.PathLike[str],
        metrics: str | os.PathLike[str] | None = None,
        device: str | torch.device = "auto",
        flips: Sequence[Flip] | None = None,
    ) -> Model:
        """The model of one or more checkpoints; without any, of those of the run that is judged.

        ``metrics`` is the run's metrics.json, which has the thresholds; without it that of the run
        whose folder a single checkpoint lies in, or else 0.5. With ``flips`` ("horizontal",
        "vertical") the probabilities are means over the images and their reflections; None: over
        those of the metrics. ``device`` is as torch has it, or "auto". Raises UserError where a
        file is none of ours, or where checkpoints are of different studies, or are not those
        of an ensemble over folds or seeds.
        """
        paths = [Path(path) for path in checkpoints] or _checkpoints_of(metrics)
        loaded = [Checkpoint.load(path) for path in paths]
        for path, other in zip(paths, loaded, strict=True):
            first = loaded[0]
            if (other.task, other.outputs, other.images) != (
                first.task,
                first.outputs,
                first.images,
            ):
                raise UserError(
                    f"does not belong together with {paths[0]}",
                    where=path,
                    remedy="give checkpoints of one study",
                )
        if isinstance(device, str):
            device = torch.device(device) if device != "auto" else distributed.local_device(device)
        if metrics:
            _refuse_others(Path(metrics), loaded)
        judged = [Path(metrics) if metrics else _metrics_of(path) for path in paths]
        predictors = tuple(
            Predictor(each, device, _flips(each, page) if flips is None else flips)
            for each, page in zip(loaded, judged, strict=True)
        )
        by = judged[0] if metrics or len(paths) == 1 else None
        return cls(predictors, *_choices(loaded[0], by))

    @property
    def checkpoint(self) -> Checkpoint:
        """The first one."""
        return self.predictors[0].checkpoint

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the study, in their order; of two, the last one is positive."""
        return tuple(self.checkpoint.record["settings"]["classes"])

    @property
    def thresholds(self) -> dict[str, float]:
        """Above which probability a class is called; empty where the likeliest one is."""
        chosen = self.choices.thresholds.get(self.point, [])
        return {
            name: each.threshold for name, each in zip(self.choices.classes, chosen, strict=False)
        }

    def cases(self, *files: str | os.PathLike[str]) -> list[str]:
        """The names of the cases that ``predict`` tells of. Raises UserError as it does."""
        cases, rest = _gather([Path(each) for each in files], self.checkpoint.images)
        return [*(each.case for each in cases), *(each.case for each in rest)]

    def predict(self, *files: str | os.PathLike[str], threads: int = 1) -> list[Prediction]:
        """What the model says of each case in files and folders, sorted by name.

        Pictures are cases by themselves; of volumes each folder with all channels is one, or files
        that share what stands before _CHANNEL in their names. ``threads`` decode files. Raises
        UserError for a path where nothing is.
        """
        cases, found = _gather([Path(each) for each in files], self.checkpoint.images)
        usable = _usable(cases, self._least_slices(), threads, found)
        for batch in _batches(usable):
            found += self._predict(batch)
        return sorted(found, key=lambda each: each.case)

    def score(
        self,
        predictions: Iterable[Prediction],
        labels: Mapping[str, str],
        groups: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Metrics with intervals, as a run's metrics.json has them for a partition.

        ``labels`` are the classes of cases by name, several joined by |; cases without one do not
        count. Cases of one of the ``groups`` are drawn together; without them each by itself.
        Raises UserError for a label that is no class, and where no case has one.
        """
        known = sorted(
            (each for each in predictions if each.usable and labels.get(each.case)),
            key=lambda each: each.case,
        )
        if not known:
            raise UserError("no predicted case has a label", where="the labels")
        cases = Cases(
            tuple(each.case for each in known), tuple(labels[each.case] for each in known)
        )
        outputs, task = tuple(sorted(self.checkpoint.outputs)), self.checkpoint.task
        check_labels(cases, self.classes, task, "the labels")
        found = np.array([[each.probabilities[name] for name in outputs] for each in known])
        odds = found if task is Task.MULTICLASS else found / np.maximum(1 - found, TINY)
        sample = Sample(
            np.array(cases.names),
            np.array([(groups or {}).get(name, name) for name in cases.names]),
            outputs,
            cases.targets(outputs).astype(float),
            np.log(np.maximum(odds, TINY)),
            found,
        )
        settings = EvaluationSettings(task=task, classes=self.classes)
        if self.point != "argmax":
            settings = replace(settings, operating_point=self.point)
        return summarise(sample, self.choices, settings)

    def _least_slices(self) -> int:
        """How many slices a case must have."""
        inputs = [each.checkpoint.input for each in self.predictors]
        return max(max(slice_numbers(each) or [0]) + 1 for each in inputs)

    def _predict(self, batch: Sequence[Decoded]) -> Iterator[Prediction]:
        names = tuple(file.case for file, _ in batch)
        checkpoint, task = self.checkpoint, self.checkpoint.task
        if (channels := batch[0][1].shape[1]) != checkpoint.channels:
            yield from (_unusable(name, f"has {channels} channels") for name in names)
            return
        cases = Cases(names, ("",) * len(names))
        stacks = {file.case: image for file, image in batch}
        logits = []
        for predictor in self.predictors:
            stored = predictor.checkpoint.stored
            images = Images.of(stacks, np.dtype(stored.dtype), (stored.height, stored.width))
            logits.append(task.pooled(predictor(images, cases).logits))
        probabilities = task.probabilities(task.pooled(np.stack(logits, axis=1)))
        order = [checkpoint.outputs.index(name) for name in self.choices.classes]
        decided = self.choices.decide(probabilities[:, order], self.point)
        for row, name in enumerate(names):
            remark = "; ".join(checkpoint.reference.unlike(stacks[name]))
            found = dict(zip(checkpoint.outputs, map(float, probabilities[row]), strict=True))
            called = dict(zip(self.choices.classes, decided[row], strict=True))
            if task is Task.BINARY:
                negative, positive = self.classes
                found[negative], called[negative] = 1 - found[positive], not called[positive]
            shown = {each: found[each] for each in self.classes}
            yield Prediction(name, shown, tuple(filter(called.get, self.classes)), True, remark)


def _flips(checkpoint: Checkpoint, metrics: Path | None) -> Sequence[Flip]:
    """The reflections that a network was shown when it was judged."""
    shown = read_json(metrics).get("flips", {}) if metrics else {}
    kind = dict[str, tuple[Flip, ...]]
    found: Mapping[str, Sequence[Flip]] = convert(kind, shown, f"{metrics}: flips")
    return found.get(checkpoint.arm, ())


def _choices(checkpoint: Checkpoint, path: Path | None) -> tuple[Choices, Point, str]:
    """How to decide, and in words by what: the metrics at ``path``, if any."""
    exclusive = checkpoint.task is Task.MULTICLASS
    if path is None:
        classes = tuple(sorted(checkpoint.outputs))
        none = pd.DataFrame({"partition": [], "label": []})
        choices = choices_of(None, none, classes, 0.5, exclusive)
        words = "thresholds of 0.5, since no metrics.json is known"
        return choices, choices.points[0], "the likeliest class" if exclusive else words
    content = read_json(path)
    choices = Choices.from_json(content["choices"])
    if set(choices.classes) != set(checkpoint.outputs):
        raise UserError(
            f"is of {', '.join(choices.classes)}, the checkpoint of "
            f"{', '.join(checkpoint.outputs)}",
            where=path,
            remedy="give the metrics of the same run",
        )
    point: Point = content["operating_point"]
    words = "the likeliest class" if exclusive else f"the thresholds ({point}) in {path}"
    return choices, point, words


def _members(metrics: Path) -> list[str]:
    """The runs that an ensemble over folds or seeds is a mean of, as ``<arm>/<run>``."""
    return list(
        convert(tuple[str, ...], read_json(metrics).get("members", []), f"{metrics}: members")
    )


def _checkpoints_of(metrics: str | os.PathLike[str] | None) -> list[Path]:
    """Those of a run or of the members of an ensemble, where the workflow has put them."""
    if metrics is None:
        raise UserError("neither checkpoint nor metrics", where="model", remedy="name one of them")
    path = Path(metrics).absolute()
    members = _members(path) or [f"{path.parent.name}/{path.stem}"]
    training = path.parents[2] / "training"
    if wrong := [each for each in members if not inside(each)]:
        raise UserError(f"{wrong[0]} is no run", where=metrics, remedy="remake it")
    return [training / each / "checkpoint.pt" for each in members]


def _refuse_others(metrics: Path, given: Sequence[Checkpoint]) -> None:
    """Thresholds of one predictor of several networks are for all of them together."""
    members = _members(metrics)
    names = [f"{each.arm}/{run_name(each.fold, each.seed)}" for each in given]
    if members and sorted(names) != sorted(members):
        raise UserError(
            f"is of {', '.join(members)}, not of {', '.join(names)}",
            where=metrics,
            remedy="give the checkpoints of all of these, or none: then they are found beside it",
        )


def _metrics_of(checkpoint: Path) -> Path | None:
    """The metrics of the run whose checkpoint it is, where the workflow has put them."""
    run = checkpoint.absolute().parent
    training = run.parent.parent
    found = training.parent / "metrics" / run.parent.name / f"{run.name}.json"
    return found if training.name == "training" and found.is_file() else None


def _gather(given: Sequence[Path], decoding: Decoding) -> tuple[list[File], list[Prediction]]:
    """The cases in files and folders, and a prediction for everything there that is no case."""
    reader = readers.reader(decoding.reader)
    files, rest = [], []
    for path in given:
        if not path.exists():
            raise UserError("is not there", where=path, remedy="name a file or a folder")
        raw, names, unreadable = _look(path)
        cases, problems = reader.gather(names, decoding)
        problems += [Problem(file, file, inventory.WHY_UNREADABLE) for file in unreadable]
        files += [File(raw, _name(raw / case.case), case.files, decoding) for case in cases]
        rest += [_unusable(_name(raw / each.file), each.reason) for each in problems]
        if not cases and not problems:
            raise UserError("holds no file", where=path, remedy="name files, or another folder")
    return list({file.case: file for file in files}.values()), rest


def _look(path: Path) -> tuple[Path, list[str], list[str]]:
    """The folder, and below it the files that are meant by ``path`` and those of no use."""
    if path.is_dir():
        raw, names = path, sorted(name for name, _ in inventory.walk(path))
    else:
        raw, names = path.parent, [inventory.plain(path.name)]
    files = [name for name in names if inventory.is_file(raw / name)]
    return raw, files, sorted(set(names) - set(files))


def _name(path: Path) -> str:
    return inventory.plain(path.as_posix())


def _usable(
    files: Sequence[File], least: int, processes: int, rest: list[Prediction]
) -> Iterator[Decoded]:
    """The cases that can be decoded; ``rest`` gets one for each that can't."""
    found = workers.imap(shards.decode, files, processes, shards.crashed)
    for file, image in tqdm(zip(files, found, strict=True), total=len(files), disable=None):
        if isinstance(image, BadFile):
            name = "" if len(file.files) == 1 else f"{image.file} "
            rest.append(_unusable(file.case, name + image.reason))
        elif len(image) < least:
            rest.append(_unusable(file.case, f"has {len(image)} slice(s), must have {least}"))
        else:
            yield file, image


def _unusable(case: str, reason: str) -> Prediction:
    return Prediction(case, {}, (), False, f"can't be used: {reason}")


def _batches(usable: Iterator[Decoded]) -> Iterator[list[Decoded]]:
    """Cases of equally many slices and channels, as many as are predicted together."""
    for _, alike in groupby(usable, key=lambda each: each[1].shape[:2]):
        batch: list[Decoded] = []
        for each in alike:
            batch.append(each)
            if sum(image.nbytes for _, image in batch) > AT_ONCE:
                yield batch
                batch = []
        if batch:
            yield batch
