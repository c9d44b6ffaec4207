rule phantom:
    output:
        inventory="data/{study}/phantom.csv",
    log:
        "logs/{study}/phantom.log",
    wildcard_constraints:
        study="|".join(PARAMS.phantoms) or "no_phantom",
    # One thread: with more, a core would stay idle until as many are free.
    resources:
        **asks(mem_mb=2000, runtime=60),
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
# record only grows: it is no output, which Snakemake or DVC might delete, and the code that adds to
# it makes no index stale. A rule for each study, since each shard has a list of its cases.
for study in PARAMS.studies:

    rule:
        name:
            f"index_{study}"
        input:
            inventory="data/{study}/inventory.csv",
            withdrawn="data/{study}/withdrawn.csv",
        output:
            cases="data/{study}/cases/cases.csv",
            problems="data/{study}/cases/problems.csv",
            files_withdrawn="data/{study}/cases/withdrawn.csv",
            shards=[f"data/{{study}}/cases/shard-{i}.csv" for i in SHARDS[study]],
        log:
            "logs/{study}/index.log",
        wildcard_constraints:
            study=study,
        resources:
            **asks(mem_mb=2000, runtime=60),
        params:
            **step("index"),
            raw=lambda wildcards: PARAMS.raw(wildcards.study),
        shell:
            "python scripts/record_consent.py --withdrawn {input.withdrawn}"
            " --manifest data/{wildcards.study}/manifest.csv"
            " --consent data/{wildcards.study}/consent.csv"
            " --checkpoints results/{wildcards.study}/training"
            " --log logs/{wildcards.study}/consent.log && "
            + python("index", "--raw {params.raw:q}")


# Images of files that have not changed are taken over from the shard as it is.
rule images:
    input:
        cases="data/{study}/cases/shard-{shard}.csv",
    output:
        array=update("data/{study}/images/shard-{shard}.npy"),
        table=update("data/{study}/images/shard-{shard}.csv"),
        problems="data/{study}/images/problems-{shard}.csv",
    log:
        "logs/{study}/images-{shard}.log",
    resources:
        **asks(mem_mb=4000, runtime=240),
    params:
        **step("decode_images"),
        raw=lambda wildcards: PARAMS.raw(wildcards.study),
    shell:
        python(
            "decode_images",
            "--raw {params.raw:q} --code {params.code} --scratch scratch/{wildcards.study}/images",
        )


def problems(wildcards):
    """What the index and the shards could not use."""
    folder = f"data/{wildcards.study}"
    of_shards = [f"{folder}/images/problems-{shard}.csv" for shard in SHARDS[wildcards.study]]
    return [f"{folder}/cases/problems.csv", *of_shards]


rule manifest:
    input:
        cases="data/{study}/cases/cases.csv",
        problems=problems,
        inventory="data/{study}/inventory.csv",
        withdrawn="data/{study}/cases/withdrawn.csv",
    output:
        manifest="data/{study}/manifest.csv",
        quarantine="data/{study}/quarantine.csv",
        counts="data/{study}/counts.csv",
    log:
        "logs/{study}/manifest.log",
    resources:
        **asks(mem_mb=2000, runtime=30),
    params:
        **step("write_manifest"),
        raw=lambda wildcards: PARAMS.raw(wildcards.study),
    shell:
        python("write_manifest", "--raw {params.raw:q}")


# The fold of a group is kept from when it is first dealt, so that one more case moves no other.
rule groups:
    input:
        manifest="data/{study}/manifest.csv",
        tables=lambda wildcards: shards(wildcards.study, ".csv"),
        withdrawn="data/{study}/cases/withdrawn.csv",
    output:
        groups="data/{study}/groups.csv",
        folds=update("data/{study}/folds.csv"),
    log:
        "logs/{study}/groups.log",
    resources:
        **asks(mem_mb=2000, runtime=30),
    params:
        **step("assign_folds"),
        raw=lambda wildcards: PARAMS.raw(wildcards.study),
    shell:
        python("assign_folds", "--raw {params.raw:q}")


rule split:
    input:
        groups="data/{study}/groups.csv",
    output:
        split="data/{study}/split/fold{fold}.csv",
        parts=[part(name) for name in PARTITIONS],
    log:
        "logs/{study}/split-fold{fold}.log",
    resources:
        **asks(mem_mb=2000, runtime=30),
    params:
        **step("split"),
    shell:
        python("split", "--fold {wildcards.fold}")


rule statistics:
    input:
        **IMAGES,
        train=part("train"),
    output:
        statistics="data/{study}/statistics/fold{fold}.json",
    log:
        "logs/{study}/statistics-fold{fold}.log",
    resources:
        **asks(mem_mb=2000, runtime=60),
    params:
        **step("compute_statistics"),
    shell:
        python("compute_statistics")


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
        **asks(mem_mb=2000, runtime=240),
    params:
        **step("write_slices"),
    shell:
        python("write_slices")
