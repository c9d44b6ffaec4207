"""Two engines, one state: what Snakemake and DVC each know, kept in agreement."""

import sys
from pathlib import Path

# The library lies beside the scripts, which find it without being told.
_SCRIPTS = str(Path(__file__).parents[2] / "scripts")
if _SCRIPTS not in sys.path:
    sys.path.append(_SCRIPTS)
