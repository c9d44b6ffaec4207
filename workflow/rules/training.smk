def training_params(script, key):
    """A params function of a training rule: its settings or its code digest."""
    return lambda wildcards: STEPS.training(script, run_of(wildcards))[key]


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


def network_threads(wildcards):
    """Volumes are worth a second thread; small pictures are not, but jobs side by side are."""
    return 2 if PARAMS.study(wildcards.study)["images"]["mode"] == "volume" else 1


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
        "data/pretrained/{pretrained}.pt",
    log:
        "logs/pretrained/{pretrained}.log",
    wildcard_constraints:
        pretrained="|".join(PARAMS.pretrained) or "nothing_pretrained",
    # Many trainings wait for them, and they wait for nothing.
    priority: 1
    resources:
        gpu=gpus_for_pretraining,
        mem_mb=by_attempt(8000),
        runtime=by_attempt(240),
    params:
        settings=lambda wildcards: STEPS.pretrain(wildcards.pretrained)["settings"],
        code=lambda wildcards: STEPS.pretrain(wildcards.pretrained)["code"],
    shell:
        "python scripts/pretrain.py --settings {params.settings:q} --code {params.code}"
        " --scratch scratch --output {output} --threads {threads} --log {log}"


rule train:
    input:
        pretrained=pretrained_weights,
        train=part("train"),
        val=part("val"),
        statistics="data/{study}/statistics/fold{fold}.json",
        arrays=arrays,
        tables=tables,
    output:
        checkpoint="results/{study}/training/{arm}/fold{fold}-seed{seed}/checkpoint.pt",
        history="results/{study}/training/{arm}/fold{fold}-seed{seed}/history.csv",
        record="results/{study}/training/{arm}/fold{fold}-seed{seed}/record.json",
    log:
        "logs/{study}/training/{arm}/fold{fold}-seed{seed}.log",
    wildcard_constraints:
        arm=arms_of(["training"], "training"),
    threads: network_threads
    resources:
        gpu=1,
        mem_mb=by_attempt(8000),
        runtime=by_attempt(720),
    params:
        settings=training_params("train.py", "settings"),
        code=training_params("train.py", "code"),
    shell:
        "python scripts/train.py --settings {params.settings:q} --code {params.code}"
        " --train {input.train} --val {input.val}"
        " --statistics {input.statistics}"
        " --arrays {input.arrays} --tables {input.tables} --scratch scratch"
        " --pretrained {input.pretrained}"
        " --checkpoint {output.checkpoint} --history {output.history}"
        " --record {output.record} --gpus {resources.gpu} --threads {threads} --log {log}"


# A check of a target of its own: nothing else is made from it.
rule memorise:
    input:
        pretrained=pretrained_weights,
        train=part("train"),
        val=part("val"),
        statistics="data/{study}/statistics/fold{fold}.json",
        arrays=arrays,
        tables=tables,
    output:
        "results/{study}/memorise/{arm}/fold{fold}-seed{seed}.json",
    log:
        "logs/{study}/memorise/{arm}/fold{fold}-seed{seed}.log",
    wildcard_constraints:
        arm=arms_of(["training"], "memorise"),
    threads: network_threads
    resources:
        gpu=1,
        mem_mb=by_attempt(8000),
        runtime=by_attempt(240),
    params:
        settings=lambda wildcards: STEPS.memorise(run_of(wildcards))["settings"],
        goal=lambda wildcards: STEPS.memorise(run_of(wildcards))["goal"],
        code=lambda wildcards: STEPS.memorise(run_of(wildcards))["code"],
    shell:
        "python scripts/memorise.py --settings {params.settings:q} --code {params.code}"
        " --train {input.train} --val {input.val}"
        " --statistics {input.statistics}"
        " --arrays {input.arrays} --tables {input.tables} --scratch scratch"
        " --pretrained {input.pretrained} --goal {params.goal:q} --output {output}"
        " --threads {threads} --log {log}"


