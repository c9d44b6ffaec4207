# What trains records its code, and keeps unfinished runs in a folder of their own.
RESUMED = "--code {params.code} --scratch scratch"
TRAINING = f"{RESUMED} --gpus {{resources.gpu}}"
RUN = "results/{study}/training/{arm}/fold{fold}-seed{seed}"
TRAINED = {
    "checkpoint": f"{RUN}/checkpoint.pt",
    "history": f"{RUN}/history.csv",
    "record": f"{RUN}/record.json",
}
PARTS = {"train": part("train"), "val": part("val")}


def parent_checkpoint(wildcards):
    return PARAMS.parent(run_of(wildcards)).checkpoint


def parent_features(suffix):
    """The cached features of a frozen network; with drifting batch norm there are none."""

    def features(wildcards):
        run = run_of(wildcards)
        if not PARAMS.arms(run.study)[run.arm].sequence["frozen"]:
            return []
        return PARAMS.parent(run).result("training", f"/features{suffix}")

    return features


# A job on a cluster has cores of its own: as many as on two cores, or what --set-threads says.
THREADS = Threads(PARAMS, CORES if workflow.local_exec else 2)


def network_threads(wildcards):
    return THREADS.of(run_of(wildcards))


def pretrained_weights(wildcards):
    """The weights that an arm starts from, if any."""
    run = run_of(wildcards)
    name = PARAMS.arms(run.study)[run.arm].recipe["model"]["pretrained"]
    return [] if name == "none" else f"data/pretrained/{name}.pt"


def gpus_for_pretraining(wildcards):
    """Weights that are learned want a GPU; those from a file are only checked and copied."""
    return int(PARAMS.content["pretrained"][wildcards.pretrained]["source"] == "pretext")


rule pretrained:
    output:
        weights="data/pretrained/{pretrained}.pt",
    log:
        "logs/pretrained/{pretrained}.log",
    wildcard_constraints:
        pretrained="|".join(PARAMS.pretrained) or "nothing_pretrained",
    # Many trainings wait for them, and they wait for nothing.
    priority: 1
    resources:
        **asks(gpu=gpus_for_pretraining, mem_mb=8000, runtime=240),
    params:
        **step("pretrain", lambda wildcards: [wildcards.pretrained]),
    shell:
        python("pretrain", RESUMED)


rule train:
    input:
        **PARTS,
        **IMAGES,
        pretrained=pretrained_weights,
        statistics="data/{study}/statistics/fold{fold}.json",
    output:
        **TRAINED,
    log:
        "logs/{study}/training/{arm}/fold{fold}-seed{seed}.log",
    wildcard_constraints:
        arm=arms_of(["training"], "training", floors=False),
    threads: network_threads
    resources:
        **asks(gpu=1, mem_mb=8000, runtime=720),
    params:
        **step("train", of_run),
    shell:
        python("train", TRAINING)


rule fit:
    input:
        **PARTS,
        **IMAGES,
        statistics="data/{study}/statistics/fold{fold}.json",
    output:
        **TRAINED,
    log:
        "logs/{study}/training/{arm}/fold{fold}-seed{seed}.log",
    wildcard_constraints:
        arm=arms_of(["training"], "training", floors=True),
    resources:
        **asks(mem_mb=4000, runtime=120),
    params:
        **step("fit", of_run),
    shell:
        python("fit", f"{RESUMED} --device cpu")


# A check of a target of its own: nothing else is made from it.
rule memorise:
    input:
        **PARTS,
        **IMAGES,
        pretrained=pretrained_weights,
        statistics="data/{study}/statistics/fold{fold}.json",
    output:
        memorised="results/{study}/memorise/{arm}/fold{fold}-seed{seed}.json",
    log:
        "logs/{study}/memorise/{arm}/fold{fold}-seed{seed}.log",
    wildcard_constraints:
        arm=arms_of(["training"], "memorise", floors=False),
    threads: network_threads
    resources:
        **asks(gpu=1, mem_mb=8000, runtime=240),
    params:
        **step("memorise", of_run),
        goal=lambda wildcards: canonical(PARAMS.study(wildcards.study)["memorise"]),
    shell:
        python("memorise", f"{RESUMED} --goal {{params.goal:q}}")


rule features:
    input:
        **PARTS,
        **IMAGES,
        checkpoint=f"{RUN}/checkpoint.pt",
    output:
        features=f"{RUN}/features.npy",
        cases=f"{RUN}/features.csv",
    log:
        "logs/{study}/features/{arm}/fold{fold}-seed{seed}.log",
    wildcard_constraints:
        arm=arms_of(["training"], "training", floors=False),
    resources:
        **asks(gpu=1, mem_mb=8000, runtime=120),
    params:
        **step("extract_features", of_run),
    shell:
        python("extract_features")


rule train_sequence:
    input:
        **PARTS,
        **IMAGES,
        parent=parent_checkpoint,
        features=parent_features(".npy"),
        cases=parent_features(".csv"),
    output:
        **TRAINED,
    log:
        "logs/{study}/training/{arm}/fold{fold}-seed{seed}.log",
    wildcard_constraints:
        arm=arms_of(["sequence"], "training"),
    resources:
        **asks(gpu=1, mem_mb=4000, runtime=240),
    params:
        **step("train_sequence", of_run),
    shell:
        python("train_sequence", TRAINING)


rule finetune:
    input:
        **PARTS,
        **IMAGES,
        parent=parent_checkpoint,
    output:
        **TRAINED,
    log:
        "logs/{study}/training/{arm}/fold{fold}-seed{seed}.log",
    wildcard_constraints:
        arm=arms_of(["finetuning"], "training"),
    threads: network_threads
    resources:
        **asks(gpu=1, mem_mb=16000, runtime=720),
    params:
        **step("finetune", of_run),
    shell:
        python("finetune", TRAINING)
