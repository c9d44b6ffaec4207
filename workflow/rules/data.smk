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
# list only grows, so the code that adds to it makes no index stale.
rule index:
    input:
        inventory="data/{study}/inventory.csv",
        withdrawn="data/{study}/withdrawn.csv",
    output:
        manifest="data/{study}/manifest.csv",
        quarantine="data/{study}/quarantine.csv",
        consent=update("data/{study}/consent.csv"),
    log:
        index="logs/{study}/index.log",
        consent="logs/{study}/consent.log",
    # A phantom is small: two cores that are free at once would be waited for longer.
    threads: lambda wildcards: 1 if PARAMS.is_phantom(wildcards.study) else 2
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(240),
    params:
        raw=lambda wildcards: PARAMS.raw(wildcards.study),
        settings=lambda wildcards: STEPS.index(wildcards.study)["settings"],
        code=lambda wildcards: STEPS.index(wildcards.study)["code"],
    shell:
        "python scripts/consent.py --withdrawn {input.withdrawn}"
        " --checkpoints results/{wildcards.study}/training --output {output.consent} --log {log.consent}"
        " && python scripts/index.py --raw {params.raw:q} --inventory {input.inventory}"
        " --withdrawn {input.withdrawn} --settings {params.settings:q}"
        " --manifest {output.manifest} --quarantine {output.quarantine}"
        " --threads {threads} --log {log.index}"


rule images:
    input:
        manifest="data/{study}/manifest.csv",
    output:
        array="data/{study}/images/shard-{shard}.npy",
        table="data/{study}/images/shard-{shard}.csv",
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
        "python scripts/images.py --raw {params.raw:q} --manifest {input.manifest}"
        " --shard {wildcards.shard} --settings {params.settings:q}"
        " --array {output.array} --table {output.table}"
        " --threads {threads} --log {log}"


rule split:
    input:
        manifest="data/{study}/manifest.csv",
        tables=tables,
    output:
        split="data/{study}/split/fold{fold}.csv",
    log:
        "logs/{study}/split-fold{fold}.log",
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(30),
    params:
        settings=lambda wildcards: STEPS.split(wildcards.study)["settings"],
        code=lambda wildcards: STEPS.split(wildcards.study)["code"],
    shell:
        "python scripts/split.py --manifest {input.manifest} --tables {input.tables}"
        " --fold {wildcards.fold} --settings {params.settings:q}"
        " --output {output.split} --log {log}"


rule statistics:
    input:
        split="data/{study}/split/fold{fold}.csv",
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
        "python scripts/compute_statistics.py --split {input.split}"
        " --arrays {input.arrays} --tables {input.tables}"
        " --output {output.statistics} --threads {threads} --log {log}"


rule slices:
    input:
        manifest="data/{study}/manifest.csv",
        arrays=arrays,
        tables=tables,
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
