"""Pictures that need the network itself: what it is shown, and where it looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from triage import pseudonyms
from triage.data.image_store import Images
from triage.figures import style, tiles
from triage.figures.heatmaps import heatmaps
from triage.figures.settings import ExplainSettings
from triage.files import read_rows
from triage.settings import convert
from triage.task import Task
from triage.training import balance, rng
from triage.training.cases import Cases
from triage.training.checkpoint import Checkpoint
from triage.training.images import ImageData
from triage.training.mix import mixed
from triage.training.settings import Augment, Mix

DRAWS = 5  # augmented versions of an image
MOST_LABELS = 6  # of a study with several labels
MOST_CLASSES = 8  # of classes that exclude each other
HEAT = "inferno"  # colours of heat maps
SHORT = 200  # pixels along a side


@dataclass(frozen=True)
class Source:
    """A trained network with the images of its study, and what it predicted for labelled cases.

    ``predictions``: rows of a table of predictions, of the test part or else of validation;
    ``partition`` says which.
    """

    checkpoint: Checkpoint
    images: Images
    predictions: tuple[dict[str, str], ...]
    partition: str
    device: torch.device
    settings: ExplainSettings

    @classmethod
    def read(
        cls,
        checkpoint: Path,
        predictions: Sequence[Path],
        images: Images,
        device: torch.device,
        settings: ExplainSettings,
    ) -> Source:
        """``predictions``: the run's tables, of which the first with a labelled case is taken.

        They are ``<partition>.csv``.
        """
        tables = {
            path.stem: tuple(row for row in read_rows(path, "predict") if row["label"])
            for path in predictions
        }
        part = next((name for name, rows in tables.items() if rows), predictions[0].stem)
        return cls(Checkpoint.load(checkpoint), images, tables[part], part, device, settings)

    @property
    def has_scans(self) -> bool:
        """Whether cases are volumes, whose channels are no colours."""
        return self.images.most_slices > 1

    def shown(self, case: str) -> str:
        """What a picture calls a case."""
        return pseudonyms.shown(case, self.settings.pseudonyms)

    def data(self, names: Iterable[str]) -> ImageData:
        """The images of some cases as the network gets them."""
        checkpoint = self.checkpoint
        return ImageData(
            self.images, names, checkpoint.input, checkpoint.normalisation, self.device
        )


def augmentation(source: Source) -> Figure:
    """Training images as stored, as the network gets them, and a few times augmented and mixed."""
    cases = _some_training_cases(source)
    data = source.data(cases.names)
    trained = source.checkpoint.record["settings"]
    settings = convert(Augment, trained["recipe"]["augment"], "augment")
    # A sequence model is trained on features, and those may be what is mixed.
    mix = None if trained["sequence"] else convert(Mix | None, trained["recipe"].get("mix"), "mix")
    seed = source.checkpoint.seed
    samples = data.samples(cases, source.checkpoint.outputs, False, settings, seed)
    middle = data.slices // 2
    rows = np.arange(len(cases)) * data.slices + middle
    plan = balance.Plan(rows, np.zeros_like(rows), np.full(len(rows), True))
    bounds, draws = [(0, len(rows))], range(1, DRAWS + 1)
    inputs = [samples.batches(plan, bounds, None)]
    inputs += [mixed(mix, seed, epoch, plan, samples).batches(bounds) for epoch in draws]
    versions = [next(each).cpu().numpy() for each in inputs]
    number = int(data.numbers[middle])
    shown = []
    for i, name in enumerate(cases.names):
        stored = source.images.stack(name)[number]
        seen = [_seen(_coloured(source, version[i]), source.has_scans) for version in versions]
        shown.append([_seen(stored, source.has_scans), *seen])
    titles = ["as stored", "as input", *(f"augmented {k}" for k in range(1, DRAWS + 1))]
    return tiles.figure(tiles.sheet(shown, {0: titles}), list(map(source.shown, cases.names)))


def _some_training_cases(source: Source) -> Cases:
    """A few cases that the network was trained on, drawn by the seed."""
    names = source.checkpoint.cases["train"]
    order = rng.order(source.settings.seed, 0, rng.keys(names))
    chosen = sorted(names[i] for i in order[: max(2, source.settings.cases // 2)])
    return Cases(tuple(chosen), ("",) * len(chosen))


def attention(source: Source) -> Figure:
    """Where the network finds what it calls positive, in the cases it is surest to be positive.

    Of classes that exclude each other also mistakes, with what speaks for the called class below.
    """
    chosen = _surest(source)
    if not chosen:
        return style.notice("no case has a known label")
    names = [name for row in chosen for name in row.cases]
    data = source.data(names)
    network = source.checkpoint.network().to(source.device)
    images: list[list[tiles.Image | None]] = []
    labels: list[str] = []
    notes: dict[int, list[str]] = {}
    for row in chosen:
        pairs = [_overlaid(source, data, network, name, row.output) for name in row.cases]
        notes[len(images)] = [f"{source.shown(name)}\np = {p:.2f}" for name, p in row.cases.items()]
        images += [[plain for plain, _ in pairs], [heat for _, heat in pairs]]
        labels += [row.title, f"for {row.title}" * bool(row.called)]
        if row.called:
            called = [row.called.get(name) for name in row.cases]
            outputs = source.checkpoint.outputs
            notes[len(images)] = ["" if output is None else outputs[output] for output in called]
            images.append(
                [
                    None if output is None else _overlaid(source, data, network, name, output)[1]
                    for name, output in zip(row.cases, called, strict=True)
                ]
            )
            labels.append("for the called")
    figure = tiles.figure(tiles.sheet(images, notes), labels)
    words = [style.ON_VALIDATION] if source.partition == "val" else []
    shown, every = {row.output for row in chosen}, source.checkpoint.outputs
    if len(shown) < len(every):
        words.append(f"{len(shown)} of {len(every)} classes, the commonest")
    if words:
        style.remark(figure, "\n".join(words))
    style.colour_key(figure, "share of the largest evidence", HEAT)
    return figure


@dataclass(frozen=True)
class _Row:
    """Cases with their probability, of one label, explained for one output of the network.

    ``called`` has the output that was called instead, where classes exclude each other.
    """

    title: str
    output: int
    cases: dict[str, float]
    called: dict[str, int] = field(default_factory=dict)


def _surest(source: Source) -> list[_Row]:
    """The cases with the highest probability: by true class, or by each of the commonest labels."""
    outputs, count = source.checkpoint.outputs, source.settings.cases
    if len(outputs) == 1:
        names = (source.settings.classes[-1], source.settings.classes[0])
        wanted = [(name, 0, label) for name, label in zip(names, ("1", "0"), strict=True)]
    else:
        sizes = {name: _count(source, name) for name in outputs}
        exclusive = source.checkpoint.task is Task.MULTICLASS
        most = MOST_CLASSES if exclusive else MOST_LABELS
        common = sorted(outputs, key=lambda name: -sizes[name])[:most]
        wanted = [(name, outputs.index(name), "1") for name in common]
    rows = []
    for title, output, label in wanted:
        found = [
            (row["case"], float(row["probability"]))
            for row in source.predictions
            if row["class"] == outputs[output] and row["label"] == label
        ]
        found.sort(key=lambda each: (-each[1], each[0]))
        if source.checkpoint.task is Task.MULTICLASS:
            rows += _right_and_wrong(source, title, output, dict(found))
        elif found:
            rows.append(_Row(title, output, dict(found[:count])))
    return rows


def _right_and_wrong(
    source: Source, title: str, output: int, cases: dict[str, float]
) -> list[_Row]:
    """The cases of a class that the network is surest of, half of them called another class."""
    found = dict.fromkeys(cases, (-1.0, -1))
    for row in source.predictions:
        if row["case"] in cases:
            each = (float(row["probability"]), source.checkpoint.outputs.index(row["class"]))
            found[row["case"]] = max(found[row["case"]], each)
    called = {name: other for name, (_, other) in found.items() if other != output}
    wrong = sorted(called, key=lambda name: (-found[name][0], name))
    right = [name for name in cases if name not in called]
    count = source.settings.cases
    several = min(len(wrong), max(count // 2, count - len(right)))
    chosen = [*right[: count - several], *wrong[:several]]
    if not chosen:
        return []
    own = {name: called[name] for name in wrong[:several]}
    return [_Row(title, output, {name: cases[name] for name in chosen}, own)]


def _count(source: Source, name: str) -> int:
    return sum(row["class"] == name and row["label"] == "1" for row in source.predictions)


def _overlaid(
    source: Source, data: ImageData, network: torch.nn.Module, name: str, output: int
) -> tuple[tiles.Image, tiles.Image]:
    """A case's image, of a volume the slice that matters most, plain and with its heat map."""
    whole = source.checkpoint.over_volumes
    samples = data.samples(Cases((name,), ("",)), source.checkpoint.outputs, whole)
    plan = balance.in_order(len(samples))
    batch: Tensor = next(samples.batches(plan, [(0, len(samples))], None))
    maps = heatmaps(network, batch, output).cpu().numpy()
    place = int(np.argmax(maps.sum(axis=(1, 2))))
    image = batch.reshape(-1, *batch.shape[-3:])[place].cpu().numpy()
    plain = _seen(_coloured(source, image), source.has_scans)
    if plain.ndim == 2:
        plain = np.repeat(plain[..., None], 3, axis=2)
    heat = tiles.shrink(maps[place] / max(float(maps.max()), 1e-12), SHORT)
    colours = matplotlib.colormaps[HEAT](heat)[..., :3]
    weight = 0.65 * heat[..., None]
    return plain, (plain * (1 - weight) + colours * weight).astype(np.float32)


def _coloured(source: Source, image: np.ndarray) -> np.ndarray:
    """An input [channels, h, w] of the network, a photograph in the colours that it had before."""
    of = source.checkpoint.normalisation
    if image.shape[0] != 3 or source.has_scans or of.mean is None or of.std is None:
        return image
    mean, std = (np.array(each)[:, None, None] for each in (of.mean, of.std))
    return np.asarray(image * std + mean)


def _seen(image: np.ndarray, scan: bool) -> tiles.Image:
    """An image [channels, h, w] for the eye: of scans the last channel, photographs in colour."""
    if image.shape[0] == 3 and not scan:
        return tiles.shrink(np.moveaxis(tiles.window(image), 0, -1), SHORT)
    return tiles.shrink(tiles.window(image[-1]), SHORT)


FIGURES = {"augmentation": augmentation, "attention": attention}


def draw(source: Source, targets: Iterable[Path]) -> Iterator[tuple[Path, Figure]]:
    """Each of the pictures that the names of ``targets`` ask for."""
    for target in targets:
        yield target, FIGURES[target.stem](source)
