PARTITIONS = ["val", "test", "unlabelled"]


rule predict:
    input:
        checkpoint=lambda wildcards: run_of(wildcards).checkpoint,
        split="data/{study}/split/fold{fold}.csv",
        arrays=arrays,
        tables=tables,
    output:
        expand(
            "results/{{study}}/predictions/{{arm}}/fold{{fold}}-seed{{seed}}/{partition}.csv",
            partition=PARTITIONS,
        ),
        slices="results/{study}/predictions/{arm}/fold{fold}-seed{seed}/slices.csv",
    params:
        folder=lambda wildcards, output: Path(output[0]).parent,
        code=lambda wildcards: STEPS.predict(run_of(wildcards))["code"],
    log:
        "logs/{study}/predict/{arm}/fold{fold}-seed{seed}.log",
    threads: 2
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=120,
    shell:
        "python scripts/predict.py --checkpoint {input.checkpoint} --split {input.split}"
        " --arrays {input.arrays} --tables {input.tables}"
        " --predictions {params.folder} --slices {output.slices}"
        " --threads {threads} --log {log}"


rule evaluate:
    input:
        val="results/{study}/predictions/{arm}/fold{fold}-seed{seed}/val.csv",
        test="results/{study}/predictions/{arm}/fold{fold}-seed{seed}/test.csv",
        split="data/{study}/split/fold{fold}.csv",
    output:
        metrics="results/{study}/metrics/{arm}/fold{fold}-seed{seed}.json",
    params:
        settings=lambda wildcards: STEPS.evaluate(wildcards.study)["settings"],
        code=lambda wildcards: STEPS.evaluate(wildcards.study)["code"],
    log:
        "logs/{study}/evaluate/{arm}/fold{fold}-seed{seed}.log",
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python scripts/evaluate.py --val {input.val} --test {input.test}"
        " --split {input.split} --settings {params.settings:q}"
        " --output {output.metrics} --log {log}"
