"""What a scanner makes of a head: three sequences with contrast, shading and noise of their own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from triage.data.phantoms.brain_shape import Floats, Grid, SmoothField

SEQUENCES = ("T1", "T2", "T2-FLAIR")

# Signal in T1, T2 and T2-FLAIR. Lesions are dark, bright and bright; an artefact is bright in
# FLAIR alone.
SIGNAL = {
    "air": (0, 0, 0),
    "scalp": (780, 470, 280),
    "muscle": (330, 190, 170),
    "skull": (60, 50, 40),
    "csf": (170, 900, 110),
    "grey": (440, 500, 500),
    "white": (600, 370, 430),
    "lesion": (400, 760, 950),
    "artefact": (560, 385, 850),
}
CONTRAST = 0.015  # deviation of a tissue's signal between patients
GAIN = 0.03  # deviation of a whole sequence's signal between patients
SHADING = 0.05  # deviation of the smooth field that multiplies the signal
SHADING_SCALE = (60.0, 55.0, 55.0)
TEXTURE = 0.025  # deviation of the signal within a tissue
TEXTURE_SCALE = (9.0, 5.0, 5.0)
NOISE = (11.0, 15.0)  # range of the deviation of the noise in each of the two receiver channels
HIGHEST = 4000


class Scanner:
    """One patient's examination. Scan slabs in order: the noise is drawn as they come."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.signal = {name: _patient_signal(i, rng) for i, name in enumerate(SEQUENCES)}
        self.shading = {name: SmoothField.draw(rng, SHADING_SCALE) for name in SEQUENCES}
        self.texture = SmoothField.draw(rng, TEXTURE_SCALE)
        self.noise = {name: rng.uniform(*NOISE) for name in SEQUENCES}

    def scan(self, maps: Mapping[str, Floats], grid: Grid) -> dict[str, NDArray[np.int16]]:
        """The voxels of each sequence, [z, y, x], from the tissue maps on ``grid``."""
        texture = 1 + TEXTURE * self.texture.on(grid)
        return {name: self._sequence(name, maps, texture, grid) for name in SEQUENCES}

    def _sequence(
        self, name: str, maps: Mapping[str, Floats], texture: Floats, grid: Grid
    ) -> NDArray[np.int16]:
        signal = texture * np.exp(SHADING * self.shading[name].on(grid))
        signal *= sum(
            np.float32(self.signal[name][tissue]) * share for tissue, share in maps.items()
        )
        noise = self.rng.standard_normal((2, *signal.shape), dtype=np.float32)
        noise *= np.float32(self.noise[name])
        noise[0] += signal
        magnitude = np.sqrt((noise * noise).sum(axis=0))  # Rician, as of a magnitude image
        return np.rint(np.clip(magnitude, 0, HIGHEST)).astype(np.int16)


def _patient_signal(sequence: int, rng: np.random.Generator) -> dict[str, float]:
    """The signal of each tissue in one patient; the order of the tissues stays the same."""
    gain = np.exp(np.clip(rng.normal(0, GAIN), -0.2, 0.2))
    spread = np.clip(rng.normal(0, CONTRAST, len(SIGNAL)), -2 * CONTRAST, 2 * CONTRAST)
    return {
        tissue: float(signal[sequence] * gain * (1 + part))
        for (tissue, signal), part in zip(SIGNAL.items(), spread, strict=True)
    }
