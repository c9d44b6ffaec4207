rule phantom:
    output:
        inventory="data/{study}/phantom.csv",
    log:
        "logs/{study}/phantom.log",
    wildcard_constraints:
        study="|".join(PARAMS.phantoms) or "no_phantom",
    # One thread: with more, a core would stay idle until as many are free.
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(60),
    params:
        **step("generate_phantom"),
    shell:
        python("generate_phantom", "--study {wildcards.study} --raw data/{wildcards.study}/phantom")


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
        update("data/{study}/consent.csv"),
        manifest="data/{study}/manifest.csv",
        quarantine="data/{study}/quarantine.csv",
    log:
        "logs/{study}/index.log",
    # A phantom is small: two cores that are free at once would be waited for longer.
    threads: lambda wildcards: 1 if PARAMS.is_phantom(wildcards.study) else 2
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(240),
    params:
        **step("index"),
        raw=lambda wildcards: PARAMS.raw(wildcards.study),
    shell:
        "python scripts/record_consent.py --withdrawn {input.withdrawn} --consent {output[0]}"
        " --checkpoints results/{wildcards.study}/training --log logs/{wildcards.study}/consent.log"
        " && " + python("index", "--raw {params.raw:q}")


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
        **step("decode_images"),
        raw=lambda wildcards: PARAMS.raw(wildcards.study),
    shell:
        python("decode_images", "--raw {params.raw:q} --shard {wildcards.shard}")


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
        **step("split"),
    shell:
        python("split", "--fold {wildcards.fold}")


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
        **step("compute_statistics"),
    shell:
        python("compute_statistics")


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
        **step("write_slices"),
    shell:
        python("write_slices")
