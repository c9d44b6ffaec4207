"""The command that reads everything and compares it with what was recorded."""

import json
import os
import time
from pathlib import Path

import pytest

from triage import looks
from workflow_copy import Workflow

DAMAGED = {
    "data/braintriage/images/shard-0.npy": "rule images makes it",
    "data/braintriage/split/fold0.csv": "rule split makes it",
    "results/braintriage/training/lstm/fold0-seed1/checkpoint.pt": "rule train_sequence makes it",
    "results/braintriage/training/resnet18/fold0-seed1/features.npy": "rule features makes it",
    "results/braintriage/predictions/lstm/fold0-seed1/test.csv": "rule predict makes it",
    "results/report.html": "rule report makes it",
    "data/braintriage/phantom/train/full/normal/0000/T1.mha": "rule phantom makes it",
}


def verify(workflow: Workflow, *paths: str, fails: bool = False) -> str:
    return workflow.run("python", "workflow/verify.py", *paths, fails=fails)


def flip(path: Path) -> bytes:
    """Flip one bit without a trace in the file's size and times; what was there before."""
    status, content = path.stat(), path.read_bytes()
    damaged = bytearray(content)
    damaged[len(damaged) // 2] ^= 4
    path.write_bytes(damaged)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return content


def test_all_is_well_after_a_run(done):
    assert "0 are damaged" in verify(done)


@pytest.mark.parametrize("damaged", DAMAGED)
def test_a_flipped_bit_is_found_though_the_file_looks_as_before(done, damaged):
    path = done.folder / damaged
    if "phantom/" in damaged:
        path = sorted((done.folder / "data/braintriage/phantom").rglob("T1.mha"))[0]
    status = path.stat()
    content = flip(path)
    try:
        printed = verify(done, fails=True)
    finally:
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    name = path.relative_to(done.folder).as_posix()
    assert f"{name}: is not what was written" in printed
    assert DAMAGED[damaged] in printed
    assert "1 is damaged" in printed


def test_a_raw_file_that_is_gone_is_named_and_a_result_only_counted(done):
    raw = sorted((done.folder / "data/braintriage/phantom").rglob("T2.mha"))[0]
    result = done.folder / "results/braintriage/table.csv"
    for path in (raw, result):
        path.rename(path.with_suffix(".away"))
    try:
        printed = verify(done, fails=True)
        assert f"{raw.relative_to(done.folder).as_posix()}: is not there any more" in printed
        assert "0 are damaged" in verify(done, "results")
        counts = {
            verify(done, start).split()[0] for start in ("./results", str(done.folder / "results"))
        }
        assert len(counts) == 1
        assert int(counts.pop()) > 10
        assert "nothing is known of such a file" in verify(done, "dta", fails=True)
    finally:
        for path in (raw, result):
            path.with_suffix(".away").rename(path)


CHECKPOINT = "results/braintriage/training/lstm/fold0-seed1/checkpoint.pt"
PREDICTIONS = "results/braintriage/predictions/lstm/fold0-seed1"


def test_a_flipped_bit_that_no_look_shows_stops_what_reads_it(done):
    path, predictions = done.folder / CHECKPOINT, done.folder / PREDICTIONS
    content = flip(path)
    # As if its disk had done it: the kernel's own time of change would show what was written here.
    memory = done.folder / ".snakemake/engines/contents.json"
    known = json.loads(memory.read_text())
    sums = json.loads((done.folder / "snakemake.lock").read_text())["jobs"]
    digest = next(
        job["outputs"][CHECKPOINT] for job in sums.values() if CHECKPOINT in job["outputs"]
    )
    known[CHECKPOINT] = [looks.look(path.stat()), digest, time.time_ns() + 10**10]
    memory.write_text(json.dumps(known))
    before = {each: each.read_bytes() for each in predictions.iterdir()}
    (predictions / "val.csv").unlink()
    printed = done.snakemake(f"{PREDICTIONS}/val.csv", fails=True)
    assert "checkpoint.pt: is damaged" in printed
    assert "the training step makes it anew" in printed
    assert "Traceback" not in printed
    path.unlink()
    done.snakemake()
    assert path.read_bytes() == content
    assert {each: each.read_bytes() for each in predictions.iterdir()} == before
    assert done.planned() == set()


def test_a_flipped_bit_that_a_look_shows_is_mended_by_the_next_run(done):
    path, predictions = done.folder / CHECKPOINT, done.folder / PREDICTIONS
    content = flip(path)
    os.utime(path)
    before = {each: each.read_bytes() for each in predictions.iterdir()}
    (predictions / "val.csv").unlink()
    printed = done.snakemake("-p")
    assert f"{CHECKPOINT}: it is not what its job left" in printed
    assert path.read_bytes() == content
    assert {each: each.read_bytes() for each in predictions.iterdir()} == before
    assert done.planned() == set()
