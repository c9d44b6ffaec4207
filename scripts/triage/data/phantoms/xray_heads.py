"""Phantom raw data of the xray_heads study: chest radiographs with any of fourteen findings.

Laid out as the NIH's ChestX-ray14: ``Data_Entry_2017.csv``, ``images/*.png`` and the two lists of
names. Findings are as unequally frequent as the real ones and occur together; most patients have
several pictures; a few files are RGBA, and some ages are written like ``060Y``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
from PIL import Image

from triage.data.phantoms import folder as pictures
from triage.data.phantoms.chest import draw_anatomy, draw_chest, expose
from triage.data.phantoms.chest_findings import FINDINGS, deform, strength
from triage.data.phantoms.drawing import generator, plane, to_bytes
from triage.data.phantoms.settings import XrayHeads as Settings

NO_FINDING = "No Finding"
HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
HEALTHY = 0.46  # share of the patients
MORE_FINDINGS = 0.6  # on average, beside the first one
PERSISTENCE = 0.85  # probability that a patient's finding is there in a picture
PICTURES = 2.2  # of a patient, on average
RGBA = 0.01  # share of the files


@dataclass(frozen=True)
class Picture:
    """What, with the settings, decides the bytes of a file and its row."""

    patient: int
    follow_up: int
    findings: tuple[str, ...]
    age: int
    sex: str
    rgba: bool

    @property
    def name(self) -> str:
        return f"{self.patient:08d}_{self.follow_up:03d}.png"

    def row(self, size: int) -> str:
        """The picture's row of the table."""
        labels = "|".join(self.findings) or NO_FINDING
        age = f"{self.age:03d}Y" if self.patient % 10 == 0 else str(self.age)
        view = "AP" if self.patient % 3 == 0 else "PA"
        spacing = f"{0.143 * 2048 / size:.3f}"
        return (
            f"{self.name},{labels},{self.follow_up},{self.patient},{age},{self.sex},{view},"
            f"{size},{size},{spacing},{spacing}"
        )


def generate(settings: Settings, folder: Path, workers: int = 1) -> None:
    """Write the pictures and tables, as ``folder.write`` does."""
    train, test = cohort(settings)
    rows = [HEADER] + [picture.row(settings.size) for picture in train + test]
    tables = {
        "Data_Entry_2017.csv": rows,
        "train_val_list.txt": [picture.name for picture in train],
        "test_list.txt": [picture.name for picture in test],
    }
    images = {f"images/{picture.name}": picture for picture in train + test}
    pictures.write(folder, partial(draw, settings), images, tables, workers)


def cohort(settings: Settings) -> tuple[list[Picture], list[Picture]]:
    """The pictures to train on and those to test on, of different patients."""
    train = _part(settings, "train", settings.train, 1)
    return train, _part(settings, "test", settings.test, train[-1].patient + 1 if train else 1)


def _part(settings: Settings, name: str, count: int, first: int) -> list[Picture]:
    rng = generator(settings.seed, "cohort", name)
    leading = cycle(_leading_findings(rng, settings.skew, count))
    chances = _chances(settings.skew)
    names = list(FINDINGS)
    found: list[Picture] = []
    patient = first
    while len(found) < count:
        several = min(1 + int(rng.poisson(PICTURES - 1)), count - len(found))
        findings: set[str] = set()
        if rng.uniform() >= HEALTHY:
            more = rng.choice(names, min(int(rng.poisson(MORE_FINDINGS)), 3), False, chances)
            findings = {next(leading), *map(str, more)}
        age, sex = int(np.clip(rng.normal(47, 17), 2, 94)), str(rng.choice(("M", "F")))
        for i in range(several):
            # Sorted first: the order of a set differs from one process to the next.
            shown = [each for each in sorted(findings) if rng.uniform() < PERSISTENCE]
            rgba = bool(rng.uniform() < RGBA)
            found.append(Picture(patient, i, tuple(shown), age + i // 2, sex, rgba))
        patient += 1
    return found


def _chances(skew: float) -> np.ndarray:
    weights = np.array([count for count, _ in FINDINGS.values()]) ** skew
    return weights / weights.sum()


def _leading_findings(rng: np.random.Generator, skew: float, count: int) -> list[str]:
    """First findings of the patients in turn: each finding once, then each its share."""
    names = list(FINDINGS)
    shares = np.ceil(_chances(skew) * count / PICTURES * (1 - HEALTHY)).astype(int)
    rest = rng.permutation(np.repeat(names, shares - 1))
    return [str(finding) for finding in (*rng.permutation(names), *rest)]


def draw(settings: Settings, picture: Picture) -> Image.Image:
    rng = generator(settings.seed, "picture", picture.patient, picture.follow_up)
    patient = generator(settings.seed, "patient", picture.patient)
    anatomy = draw_anatomy(patient)
    strengths = {name: strength(settings.difficulty, patient) for name in FINDINGS}
    for name in picture.findings:
        anatomy = deform(anatomy, name, strengths[name])
    chest = draw_chest(anatomy, rng, plane(settings.size, settings.size))
    density = chest.density
    for name in picture.findings:
        # A patient's finding looks the same in all pictures, whatever others there are.
        own = generator(settings.seed, "finding", picture.patient, name)
        density = density + strengths[name] * FINDINGS[name][1](own, chest)
    values = expose(chest.with_density(density), rng)
    image = Image.fromarray(to_bytes(values))
    return image.convert("RGBA") if picture.rgba else image
