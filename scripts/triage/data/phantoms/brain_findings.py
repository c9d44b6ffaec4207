"""What a radiologist may find in a head: lesions, and harmless spots that look a little like them.

A finding is a rough ellipsoid in the frame of the head (millimetres). Lesions make a patient
abnormal. Everybody may have the rest: specks and caps of age, wide perivascular spaces, and bright
spots that are artefacts of one sequence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triage.data.phantoms.brain_shape import (
    Floats,
    Grid,
    Head,
    Position,
    surface_depth,
    ventricle_depth,
)

MOST_LESIONS = 14
CANDIDATES = 4000  # points among which the place of a finding is sought
BOX_MARGIN = 8.0  # bending and rough borders carry a finding this far at most, in mm
ROUGHNESS = 0.16
MOST_SUBTLE = 0.9  # share of abnormal patients at difficulty 1 whose every lesion is hard to see


@dataclass(frozen=True)
class Finding:
    """One spot: what it is made of, where, how large, how strongly it differs (0..1)."""

    tissue: str
    centre: tuple[float, float, float]  # x, y, z in the frame of the head
    radii: tuple[float, float, float]
    visibility: float


@dataclass(frozen=True)
class _Candidates:
    """Random points of the cerebrum, and what site each of them may serve."""

    points: NDArray[np.float64]
    depth: Floats
    ventricle: Floats

    @classmethod
    def draw(cls, head: Head, rng: np.random.Generator) -> _Candidates:
        points = rng.uniform((-60, -75, -12), (60, 75, 62), (CANDIDATES, 3))
        x, y, z = points.T
        return cls(points, surface_depth(head, x, y, z), -ventricle_depth(head, x, y, z))

    def at(self, site: str, rng: np.random.Generator) -> tuple[float, float, float]:
        x, y, z = self.points.T
        lateral = (np.abs(x) > 9) & (self.depth > 5) & (self.ventricle > 1)
        inside = {
            "periventricular": (self.ventricle < 7) & (self.depth > 18) & (z > -4),
            "juxtacortical": (self.depth < 13) & (z > -8),
            "deep": (self.depth > 14) & (self.ventricle > 8) & (z > 6),
            "basal": (self.depth > 25) & (self.ventricle > 2) & (z < 12),
            "anywhere": self.depth > 6,
        }[site]
        choice = rng.choice(np.flatnonzero(lateral & inside))
        return float(x[choice]), float(y[choice]), float(z[choice])


def draw_lesions(head: Head, difficulty: float, rng: np.random.Generator) -> list[Finding]:
    """The lesions of one abnormal patient: one or more, of any site, size and contrast.

    ``difficulty`` takes contrast and size away from single lesions, and decides how many patients
    have only few lesions, all of them small and faint.
    """
    candidates = _Candidates.draw(head, rng)
    subtle = rng.random() < MOST_SUBTLE * difficulty**2
    count = rng.integers(1, 4) if subtle else rng.integers(3, MOST_LESIONS + 1)
    lesions = []
    for number in range(count):
        site = rng.choice(("periventricular", "juxtacortical", "deep"), p=(0.45, 0.25, 0.3))
        large = number == 0 and not subtle and rng.random() < 0.3
        radius = rng.uniform(13, 20) if large else np.clip(rng.lognormal(2.0, 0.35), 3, 14)
        visibility = 1 - difficulty * 0.8 * rng.beta(1.3, 2.0)
        if subtle:
            radius, visibility = 0.7 * radius, rng.uniform(0.15, 0.45)
        radius *= 1 - 0.2 * difficulty
        lesions.append(_finding("lesion", candidates.at(site, rng), radius, visibility, rng))
    return lesions


def draw_benign(head: Head, rng: np.random.Generator) -> list[Finding]:
    """Harmless spots; they grow with age and are as common in both classes."""
    candidates = _Candidates.draw(head, rng)
    spots = []
    for _ in range(rng.poisson(0.8 + 1.5 * head.age)):
        where, radius = candidates.at("deep", rng), rng.uniform(1.3, 2.4)
        spots.append(_finding("lesion", where, radius, rng.uniform(0.3, 0.7), rng))
    for _ in range(rng.poisson(1.5 + 2 * head.age)):
        where, radius = candidates.at("basal", rng), rng.uniform(1.2, 2.2)
        spots.append(_finding("csf", where, radius, rng.uniform(0.5, 0.9), rng))
    for _ in range(rng.poisson(1.5)):
        where, radius = candidates.at("anywhere", rng), rng.uniform(2.0, 5.0)
        spots.append(_finding("artefact", where, radius, rng.uniform(0.2, 0.7), rng))
    return spots


def _finding(
    tissue: str,
    centre: tuple[float, float, float],
    radius: float,
    visibility: float,
    rng: np.random.Generator,
) -> Finding:
    stretch = np.exp(rng.normal(0, 0.22, 3))
    rx, ry, rz = radius * stretch / stretch.prod() ** (1 / 3)
    return Finding(tissue, centre, (float(rx), float(ry), float(rz)), float(visibility))


def add_findings(
    maps: dict[str, Floats], head: Head, findings: list[Finding], grid: Grid, place: Position
) -> None:
    """Put caps of age and ``findings`` into the tissue maps of the brain, in place."""
    shares = {"lesion": _caps(head, place)}
    for finding in findings:
        box = _box(head, finding, grid)
        whole = shares.setdefault(finding.tissue, np.zeros_like(place.x))
        whole[box] = np.maximum(whole[box], _share(finding, grid, place, box))
    for tissue, share in shares.items():
        taken = share * (maps["grey"] + maps["white"])
        maps["grey"] *= 1 - share
        maps["white"] *= 1 - share
        maps[tissue] = maps.get(tissue, np.float32(0)) + taken


def _caps(head: Head, place: Position) -> Floats:
    """Bright rims at the tips of the ventricles, which everybody has, the old more."""
    depth = ventricle_depth(head, place.x, place.y, place.z)
    tips = np.clip((np.abs(place.y - 4) - 26) / 8, 0, 1)
    rim = np.clip(1 + depth / (2.0 + 2.5 * head.age), 0, 1)
    return rim * (0.1 + 0.15 * head.age + 0.45 * head.age * tips)


def _box(head: Head, finding: Finding, grid: Grid) -> tuple[slice, slice, slice]:
    """The voxels that a finding can reach, as slices (z, y, x) of the grid."""
    centre = head.rotation @ np.asarray(finding.centre) + head.shift
    reach = 1.5 * max(finding.radii) + BOX_MARGIN + grid.thickness / 2

    def span(coordinates: Floats, middle: float) -> slice:
        first, last = np.searchsorted(coordinates, (middle - reach, middle + reach))
        return slice(int(first), int(last))

    return span(grid.z, centre[2]), span(grid.y, centre[1]), span(grid.x, centre[0])


def _share(
    finding: Finding, grid: Grid, place: Position, box: tuple[slice, slice, slice]
) -> Floats:
    """How much of each voxel of ``box`` a finding fills, times its visibility."""
    (cx, cy, cz), (rx, ry, rz) = finding.centre, finding.radii
    height = np.hypot(rz, grid.thickness / 2)  # a thick slice sees it further, but thinner
    radius = np.sqrt(
        ((place.x[box] - cx) / rx) ** 2
        + ((place.y[box] - cy) / ry) ** 2
        + ((place.z[box] - cz) / height) ** 2
    )
    radius -= ROUGHNESS * place.folds[box]
    edge = max(1.5 * grid.pixel, 0.35 * min(rx, ry)) / min(rx, ry)
    return finding.visibility * (rz / height) ** 0.5 * np.clip(0.5 + (1 - radius) / edge, 0, 1)
