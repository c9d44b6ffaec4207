def submitted(wildcards):
    """The predictions that a submission may need."""
    arm = PARAMS.study(wildcards.study)["submission"]["arm"]
    return [
        run.result("predictions", f"/{partition}.csv")
        for run in PARAMS.runs(wildcards.study, None if arm == "best" else arm)
        for partition in ("test", "unlabelled")
    ]


PREDICTED = ["val", "test", "unlabelled"]
PREDICTIONS = "results/{study}/predictions/{arm}/fold{fold}-seed{seed}"


def parts_of(*names):
    """An input function: the lists of these parts, for every fold of a study."""
    return lambda wildcards: [
        part(name).format(study=wildcards.study, fold=fold)
        for fold in PARAMS.study(wildcards.study)["folds"]
        for name in names
    ]


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


rule evaluate:
    input:
        val=f"{PREDICTIONS}/val.csv",
        test=f"{PREDICTIONS}/test.csv",
        parts=[part("train"), part("val"), part("test")],
    output:
        metrics="results/{study}/metrics/{arm}/fold{fold}-seed{seed}.json",
    log:
        "logs/{study}/evaluate/{arm}/fold{fold}-seed{seed}.log",
    resources:
        **asks(mem_mb=2000, runtime=30),
    params:
        **step("evaluate"),
    shell:
        python("evaluate")


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
        arm=arms_of(["ensemble"], "predictions"),
        partition="|".join(PREDICTED),
    localrule: True
    resources:
        **asks(mem_mb=1000, runtime=10),
    params:
        **step("average"),
    shell:
        python("average")


rule table:
    input:
        metrics=results_of("metrics", ".json"),
        predictions=results_of("predictions", *JUDGED),
        parts=parts_of("val", "test"),
        published=lambda wildcards: (
            ["presets/published.csv"] if PARAMS.study(wildcards.study)["published"] else []
        ),
    output:
        table="results/{study}/table.csv",
        comparison="results/{study}/comparison.csv",
        winner="results/{study}/winner.json",
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
        predictions=submitted,
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
