"""How often Snakemake looks for jobs that can start."""

import os
import subprocess
import sys
from pathlib import Path

JOBS = 4
WORKFLOW = """
from pathlib import Path
from triage_workflow.engines.start import attach

attach(workflow, Path("params.yaml"), {{}}, {{}})

rule all:
    input: [f"done{{i}}" for i in range({jobs})]

rule one:
    output: "done{{i}}"
    shell: "sleep 1.2; touch {{output}}"
"""


def test_it_looks_when_a_job_has_ended(tmp_path):
    (tmp_path / "Snakefile").write_text(WORKFLOW.format(jobs=JOBS))
    program = Path(sys.executable).parent / "snakemake"
    done = subprocess.run(
        [program, "--cores", "1", "--verbose"],
        cwd=tmp_path,
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert all((tmp_path / f"done{i}").exists() for i in range(JOBS))
    # Once at the start, and once for each job that ends; after the last, the target is left to do.
    assert done.stderr.count("Ready jobs: ") == JOBS + 1
