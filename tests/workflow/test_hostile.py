"""What others hand over: locks, tables, settings, checkpoints, names. None of it acts, or hangs."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from triage_workflow.engines.lock import Lock, Origin
from triage_workflow.params import Params

from training_runs import recipe
from triage import files, shield, yaml_text
from triage.data import shards
from triage.data.readers import BadFile, Grouping
from triage.data.reference import Reference
from triage.errors import UserError
from triage.evaluation import submission
from triage.figures import style
from triage.models import ModelSettings, build
from triage.paths import inside, through_no_link
from triage.report.sections import Section, markdown
from triage.task import Task
from triage.training.checkpoint import Checkpoint, Stored, read_weights
from triage.training.normalise import Normalisation

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    """None of these takes more than seconds: what hangs is found, and not only waited for."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "path",
    [
        *("../secret.png", "a/../../b", "/etc/passwd", "a//b", "./a", "a/.", "..", ".", ""),
        *("a\0b", "a/\x1b[2Jb", "a\nb", "a/"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path):
    assert not inside(path)


@pytest.mark.parametrize("path", ["a", "a/b.png", "a/..b", "-rf", "a b/müller.png", "$(x)/`y`"])
def test_a_path_below_its_folder_is_taken(path):
    assert inside(path)


def entry(output: str) -> str:
    """A lock with one job that claims to have made ``output``, its checksum right."""
    job = Origin("train", "aa", (), {}, {output: "0" * 64}).dump()
    return json.dumps({"version": 1, "jobs": {output: job}})


def test_a_lock_knows_no_file_outside_of_the_project():
    assert Lock.parse(entry("results/study/training/a/checkpoint.pt")).outputs()
    for output in ("results/study/training/../../../../victim", "/home/victim", "../victim"):
        assert not Lock.parse(entry(output)).outputs()


def test_what_a_lock_says_can_be_shown():
    whole = Origin("train", "aa", ("'a'",), {"in": ""}, {"out": ""}).dump()
    assert Origin.load(dict(whole))
    escape = "\x1b]0;pwned\x07"
    for job in (
        Origin(escape, "aa", (), {}, {"out": ""}),
        Origin("train", "aa", (escape,), {}, {"out": ""}),
        Origin("train", "aa", (), {escape: ""}, {"out": ""}),
        Origin("train", "aa", (), {}, {escape: ""}),
    ):
        with pytest.raises(ValueError, match="not what a job was made from"):
            Origin.load(job.dump())


def test_a_path_through_a_link_is_told_from_one_that_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "disk/study").mkdir(parents=True)
    (tmp_path / "results").symlink_to(tmp_path / "disk")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "results/link").symlink_to(tmp_path / "elsewhere")
    assert through_no_link("results/study/table.csv")
    assert not through_no_link("results/link/victim")
    assert not through_no_link("results/link/../../victim")


def test_a_manifest_can_name_no_file_outside_of_its_folder(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    settings = shards.Decoding(reader="folders", size=None, mode="grey")
    for file in ("../secret.png", str(tmp_path / "secret.png")):
        found = shards.decode(shards.Task(tmp_path / "raw", "one", {"image": file}, settings))
        assert isinstance(found, BadFile)
        assert found.reason == "lies outside of the folder of raw files"


def laughs() -> str:
    pairs = zip("abcdefgh", "bcdefghi", strict=True)
    levels = "".join(f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in pairs)
    return "a: &a [x, x, x, x, x, x, x, x, x]\n" + levels


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, laughs()])
def test_settings_that_stand_for_too_much_are_refused(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"nested more than 50 deep|stands for more than"):
        Params.read(path)


def test_names_for_blocks_are_still_allowed():
    assert yaml_text.parse("a: &x {b: 1}\nc: *x\nd: {<<: *x}\n")["d"] == {"b": 1}
    for path in (*ROOT.glob("presets/*.yaml"), ROOT / "params.yaml"):
        assert yaml_text.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("depth", [900, 200_000])
def test_deep_json_in_a_lock_makes_no_job_known(depth):
    job = Origin("a", "b", (), {}, {"a": ""}).dump() | {"params": ["DEEP"]}
    text = json.dumps({"version": 1, "jobs": {"a": job}})
    text = text.replace('"DEEP"', "[" * depth + "]" * depth)
    if depth < 1000:
        assert not Lock.parse(text).outputs()
    else:
        with pytest.raises(UserError, match="nested too deeply"):
            Lock.parse(text)


def test_deep_json_is_an_error_in_words(tmp_path):
    (tmp_path / "a.json").write_text("[" * 200_000)
    with pytest.raises(UserError, match="nested too deeply"):
        files.read_json(tmp_path / "a.json")


