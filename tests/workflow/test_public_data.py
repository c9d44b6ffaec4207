"""The settings and the page of results on public data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from triage_workflow.params import Params

ROOT = Path(__file__).parents[2]
SETTINGS = ROOT / "presets" / "public_data.yaml"


@pytest.mark.parametrize("settings", [SETTINGS, ROOT / "benchmarks" / "recipes.yaml"])
def test_the_settings_are_valid(settings: Path) -> None:
    params = Params.read(settings)
    for study in params.studies:
        runs = list(params.runs(study))
        assert len({(run.arm, run.fold, run.seed) for run in runs}) == len(runs) > 2


def test_the_page_says_what_the_tables_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import public_page

    found = json.loads((ROOT / "benchmarks/results/real_data.json").read_text())
    order = list(yaml.safe_load(SETTINGS.read_text())["studies"])
    monkeypatch.setattr(public_page, "PAGE", tmp_path / "results.md")
    public_page.write(found, order)
    written = public_page.PAGE.read_text()
    assert written == (ROOT / "docs/results.md").read_text()
    for name in found:
        (chosen,) = (row for row in found[name]["rows"] if row["winner"] == "1")
        assert f"| {name} | {chosen['cases']} of" in written
        assert f"{float(chosen['roc_auc']):.3f} (" in written
