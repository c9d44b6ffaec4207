def submitted(study):
    """The predictions that a submission may need."""
    arm = PARAMS.study(study)["submission"]["arm"]
    return [
        run.result("predictions", f"/{partition}.csv")
        for run in PARAMS.runs(study, None if arm == "best" else arm)
        for partition in ("test", "unlabelled")
    ]


# Folds and seeds of what is judged: an ensemble may be over all of them.
PLACES = {"fold": r"\d+|all", "seed": r"\d+|all"}
PREDICTED = ["val", "test", "unlabelled"]
PREDICTIONS = "results/{study}/predictions/{arm}/fold{fold}-seed{seed}"


# The tables of parts of the split that have not changed are left as they are.
rule predict:
    input:
        **IMAGES,
        checkpoint=lambda wildcards: run_of(wildcards).checkpoint,
        val=part("val"),
        test=part("test"),
        unlabelled=part("unlabelled"),
    output:
        predictions=[update(f"{PREDICTIONS}/{name}.csv") for name in PREDICTED],
        slices=update(f"{PREDICTIONS}/slices.csv"),
    log:
        "logs/{study}/predict/{arm}/fold{fold}-seed{seed}.log",
    wildcard_constraints:
        arm=arms_of(STAGES, "predictions"),
    resources:
        **asks(gpu=1, mem_mb=8000, runtime=120),
    params:
        **step("predict_cases", of_run),
    shell:
        python(
            "predict_cases",
            "--code {params.code} --note"
            " scratch/{wildcards.study}/predictions/{wildcards.arm}-fold{wildcards.fold}"
            "-seed{wildcards.seed}.json",
        )


rule predict_external_set:
    input:
        arrays=lambda wildcards: ancient(images_of_external(wildcards, ".npy")),
        tables=lambda wildcards: ancient(images_of_external(wildcards, ".csv")),
        checkpoint=lambda wildcards: run_of(wildcards).checkpoint,
        external=f"{EXTERNAL}/part.csv",
    output:
        predictions=f"{PREDICTIONS}/external/{{external}}.csv",
    log:
        "logs/{study}/predict/{arm}/fold{fold}-seed{seed}-{external}.log",
    wildcard_constraints:
        arm=arms_of(STAGES, "predictions"),
    resources:
        **asks(gpu=1, mem_mb=8000, runtime=120),
    params:
        **step("predict_cases", of_run),
    shell:
        python("predict_cases")


rule evaluate:
    input:
        val=f"{PREDICTIONS}/val.csv",
        test=f"{PREDICTIONS}/test.csv",
        parts=lambda wildcards: [
            part(name).format(study=wildcards.study, fold=fold)
            for fold in PARAMS.folds(run_of(wildcards))
            for name in ["train", "val", "test"]
        ],
    output:
        metrics="results/{study}/metrics/{arm}/fold{fold}-seed{seed}.json",
    log:
        "logs/{study}/evaluate/{arm}/fold{fold}-seed{seed}.log",
    wildcard_constraints:
        **PLACES,
        arm=arms_of([*STAGES, "ensemble"], "metrics"),
    resources:
        **asks(mem_mb=2000, runtime=30),
    params:
        **step("evaluate", of_run),
    shell:
        python("evaluate")


# Thresholds and temperatures are those that validation chose: only the run's metrics are read.
rule evaluate_external_set:
    input:
        metrics="results/{study}/metrics/{arm}/fold{fold}-seed{seed}.json",
        predictions=f"{PREDICTIONS}/external/{{external}}.csv",
        part=f"{EXTERNAL}/part.csv",
    output:
        page="results/{study}/metrics/{arm}/fold{fold}-seed{seed}/{external}.json",
    log:
        "logs/{study}/evaluate/{arm}/fold{fold}-seed{seed}-{external}.log",
    wildcard_constraints:
        **PLACES,
        arm=arms_of([*STAGES, "ensemble"], "metrics"),
    resources:
        **asks(mem_mb=2000, runtime=30),
    params:
        **step("evaluate_external"),
    shell:
        python("evaluate_external")


rule ensemble:
    input:
        members=lambda wildcards: [
            member.result("predictions", f"/{wildcards.partition}.csv")
            for member in PARAMS.members(run_of(wildcards))
        ],
    output:
        predictions=f"{PREDICTIONS}/{{partition}}.csv",
    log:
        "logs/{study}/ensemble/{arm}/fold{fold}-seed{seed}-{partition}.log",
    wildcard_constraints:
        **PLACES,
        arm=arms_of(["ensemble"], "predictions"),
        partition="|".join(PREDICTED + ["external/[a-z][a-z0-9_]*"]),
    localrule: True
    resources:
        **asks(mem_mb=1000, runtime=10),
    params:
        **step(
            "average",
            lambda wildcards: [run_of(wildcards), wildcards.partition],
        ),
    shell:
        python("average")


def results_of_external(kind, suffix):
    """An input function: ``suffix``, with each external set for ``*``, of each run of a study."""
    return lambda wildcards: [
        run.result(kind, suffix.replace("*", Path(external).name))
        for run in PARAMS.runs(wildcards.study)
        for external in PARAMS.external(wildcards.study)
    ]


rule table:
    input:
        "data/{study}/external/sets.csv",
        results_of_external("predictions", "/external/*.csv"),
        metrics=results_of("metrics", ".json"),
        predictions=results_of("predictions", *JUDGED),
        parts=parts_of("val", "test"),
        external_parts=lambda wildcards: files_of_external([wildcards.study], "part.csv"),
        published=lambda wildcards: (
            ["presets/published.csv"] if PARAMS.study(wildcards.study)["published"] else []
        ),
    output:
        table="results/{study}/table.csv",
        comparison="results/{study}/comparison.csv",
        winner="results/{study}/winner.json",
        external="results/{study}/external.csv",
        headline="results/{study}/headline.json",
    log:
        "logs/{study}/table.log",
    resources:
        **asks(mem_mb=2000, runtime=30),
    params:
        **step("compare"),
    shell:
        python("compare")


rule submission:
    input:
        winner="results/{study}/winner.json",
        predictions=lambda wildcards: submitted(wildcards.study),
        parts=parts_of("test", "unlabelled"),
    output:
        submission="results/{study}/submission.csv",
    log:
        "logs/{study}/submission.log",
    localrule: True
    resources:
        **asks(mem_mb=1000, runtime=10),
    params:
        **step("write_submission"),
    shell:
        python("write_submission")