def test_a_pattern_that_never_ends_is_given_up():
    with pytest.raises(UserError, match=r"takes more than 2 s on the name 'aaaa"):
        Grouping(r"^(?:a+)+(b)$")("a" * 60)
    assert Grouping(r"^(.+)-S\d+$")("P7-S1") == "P7"


@pytest.mark.parametrize(
    "read",
    [
        files.sha256,
        files.read_json,
        files.read_rows,
        files.read_table,
        lambda path: files.read_array(path, "step"),
        Checkpoint.load,
        read_weights,
        Lock.read,
        Params.read,
    ],
)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_pipes_and_devices_are_not_waited_for(tmp_path, read: Callable[[Path], object], kind):
    path = tmp_path / "file"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises((UserError, OSError), match=r"no plain file|can't be read"):
        read(path)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    model = ModelSettings("cnn5", "none", {"size": 32, "hidden": 8})
    Checkpoint(
        study="study",
        arm="arm",
        stage="training",
        fold=0,
        seed=1,
        task=Task.BINARY,
        outputs=("positive",),
        channels=1,
        model=model,
        sequence=None,
        images=shards.Decoding(reader="folders", size=32, mode="grey"),
        stored=Stored(32, 32, "uint8"),
        input=recipe().input,
        normalisation=Normalisation((0.0,), (1.0,)),
        reference=Reference({"mean": (0.0, 1.0)}, ((0.0,),)),
        weights=build(model, 1, 1).state_dict(),
        epoch=1,
        cases={"train": ["one"]},
        record={},
    ).save(tmp_path / "good.pt")
    return tmp_path / "good.pt"


class Hostile:
    def __reduce__(self):
        return os.system, ("touch pwned",)


@pytest.mark.parametrize("old", [False, True], ids=["archive", "old format"])
def test_a_checkpoint_that_would_run_something_is_called_hostile(tmp_path, monkeypatch, old):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pt"
    torch.save({"format": 3, "x": Hostile()}, path, _use_new_zipfile_serialization=not old)
    for read in (Checkpoint.load, read_weights):
        with pytest.raises(UserError) as raised:
            read(path)
        said = str(raised.value)
        assert "hostile" in said
        assert "system" in said
        assert "weights_only" not in said.replace(str(path), "")
        assert "trust" not in said
    assert not (tmp_path / "pwned").exists()


def test_a_plain_pickle_is_no_checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Hostile(), 2))
    with pytest.raises(UserError, match="hostile"):
        read_weights(tmp_path / "evil.pt")
    assert not (tmp_path / "pwned").exists()


def test_a_checkpoint_that_unfolds_is_refused_before_it_is_read(checkpoint):
    bomb = checkpoint.with_name("bomb.pt")
    with zipfile.ZipFile(checkpoint) as good, zipfile.ZipFile(bomb, "w") as bad:
        for part in good.infolist():
            bad.writestr(part.filename, good.read(part))
        bad.writestr("archive/data/999", bytes(200 << 20), compress_type=zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < checkpoint.stat().st_size + (1 << 20)
    with pytest.raises(UserError, match="it is compressed"):
        Checkpoint.load(bomb)


def test_parts_of_a_checkpoint_that_overlap_are_refused(checkpoint):
    bomb = checkpoint.with_name("bomb.pt")
    with zipfile.ZipFile(checkpoint) as good, zipfile.ZipFile(bomb, "w") as bad:
        for part in good.infolist():
            bad.writestr(part.filename, good.read(part))
        largest = max(bad.filelist, key=lambda part: part.file_size)
        for i in range(100):
            again = zipfile.ZipInfo(f"archive/data/more{i}")
            for name in ("header_offset", "file_size", "compress_size", "CRC"):
                setattr(again, name, getattr(largest, name))
            bad.filelist.append(again)
            bad.NameToInfo[again.filename] = again
    with pytest.raises(UserError, match=r"overlap|can't be read"):
        Checkpoint.load(bomb)


def test_a_checkpoint_that_lacks_something_is_an_error_in_words(checkpoint):
    whole = torch.load(checkpoint, weights_only=True)
    bad = checkpoint.with_name("bad.pt")
    for key in whole.keys() - {"format"}:
        torch.save({name: value for name, value in whole.items() if name != key}, bad)
        with pytest.raises(UserError, match=f"lacks, or has too much: {key}"):
            Checkpoint.load(bad)
    wrong = {"cases": [1], "outputs": 7, "weights": 3, "epoch": "x", "model": []}
    for key, value in wrong.items():
        torch.save(whole | {key: value}, bad)
        with pytest.raises(UserError, match=str(bad)):
            Checkpoint.load(bad)
    first = next(iter(whole["weights"]))
    for weights in (
        {name: each for name, each in whole["weights"].items() if name != first},
        whole["weights"] | {first: torch.zeros(7)},
        whole["weights"] | {"more": torch.zeros(1)},
    ):
        torch.save(whole | {"weights": weights}, bad)
        with pytest.raises(UserError, match="1 of its weights are not those of its network"):
            Checkpoint.load(bad)


def test_a_checkpoint_of_a_huge_network_takes_no_memory(checkpoint):
    whole = torch.load(checkpoint, weights_only=True)
    model = whole["model"] | {"options": whole["model"]["options"] | {"hidden": 1 << 30}}
    torch.save(whole | {"model": model}, checkpoint)
    with pytest.raises(UserError, match=str(checkpoint)):
        Checkpoint.load(checkpoint)


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1+1", "-2+3+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "＝1", "'=1", "-rf"],
)
def test_a_formula_is_text_in_every_table_and_itself_when_read(tmp_path, cell):
    import pandas as pd

    path = tmp_path / "table.csv"
    for write in (
        lambda: files.write_rows([{"a": cell, "b": "-1.5"}], ["a", "b"], path),
        lambda: files.write_rows([{"a": cell, "b": "-1.5"}], ["a", "b"], path, sealed=True),
        lambda: files.write_table(pd.DataFrame({"a": [cell], "b": [-1.5]}), path),
    ):
        write()
        with open(path, encoding="utf-8", newline="") as stream:
            written = next(csv.DictReader(stream))
        assert written["a"].startswith("'")
        assert written["b"] == "-1.5"
        assert files.read_rows(path)[0]["a"] == cell
        assert files.read_table(path)["a"].tolist() == [cell]


