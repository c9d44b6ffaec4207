rule phantom:
    output:
        listing="data/{study}/phantom.csv",
    log:
        "logs/{study}/phantom.log",
    wildcard_constraints:
        study="|".join(PARAMS.phantoms) or "no_phantom",
    # One thread: with more, a core would stay idle until as many are free.
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(60),
    params:
        settings=lambda wildcards: STEPS.phantom(wildcards.study)["settings"],
        code=lambda wildcards: STEPS.phantom(wildcards.study)["code"],
    shell:
        "python scripts/phantom.py --study {wildcards.study} --settings {params.settings:q}"
        " --raw data/{wildcards.study}/phantom --inventory {output.listing}"
        " --threads {threads} --log {log}"


# Real data is listed by a scan before the graph is built; there this rule makes nothing.
rule inventory:
    input:
        listing=lambda wildcards: f"data/{PARAMS.phantom(wildcards.study)}/phantom.csv",
    output:
        inventory="data/{study}/inventory.csv",
    log:
        "logs/{study}/inventory.log",
    wildcard_constraints:
        study="|".join(filter(PARAMS.is_phantom, PARAMS.studies)) or "no_phantom",
    localrule: True
    shell:
        "cp {input.listing} {output.inventory} 2> {log}"


# Before anything is made anew without a withdrawn case, what has seen it is written down. That
# list only grows, so the code that adds to it makes no index stale. A rule for each number of
# shards, since each shard has a list of its cases.
for count in sorted({shard_count(study) for study in PARAMS.studies}):

    rule:
        name:
            f"index_{count}"
        input:
            inventory="data/{study}/inventory.csv",
            withdrawn="data/{study}/withdrawn.csv",
        output:
            cases="data/{study}/cases/cases.csv",
            problems="data/{study}/cases/problems.csv",
            shards=[f"data/{{study}}/cases/shard-{i}.csv" for i in range(count)],
            consent=update("data/{study}/consent.csv"),
        log:
            index="logs/{study}/index.log",
            consent="logs/{study}/consent.log",
        wildcard_constraints:
            study="|".join(study for study in PARAMS.studies if shard_count(study) == count),
        resources:
            mem_mb=by_attempt(2000),
            runtime=by_attempt(60),
        params:
            raw=lambda wildcards: PARAMS.raw(wildcards.study),
            settings=lambda wildcards: STEPS.index(wildcards.study)["settings"],
            code=lambda wildcards: STEPS.index(wildcards.study)["code"],
        shell:
            "python scripts/consent.py --withdrawn {input.withdrawn}"
            " --checkpoints results/{wildcards.study}/training --output {output.consent} --log {log.consent}"
            " && python scripts/index.py --raw {params.raw:q} --inventory {input.inventory}"
            " --withdrawn {input.withdrawn} --settings {params.settings:q}"
            " --cases {output.cases} --problems {output.problems} --shards {output.shards}"
            " --log {log.index}"


rule images:
    input:
        cases="data/{study}/cases/shard-{shard}.csv",
    output:
        array="data/{study}/images/shard-{shard}.npy",
        table="data/{study}/images/shard-{shard}.csv",
        problems="data/{study}/images/problems-{shard}.csv",
    log:
        "logs/{study}/images-{shard}.log",
    resources:
        mem_mb=by_attempt(4000),
        runtime=by_attempt(240),
    params:
        raw=lambda wildcards: PARAMS.raw(wildcards.study),
        settings=lambda wildcards: STEPS.images(wildcards.study)["settings"],
        code=lambda wildcards: STEPS.images(wildcards.study)["code"],
    shell:
        "python scripts/images.py --raw {params.raw:q} --cases {input.cases}"
        " --settings {params.settings:q}"
        " --array {output.array} --table {output.table} --problems {output.problems}"
        " --threads {threads} --log {log}"


rule manifest:
    input:
        cases="data/{study}/cases/cases.csv",
        problems=lambda wildcards: [
            f"data/{wildcards.study}/cases/problems.csv",
            *(
                f"data/{wildcards.study}/images/problems-{i}.csv"
                for i in range(shard_count(wildcards.study))
            ),
        ],
    output:
        manifest="data/{study}/manifest.csv",
        quarantine="data/{study}/quarantine.csv",
    log:
        "logs/{study}/manifest.log",
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(30),
    params:
        raw=lambda wildcards: PARAMS.raw(wildcards.study),
        settings=lambda wildcards: STEPS.manifest(wildcards.study)["settings"],
        code=lambda wildcards: STEPS.manifest(wildcards.study)["code"],
    shell:
        "python scripts/manifest.py --cases {input.cases} --problems {input.problems}"
        " --raw {params.raw:q} --settings {params.settings:q}"
        " --manifest {output.manifest} --quarantine {output.quarantine} --log {log}"


# The fold of a group is kept from when it is first dealt, so that one more case moves no other.
rule groups:
    input:
        manifest="data/{study}/manifest.csv",
        tables=lambda wildcards: shards(wildcards.study, ".csv"),
    output:
        groups="data/{study}/groups.csv",
        folds=update("data/{study}/folds.csv"),
    log:
        "logs/{study}/groups.log",
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(30),
    params:
        settings=lambda wildcards: STEPS.groups(wildcards.study)["settings"],
        code=lambda wildcards: STEPS.groups(wildcards.study)["code"],
    shell:
        "python scripts/groups.py --manifest {input.manifest} --tables {input.tables}"
        " --settings {params.settings:q}"
        " --folds {output.folds} --output {output.groups} --log {log}"


rule split:
    input:
        groups="data/{study}/groups.csv",
    output:
        split="data/{study}/split/fold{fold}.csv",
        parts=[part(name) for name in PARTITIONS],
    log:
        "logs/{study}/split-fold{fold}.log",
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(30),
    params:
        settings=lambda wildcards: STEPS.split(wildcards.study)["settings"],
        code=lambda wildcards: STEPS.split(wildcards.study)["code"],
    shell:
        "python scripts/split.py --groups {input.groups}"
        " --fold {wildcards.fold} --settings {params.settings:q}"
        " --output {output.split} --parts {output.parts} --log {log}"


rule statistics:
    input:
        train=part("train"),
        arrays=arrays,
        tables=tables,
    output:
        statistics="data/{study}/statistics/fold{fold}.json",
    log:
        "logs/{study}/statistics-fold{fold}.log",
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(60),
    params:
        code=STEPS.plain("compute_statistics.py")["code"],
    shell:
        "python scripts/compute_statistics.py --train {input.train}"
        " --arrays {input.arrays} --tables {input.tables}"
        " --output {output.statistics} --threads {threads} --log {log}"


rule slices:
    input:
        manifest="data/{study}/manifest.csv",
        arrays=arrays,
        tables=lambda wildcards: shards(wildcards.study, ".csv"),
    output:
        labels="data/{study}/slices/labels_slices.csv",
    log:
        "logs/{study}/slices.log",
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(240),
    params:
        code=STEPS.plain("slices.py")["code"],
    shell:
        "python scripts/slices.py --manifest {input.manifest}"
        " --arrays {input.arrays} --tables {input.tables}"
        " --output {output.labels} --log {log}"
