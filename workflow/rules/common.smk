import os
import shlex
import sys
from pathlib import Path

# Jobs run under the same Python as the workflow, wherever its environment lies.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
from triage_workflow.engines.preload import preload
from triage_workflow.engines.start import read_params
from triage_workflow.params import canonical
from triage_workflow.params.arms import STAGES
from triage_workflow.rule_names import of_source, target
from triage_workflow.shards import count
from triage_workflow.steps import Steps
from triage_workflow.threads import Threads, let_threads_wait

PARAMS = read_params(workflow)
STEPS = Steps(PARAMS)
CORES = workflow.resource_settings.cores or 1
let_threads_wait(CORES)


wildcard_constraints:
    study="|".join(PARAMS.sources + PARAMS.phantoms),
    external="[a-z][a-z0-9_]*",
    arm="[a-z][a-z0-9_]*",
    fold=r"\d+",
    seed=r"\d+",
    shard=r"\d+",


def arms_of(stages, folder, floors=None):
    """A pattern of the arms of these stages, for paths results/<study>/<folder>/<arm>.

    Without networks where ``floors`` is true, and of networks only where it is false.

    An arm of another study may have the same name and another stage.
    """
    patterns = [
        f"(?<={study}/{folder}/){arm.name}"
        for study in PARAMS.studies
        for arm in PARAMS.arms(study).values()
        if arm.stage in stages and floors in (None, arm.is_floor)
    ]
    return "|".join(patterns) or "no_such_arm"


def asks(mem_mb, runtime, **fixed):
    """Resources of a rule: a job that failed gets more, should that have been the reason."""

    def by_attempt(amount):
        return lambda wildcards, attempt: amount * attempt

    return {"mem_mb": by_attempt(mem_mb), "runtime": by_attempt(runtime), **fixed}


def run_of(wildcards):
    return PARAMS.run(wildcards.study, wildcards.arm, wildcards.fold, wildcards.seed)


def of_study(wildcards):
    return [wildcards.study]


def of_run(wildcards):
    return [run_of(wildcards)]


def step(script, about=of_study):
    """Params of a rule: the code and the settings of its script, and its command line.

    The command line names every named input and output of the rule. Snakemake does not compare
    what is made from files; it compares code and settings, which the steps keep narrow.
    """

    def recorded(key):
        return lambda wildcards: STEPS.of(script, *about(wildcards)).get(key, "")

    def call(wildcards, input, output):
        settings = STEPS.of(script, *about(wildcards)).get("settings")
        words = ["--settings", settings] if settings else []
        for name, value in [*input.items(), *output.items()]:
            files = [value] if isinstance(value, str) else value
            words += [f"--{name.replace('_', '-')}", *files] if files else []
        return shlex.join(words)

    return {"settings": recorded("settings"), "code": recorded("code"), "call": call}


def python(script, more=""):
    """The shell command of a rule with the params of ``step``."""
    return f"python scripts/{script}.py {{params.call}} {more} --threads {{threads}} --log {{log}}"


def results_of(kind, *suffixes):
    """An input function: files of each run of a study."""
    return lambda wildcards: [
        run.result(kind, suffix) for run in PARAMS.runs(wildcards.study) for suffix in suffixes
    ]


def trained_results_of(kind, *suffixes):
    """An input function: files of each run of a study that trains a network."""
    return lambda wildcards: [
        run.result(kind, suffix)
        for run in PARAMS.trained_runs(wildcards.study)
        for suffix in suffixes
    ]


# Predictions that are judged: of a run's validation and test part.
JUDGED = ["/val.csv", "/test.csv"]


SHARDS = {study: range(count(PARAMS, study)) for study in PARAMS.sources}


def shards(study, suffix):
    return [f"data/{study}/images/shard-{i}{suffix}" for i in SHARDS[study]]


def arrays(wildcards):
    # The tables hold a checksum of every image, so the large arrays need not be compared.
    return ancient(shards(wildcards.study, ".npy"))


def tables(wildcards):
    # What reads a part of the split depends on its list, which has checksums of the images.
    return ancient(shards(wildcards.study, ".csv"))


IMAGES = {"arrays": arrays, "tables": tables}
PARTITIONS = ["train", "val", "test", "unlabelled"]


def part(name):
    """The list of the cases of one part of a split."""
    return f"data/{{study}}/parts/{name}/fold{{fold}}.csv"


def parts_of(*names):
    """An input function: the lists of these parts, for every fold of a study."""
    return lambda wildcards: [
        part(name).format(study=wildcards.study, fold=fold)
        for fold in PARAMS.study(wildcards.study)["folds"]
        for name in names
    ]


def splits(wildcards):
    folds = PARAMS.study(wildcards.study)["folds"]
    return [f"data/{wildcards.study}/split/fold{fold}.csv" for fold in folds]
