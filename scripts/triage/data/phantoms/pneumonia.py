"""Phantom raw data of the pneumonia study: chest radiographs, NORMAL and PNEUMONIA.

Laid out and named as Kermany's: ``chest_xray/{train,val,test}/{NORMAL,PNEUMONIA}/*.jpeg`` with
several pictures of some patients, pictures of all sizes, 16 in the official val, and some of the
PNEUMONIA files, but no NORMAL one, saved in colour.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from triage.data.phantoms import folder as pictures
from triage.data.phantoms.chest import draw_anatomy, draw_chest, expose
from triage.data.phantoms.chest_findings import consolidation, haze, strength
from triage.data.phantoms.drawing import generator, plane, to_bytes
from triage.data.phantoms.settings import Pneumonia as Settings
from triage.errors import UserError

CLASSES = ("NORMAL", "PNEUMONIA")
PER_PATIENT = {"NORMAL": 1.15, "PNEUMONIA": 1.7}  # pictures, on average
COLOUR = 0.08  # share of the PNEUMONIA files of a partition that are RGB
BACTERIA = 0.65  # share of the patients with pneumonia
OPACITY = {"bacteria": consolidation, "virus": haze}
SECOND_SERIES = 0.5  # share of the NORMAL patients named NORMAL2-


@dataclass(frozen=True)
class Picture:
    """What, with the settings, decides the bytes of a file."""

    patient: str
    number: int  # among the patient's pictures
    kind: str  # normal, bacteria or virus
    colour: bool


def generate(settings: Settings, folder: Path, workers: int = 1) -> None:
    """Write the pictures, as ``folder.write`` does."""
    pictures.write(folder, partial(draw, settings), cohort(settings), {}, workers)


def cohort(settings: Settings) -> dict[str, Picture]:
    """All pictures by path."""
    if settings.train.normal + settings.train.pneumonia < 1:
        raise UserError("no pictures to train on", where="phantoms.pneumonia.train")
    parts = (("train", settings.train), ("val", settings.val), ("test", settings.test))
    found: dict[str, Picture] = {}
    for label in CLASSES:
        patient = 0  # counted on from one partition to the next: no one is in two
        for partition, counts in parts:
            rng = generator(settings.seed, "cohort", partition, label)
            end = len(found) + (counts.normal if label == "NORMAL" else counts.pneumonia)
            names = []
            while len(found) < end:
                patient += 1
                several = min(1 + int(rng.poisson(PER_PATIENT[label] - 1)), end - len(found))
                name = _name_normal if label == "NORMAL" else _name_ill
                for stem, picture in name(rng, patient, several, len(found)).items():
                    names.append(f"chest_xray/{partition}/{label}/{stem}.jpeg")
                    found[names[-1]] = picture
            if label == "PNEUMONIA":
                _colour_some(rng, found, names)
    return found


def _name_normal(rng: np.random.Generator, number: int, several: int, _: int) -> dict[str, Picture]:
    series = "NORMAL2-IM" if rng.uniform() < SECOND_SERIES else "IM"
    patient = f"{series}-{number:04d}"
    suffixes = [""] + [f"-{i:04d}" for i in range(2, several + 1)]
    return {
        f"{patient}-0001{suffix}": Picture(patient, i, "normal", False)
        for i, suffix in enumerate(suffixes)
    }


def _name_ill(
    rng: np.random.Generator, number: int, several: int, count: int
) -> dict[str, Picture]:
    patient, kind = f"person{number}", "bacteria" if rng.uniform() < BACTERIA else "virus"
    return {
        f"{patient}_{kind}_{count + i + 1}": Picture(patient, i, kind, False)
        for i in range(several)
    }


def _colour_some(rng: np.random.Generator, found: dict[str, Picture], names: list[str]) -> None:
    """Make some files RGB; of a partition of more than a few, at least one."""
    for i in rng.permutation(len(names))[: round(COLOUR * len(names) + 0.3)]:
        found[names[i]] = replace(found[names[i]], colour=True)


def draw(settings: Settings, picture: Picture) -> Image.Image:
    rng = generator(settings.seed, "picture", picture.patient, picture.number)
    height = round(settings.size * rng.uniform(0.8, 1.2))
    canvas = plane(height, round(height * rng.uniform(1.0, 1.4)))
    patient = generator(settings.seed, "patient", picture.patient)
    chest = draw_chest(draw_anatomy(patient), rng, canvas)
    density = chest.density
    if picture.kind != "normal":
        # Drawn from the patient's numbers: the same opacity in all pictures of a patient.
        dense = strength(settings.difficulty, patient)
        density = density + dense * OPACITY[picture.kind](patient, chest)
    values = expose(chest.with_density(density), rng)
    image = Image.fromarray(to_bytes(values))
    return image.convert("RGB") if picture.colour else image
