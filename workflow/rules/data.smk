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
        study="|".join(filter(PARAMS.is_phantom, PARAMS.sources)) or "no_phantom",
    localrule: True
    shell:
        "cp {input.listing} {output.inventory} 2> {log}"


def withdrawn(wildcards):
    """The table of withdrawn cases, of a study and its external sets."""
    return f"data/{PARAMS.owner(wildcards.study)}/withdrawn.csv"


def recording(wildcards):
    """Before anything is made anew without a withdrawn case, what has seen it is written down.

    Near copies are known where groups are. That record only grows: it is no output, which Snakemake
    or DVC might delete, and the code that adds to it makes no index stale. Of an external set
    nothing was trained.
    """
    study = wildcards.study
    if study != PARAMS.owner(study):
        return ""
    return (
        f"python scripts/record_consent.py --withdrawn {withdrawn(wildcards)}"
        f" --manifest data/{study}/manifest.csv --consent data/{study}/consent.csv"
        f" --checkpoints results/{study}/training --log logs/{study}/consent.log && "
    )


# A rule for each study and set, since each shard has a list of its cases.
for study in PARAMS.sources:

    rule:
        name:
            of_source("index", study)
        input:
            inventory="data/{study}/inventory.csv",
            withdrawn=withdrawn,
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
            recording=recording,
        shell:
            f"{{params.recording}}{python('index', '--raw {params.raw:q}')}"


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
    wildcard_constraints:
        study="|".join(PARAMS.studies),
    resources:
        **asks(mem_mb=2000, runtime=30),
    params:
        **step("assign_folds"),
        raw=lambda wildcards: PARAMS.raw(wildcards.study),
    shell:
        f"{python('assign_folds', '--raw {params.raw:q}')}"
        " && python scripts/record_consent.py --groups {output.groups}"
        " --consent data/{wildcards.study}/consent.csv"
        " --checkpoints results/{wildcards.study}/training"
        " --log logs/{wildcards.study}/consent-near.log"


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


EXTERNAL = "data/{study}/external/{external}"


def external_of(wildcards):
    return f"{wildcards.study}/external/{wildcards.external}"


def files_of_external(studies, *names):
    """Files of all external sets of these studies."""
    return [
        f"data/{external}/{name}"
        for study in studies
        for external in PARAMS.external(study)
        for name in names
    ]


def images_of_external(wildcards, suffix):
    return shards(external_of(wildcards), suffix)


# What the study has seen in training or validation is no test from elsewhere.
rule exclude_seen:
    input:
        manifest=f"{EXTERNAL}/manifest.csv",
        tables=lambda wildcards: images_of_external(wildcards, ".csv"),
        withdrawn=["data/{study}/cases/withdrawn.csv", f"{EXTERNAL}/cases/withdrawn.csv"],
        study_manifest="data/{study}/manifest.csv",
        study_groups="data/{study}/groups.csv",
        study_tables=lambda wildcards: shards(wildcards.study, ".csv"),
    output:
        groups=f"{EXTERNAL}/groups.csv",
        cases=f"{EXTERNAL}/part.csv",
    log:
        "logs/{study}/external/{external}/exclude_seen.log",
    wildcard_constraints:
        study="|".join(PARAMS.studies),
    resources:
        **asks(mem_mb=2000, runtime=30),
    params:
        **step("exclude_seen", lambda wildcards: [external_of(wildcards)]),
        raws=lambda wildcards: [PARAMS.raw(wildcards.study), PARAMS.raw(external_of(wildcards))],
    shell:
        python("exclude_seen", "--raws {params.raws:q}")


# How the images of an external set differ from those trained on: on the first fold, for all.
rule shift:
    input:
        **IMAGES,
        external_arrays=lambda wildcards: ancient(images_of_external(wildcards, ".npy")),
        external_tables=lambda wildcards: ancient(images_of_external(wildcards, ".csv")),
        cases=f"{EXTERNAL}/part.csv",
        train=lambda wildcards: parts_of("train")(wildcards)[0],
    output:
        shift=f"{EXTERNAL}/shift.json",
    log:
        "logs/{study}/external/{external}/shift.log",
    wildcard_constraints:
        study="|".join(PARAMS.studies),
    resources:
        **asks(mem_mb=2000, runtime=60),
    params:
        **step("compute_shift"),
    shell:
        python("compute_shift")


# A list of a study's external sets, if it has any: DVC wants a file in each folder it keeps.
rule external:
    input:
        groups=lambda wildcards: files_of_external([wildcards.study], "groups.csv"),
        shifts=lambda wildcards: files_of_external([wildcards.study], "shift.json"),
    output:
        sets="data/{study}/external/sets.csv",
    log:
        "logs/{study}/external.log",
    wildcard_constraints:
        study="|".join(PARAMS.studies),
    localrule: True
    resources:
        **asks(mem_mb=1000, runtime=10),
    params:
        **step("list_external"),
    shell:
        python("list_external")


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
