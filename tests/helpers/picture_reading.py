"""What the readers of pictures give for the classes of the layouts."""

from __future__ import annotations

from triage.data.readers import nih

CHEST = ("NORMAL", "PNEUMONIA")
LESIONS = ("NV", "MEL")
POLYPS = ("HP", "SSA")
ALL_FINDINGS = (*nih.FINDINGS, nih.NO_FINDING)
ANY_FINDING = (nih.NO_FINDING, nih.ANY_FINDING)
CHEST_GROUP = r"^(person\d+|(?:NORMAL2-)?IM-\d+)"
