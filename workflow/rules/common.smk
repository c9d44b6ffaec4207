import os
import sys
from pathlib import Path

sys.path[:0] = [str(workflow.basedir), str(Path(workflow.basedir).parent / "scripts")]
# Jobs run under the same Python as the workflow, wherever its environment lies.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

from engines.start import read_params
from steps import Steps

PARAMS = read_params(workflow)
STEPS = Steps(PARAMS)


wildcard_constraints:
    study="|".join(PARAMS.studies + PARAMS.phantoms),
    fold=r"\d+",
    seed=r"\d+",
    shard=r"\d+",


def arms_of(stage):
    """A pattern that matches the arms of one stage, of whichever study."""
    names = {
        arm.name
        for study in PARAMS.studies
        for arm in PARAMS.arms(study).values()
        if arm.stage == stage
    }
    return "|".join(sorted(names)) or "no_such_arm"


def run_of(wildcards):
    return PARAMS.run(wildcards.study, wildcards.arm, wildcards.fold, wildcards.seed)


def results_of(kind, suffix):
    """An input function: one file of each run of a study."""
    return lambda wildcards: [
        run.result(kind, suffix) for run in PARAMS.runs(wildcards.study)
    ]


def shards(wildcards, suffix):
    count = PARAMS.study(wildcards.study)["images"]["shards"]
    return [f"data/{wildcards.study}/images/shard-{i}{suffix}" for i in range(count)]


def arrays(wildcards):
    return shards(wildcards, ".npy")


def tables(wildcards):
    return shards(wildcards, ".csv")
