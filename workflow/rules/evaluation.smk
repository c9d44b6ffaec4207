def submitted_runs(study):
    """The runs whose predictions a submission may need."""
    arm = PARAMS.study(study)["submission"]["arm"]
    return list(PARAMS.runs(study, None if arm == "best" else arm))


PREDICTED = ["val", "test", "unlabelled"]


def parts_of(*names):
    """An input function: the lists of these parts, for every fold of a study."""
    return lambda wildcards: [
        part(name).format(study=wildcards.study, fold=fold)
        for fold in PARAMS.study(wildcards.study)["folds"]
        for name in names
    ]


rule predict:
    input:
        checkpoint=lambda wildcards: run_of(wildcards).checkpoint,
        val=part("val"),
        test=part("test"),
        unlabelled=part("unlabelled"),
        arrays=arrays,
        tables=tables,
    output:
        expand(
            "results/{{study}}/predictions/{{arm}}/fold{{fold}}-seed{{seed}}/{partition}.csv",
            partition=PREDICTED,
        ),
        slices="results/{study}/predictions/{arm}/fold{fold}-seed{seed}/slices.csv",
    log:
        "logs/{study}/predict/{arm}/fold{fold}-seed{seed}.log",
    wildcard_constraints:
        arm=arms_of(STAGES, "predictions"),
    resources:
        gpu=1,
        mem_mb=by_attempt(8000),
        runtime=by_attempt(120),
    params:
        folder=lambda wildcards: Path(run_of(wildcards).result("predictions", "/test.csv")).parent,
        code=lambda wildcards: STEPS.predict(run_of(wildcards))["code"],
    shell:
        "python scripts/predict_cases.py"
        " --checkpoint {input.checkpoint}"
        " --val {input.val} --test {input.test} --unlabelled {input.unlabelled}"
        " --arrays {input.arrays} --tables {input.tables}"
        " --predictions {params.folder} --slices {output.slices}"
        " --threads {threads} --log {log}"


rule evaluate:
    input:
        val="results/{study}/predictions/{arm}/fold{fold}-seed{seed}/val.csv",
        test="results/{study}/predictions/{arm}/fold{fold}-seed{seed}/test.csv",
        parts=[part("train"), part("val"), part("test")],
    output:
        metrics="results/{study}/metrics/{arm}/fold{fold}-seed{seed}.json",
        summary="results/{study}/summary/{arm}/fold{fold}-seed{seed}.json",
    log:
        "logs/{study}/evaluate/{arm}/fold{fold}-seed{seed}.log",
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(30),
    params:
        settings=lambda wildcards: STEPS.evaluate(wildcards.study)["settings"],
        code=lambda wildcards: STEPS.evaluate(wildcards.study)["code"],
    shell:
        "python scripts/evaluate.py --val {input.val} --test {input.test}"
        " --parts {input.parts} --settings {params.settings:q}"
        " --output {output.metrics} --summary {output.summary} --log {log}"


rule ensemble:
    input:
        lambda wildcards: [
            run.result("predictions", f"/{wildcards.partition}.csv")
            for run in PARAMS.members(run_of(wildcards))
        ],
    output:
        "results/{study}/predictions/{arm}/fold{fold}-seed{seed}/{partition}.csv",
    log:
        "logs/{study}/ensemble/{arm}/fold{fold}-seed{seed}-{partition}.log",
    wildcard_constraints:
        arm=arms_of(["ensemble"], "predictions"),
        partition="|".join(PREDICTED),
    localrule: True
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        task=lambda wildcards: PARAMS.study(wildcards.study)["task"],
        code=STEPS.plain("ensemble.py")["code"],
    shell:
        "python scripts/ensemble.py --members {input} --task {params.task}"
        " --output {output} --log {log}"


rule table:
    input:
        metrics=results_of("metrics", ".json"),
        predictions=lambda wildcards: [
            run.result("predictions", f"/{partition}.csv")
            for run in PARAMS.runs(wildcards.study)
            for partition in ("val", "test")
        ],
        splits=splits,
        published="workflow/published.csv",
    output:
        table="results/{study}/table.csv",
        comparison="results/{study}/comparison.csv",
        winner="results/{study}/winner.json",
    log:
        "logs/{study}/table.log",
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(30),
    params:
        folders=lambda wildcards: [
            str(Path(run.result("predictions", "/test.csv")).parent)
            for run in PARAMS.runs(wildcards.study)
        ],
        data=lambda wildcards: PARAMS.dataset(wildcards.study),
        settings=lambda wildcards: STEPS.table(wildcards.study)["settings"],
        arms=lambda wildcards: STEPS.table(wildcards.study)["arms"],
        code=lambda wildcards: STEPS.table(wildcards.study)["code"],
    shell:
        "python scripts/table.py --study {wildcards.study} --metrics {input.metrics}"
        " --predictions {params.folders} --splits {input.splits}"
        " --published {input.published} --settings {params.settings:q} --data {params.data:q}"
        " --arms {params.arms:q}"
        " --table {output.table} --comparison {output.comparison}"
        " --winner {output.winner} --log {log}"


rule submission:
    input:
        winner="results/{study}/winner.json",
        predictions=lambda wildcards: [
            run.result("predictions", f"/{partition}.csv")
            for run in submitted_runs(wildcards.study)
            for partition in ("test", "unlabelled")
        ],
        parts=parts_of("test", "unlabelled"),
    output:
        submission="results/{study}/submission.csv",
    log:
        "logs/{study}/submission.log",
    localrule: True
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        folders=lambda wildcards: [
            str(Path(run.result("predictions", "/test.csv")).parent)
            for run in submitted_runs(wildcards.study)
        ],
        settings=lambda wildcards: STEPS.submission(wildcards.study)["settings"],
        code=lambda wildcards: STEPS.submission(wildcards.study)["code"],
    shell:
        "python scripts/submission.py --settings {params.settings:q} --winner {input.winner}"
        " --predictions {params.folders} --parts {input.parts}"
        " --output {output.submission} --log {log}"