rule features:
    input:
        checkpoint="results/{study}/training/{arm}/fold{fold}-seed{seed}/checkpoint.pt",
        train=part("train"),
        val=part("val"),
        arrays=arrays,
        tables=tables,
    output:
        features="results/{study}/training/{arm}/fold{fold}-seed{seed}/features.npy",
        cases="results/{study}/training/{arm}/fold{fold}-seed{seed}/features.csv",
    log:
        "logs/{study}/features/{arm}/fold{fold}-seed{seed}.log",
    wildcard_constraints:
        arm=arms_of(["training"], "training"),
    resources:
        gpu=1,
        mem_mb=by_attempt(8000),
        runtime=by_attempt(120),
    params:
        settings=lambda wildcards: STEPS.features(run_of(wildcards))["settings"],
        code=lambda wildcards: STEPS.features(run_of(wildcards))["code"],
    shell:
        "python scripts/features.py --settings {params.settings:q}"
        " --checkpoint {input.checkpoint}"
        " --train {input.train} --val {input.val}"
        " --arrays {input.arrays} --tables {input.tables}"
        " --features {output.features} --cases {output.cases}"
        " --threads {threads} --log {log}"


rule train_sequence:
    input:
        checkpoint=parent_checkpoint,
        features=parent_features(".npy"),
        cases=parent_features(".csv"),
        train=part("train"),
        val=part("val"),
        arrays=arrays,
        tables=tables,
    output:
        checkpoint="results/{study}/training/{arm}/fold{fold}-seed{seed}/checkpoint.pt",
        history="results/{study}/training/{arm}/fold{fold}-seed{seed}/history.csv",
        record="results/{study}/training/{arm}/fold{fold}-seed{seed}/record.json",
    log:
        "logs/{study}/training/{arm}/fold{fold}-seed{seed}.log",
    wildcard_constraints:
        arm=arms_of(["sequence"], "training"),
    resources:
        gpu=1,
        mem_mb=by_attempt(4000),
        runtime=by_attempt(240),
    params:
        settings=training_params("train_sequence.py", "settings"),
        code=training_params("train_sequence.py", "code"),
    shell:
        "python scripts/train_sequence.py --settings {params.settings:q} --code {params.code}"
        " --from-checkpoint {input.checkpoint} --features {input.features}"
        " --train {input.train} --val {input.val}"
        " --arrays {input.arrays} --tables {input.tables} --scratch scratch"
        " --checkpoint {output.checkpoint} --history {output.history}"
        " --record {output.record} --gpus {resources.gpu} --threads {threads} --log {log}"


rule finetune:
    input:
        checkpoint=parent_checkpoint,
        train=part("train"),
        val=part("val"),
        arrays=arrays,
        tables=tables,
    output:
        checkpoint="results/{study}/training/{arm}/fold{fold}-seed{seed}/checkpoint.pt",
        history="results/{study}/training/{arm}/fold{fold}-seed{seed}/history.csv",
        record="results/{study}/training/{arm}/fold{fold}-seed{seed}/record.json",
    log:
        "logs/{study}/training/{arm}/fold{fold}-seed{seed}.log",
    wildcard_constraints:
        arm=arms_of(["finetuning"], "training"),
    threads: network_threads
    resources:
        gpu=1,
        mem_mb=by_attempt(16000),
        runtime=by_attempt(720),
    params:
        settings=training_params("finetune.py", "settings"),
        code=training_params("finetune.py", "code"),
    shell:
        "python scripts/finetune.py --settings {params.settings:q} --code {params.code}"
        " --from-checkpoint {input.checkpoint}"
        " --train {input.train} --val {input.val}"
        " --arrays {input.arrays} --tables {input.tables} --scratch scratch"
        " --checkpoint {output.checkpoint} --history {output.history}"
        " --record {output.record} --gpus {resources.gpu} --threads {threads} --log {log}"