@given(st.text())
def test_every_text_is_the_same_after_writing_and_reading(text):
    assert shield.unshielded(shield.shielded(text)) == text
    assert not shield.is_formula(shield.shielded(text)) or shield.shielded(text)[0] == "'"


def test_a_submission_is_exact_or_refused(tmp_path):
    form, path = submission.Form(), tmp_path / "submission.csv"
    names = ["-rf", "1", "P001"]
    rows = submission.rows_of({name: [0.5] for name in names}, form)
    submission.write(rows, names, form, path)
    assert path.read_text().splitlines()[1:] == [f"{row['case']},0.50000,0" for row in rows]
    for name in ("=cmd|' /C calc'!A0", "@SUM(A1)", '+HYPERLINK("http://evil.example")'):
        rows = submission.rows_of({name: [0.5]}, form)
        with pytest.raises(UserError, match="is a formula for whoever opens this"):
            submission.write(rows, [name], form, path)


def test_a_terminal_is_shown_what_it_could_be_sent():
    program = (
        "from triage import command\n"
        "from triage.errors import UserError\n"
        "def main() -> None:\n"
        "    command.log.info('a\\x1b]0;title\\x07 \\x9b2J\\u202e')\n"
        "    raise UserError('b\\x1b[2J', where='c\\r\\x1b[31m')\n"
        "command.run(main)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    printed = done.stdout + done.stderr
    assert not [c for c in printed if ord(c) < 32 and c not in "\n\t"]
    assert not set(printed) & {"\x9b", "\u202e"}
    assert r"\x1b]0;title\x07" in printed


def test_words_from_data_are_no_links_in_markdown():
    text = "[click](javascript:alert(1)) <a href=x> https://evil.example www.evil.example"
    made = markdown(text, [Section("S", (text,), ("c",), ((text,),))])
    assert "](" not in made.replace(r"\](", "")
    assert "https:" not in made
    assert "www.e" not in made
    assert made.count(r"\[click\]") == 3


def test_names_are_no_formulas_in_pictures(tmp_path):
    with style.styled():
        figure = Figure()
        for name in (r"$\frac{1}{0$", r"$\rm{" + "a" * 10 + "}$", "$5 and $6", "$(touch pwned)"):
            figure.text(0.5, 0.5, name)
        figure.savefig(io.BytesIO(), format="svg")
        assert matplotlib.rcParams["text.parse_math"] is False


def test_a_cell_that_should_hold_json_and_does_not_is_an_error_in_words():
    for cell in ("{", "[" * 100_000, "NaN,"):
        with pytest.raises(UserError, match=r"column files: .* is not valid JSON"):
            files.parse_cell({"files": cell}, "files")
    assert files.parse_cell({"files": ""}, "files") is None
