"""The workflow's own modules: settings of steps, and what keeps Snakemake and DVC in agreement."""

import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

_LIBRARY = Path(__file__).parents[2] / "scripts" / "triage" / "__init__.py"


def _import_own_library() -> None:
    """Import ``triage`` from the checkout of this package, whichever one is installed.

    A copy of the project, such as `dvc exp run --temp` makes, runs in the environment that another
    checkout is installed in. Ends with a message where none is.
    """
    installed = find_spec("triage")
    if installed is None:
        raise SystemExit(
            f"error: {sys.executable}: the project is not installed in this Python;"
            " run `make setup`, and start again with what is in .venv/bin"
        )
    if installed.origin == str(_LIBRARY) or not _LIBRARY.exists():
        return
    own = spec_from_file_location("triage", _LIBRARY)
    assert own
    assert own.loader
    sys.modules["triage"] = module_from_spec(own)
    own.loader.exec_module(sys.modules["triage"])


_import_own_library()
