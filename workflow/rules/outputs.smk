# Pictures that every study has, and those of volumes, in the order of the report.
EXPLORED = ["counts.svg", "cases.png", "intensities.svg", "intensities_apart.png", "twins.png"]
EXPLORED_VOLUMES = ["patients.png", "spots.png"]
DRAWN = [
    "curves.svg",
    "roc.svg",
    "precision_recall.svg",
    "reliability.svg",
    "scores.svg",
    "confusion.svg",
    "mistakes.png",
]
DRAWN_VOLUMES = ["slices.svg"]
# Pictures that some studies have beside those, each by a rule of its own.
MORE = {
    "seeds": lambda study: has_spread(study),
    "votes": lambda study: has_votes(PARAMS.study(study)["index"]),
    "findings": lambda study: PARAMS.study(study)["task"] == "multilabel",
    "balancing": lambda study: bool(STEPS.balancing(study)),
    "search": lambda study: bool(STEPS.searches(study)),
    "chain": lambda study: bool(PARAMS.study(study)["chain"]),
    "external": lambda study: bool(PARAMS.external(study)),
}
EXPLAINED = ["augmentation.png", "attention.png"]
GROUPS = {"explore": "data", "figures": "results", "explain": "network"}


def has_votes(index):
    """Whether annotators' votes are known."""
    return index["reader"] == "annotations" or index["columns"]["votes"] is not None


def has_spread(study):
    """Whether an arm has several runs, over seeds or folds."""
    runs = list(PARAMS.runs(study))
    return len(runs) > len({run.arm for run in runs})


def has_volumes(study):
    return PARAMS.study(study)["images"]["mode"] == "volume"


def of_study_compared(wildcards):
    return [wildcards.study, True]


def studies_of(kind):
    """A pattern of the studies of volumes, or of those of single pictures."""
    chosen = [study for study in PARAMS.studies if has_volumes(study) == (kind == "volumes")]
    return "|".join(chosen) or f"no_{kind}"


def studies_with(name):
    """A pattern of the studies that have one of the pictures MORE."""
    return "|".join(filter(MORE[name], PARAMS.studies)) or f"no_{name}"


def picture(folder, name):
    """An output file that `snakemake --report` shows with its caption."""
    return report(
        f"results/{{study}}/{folder}/{name}",
        caption=f"../report/{Path(name).stem}.rst",
        category="{study}",
        subcategory=GROUPS[folder],
        labels={"picture": Path(name).stem.replace("_", " ")},
    )


def pictures(folder, names):
    return [picture(folder, name) for name in names]


def pictures_in(folder, study):
    """The pictures of a study in one of its folders, in the order of the report."""
    more = has_volumes(study)
    names = {
        "explore": EXPLORED + EXPLORED_VOLUMES * more,
        "figures": DRAWN
        + DRAWN_VOLUMES * more
        + [f"{name}.svg" for name in MORE if MORE[name](study)],
        "explain": EXPLAINED,
    }
    return [f"results/{study}/{folder}/{name}" for name in names[folder]]


def pictures_of(study):
    """All pictures of a study, in the order of the report."""
    return [path for folder in GROUPS for path in pictures_in(folder, study)]


def captions():
    """The captions of all pictures that are made."""
    names = {Path(path).stem: None for study in PARAMS.studies for path in pictures_of(study)}
    return [f"workflow/report/{name}.rst" for name in names]


rule explore:
    input:
        **IMAGES,
        manifest="data/{study}/manifest.csv",
        split=lambda wildcards: splits(wildcards)[0],
        groups="data/{study}/groups.csv",
    output:
        figures=pictures("explore", EXPLORED),
    log:
        "logs/{study}/explore.log",
    wildcard_constraints:
        study=studies_of("pictures"),
    resources:
        **asks(mem_mb=4000, runtime=60),
    params:
        **step("explore"),
    shell:
        python("explore")


use rule explore as explore_volumes with:
    output:
        figures=pictures("explore", EXPLORED + EXPLORED_VOLUMES),
    wildcard_constraints:
        study=studies_of("volumes"),


# What each rule draws, for which studies, and whether it compares their arms.
FIGURES = {
    "figures": (DRAWN, studies_of("pictures"), False),
    "figures_volumes": (DRAWN + DRAWN_VOLUMES, studies_of("volumes"), False),
    **{
        f"figures_{name}": ([f"{name}.svg"], studies_with(name), True)
        for name in MORE
        if name != "external"
    },
}

for rule_name, (drawn, drawn_for, is_comparison) in FIGURES.items():

    rule:
        name:
            rule_name
        input:
            **IMAGES,
            histories=trained_results_of("training", "/history.csv"),
            slices=trained_results_of("predictions", "/slices.csv"),
            metrics=results_of("metrics", ".json"),
            predictions=results_of("predictions", *JUDGED),
            winner="results/{study}/winner.json",
            parts=parts_of("train", "val", "test"),
        output:
            figures=pictures("figures", drawn),
        log:
            f"logs/{{study}}/{rule_name}.log",
        wildcard_constraints:
            study=drawn_for,
        resources:
            **asks(mem_mb=4000, runtime=60),
        params:
            **step("draw_figures", of_study_compared if is_comparison else of_study),
        shell:
            python("draw_figures")


rule figures_external_set:
    input:
        table="results/{study}/table.csv",
        external="results/{study}/external.csv",
        shifts=lambda wildcards: files_of_external([wildcards.study], "shift.json"),
    output:
        figure=picture("figures", "external.svg"),
    log:
        "logs/{study}/figures_external.log",
    wildcard_constraints:
        study=studies_with("external"),
    resources:
        **asks(mem_mb=2000, runtime=30),
    params:
        **step("draw_external"),
    shell:
        python("draw_external")


rule explain:
    input:
        **IMAGES,
        winner="results/{study}/winner.json",
        checkpoints=trained_results_of("training", "/checkpoint.pt"),
        predictions=trained_results_of("predictions", *JUDGED),
    output:
        figures=pictures("explain", EXPLAINED),
    log:
        "logs/{study}/explain.log",
    resources:
        **asks(gpu=1, mem_mb=8000, runtime=60),
    params:
        **step("explain"),
    shell:
        python("explain")


# A target of its own, `snakemake <study>_export`: it needs packages that nothing else does.
rule export:
    input:
        **IMAGES,
        winner="results/{study}/winner.json",
        metrics=results_of("metrics", ".json"),
        checkpoints=trained_results_of("training", "/checkpoint.pt"),
        parts=lambda wildcards: parts_of("test", "val", "unlabelled")(wildcards)[:3],
    output:
        model="results/{study}/model.onnx",
        description="results/{study}/model.json",
    log:
        "logs/{study}/export.log",
    resources:
        **asks(mem_mb=8000, runtime=60),
    params:
        **step("export"),
    shell:
        python("export", "--device cpu")


rule card:
    input:
        winner="results/{study}/winner.json",
        metrics=results_of("metrics", ".json"),
        predictions=results_of("predictions", *JUDGED),
        records=trained_results_of("training", "/record.json"),
        splits=splits,
        manifest="data/{study}/manifest.csv",
        groups="data/{study}/groups.csv",
        quarantine="data/{study}/quarantine.csv",
        withdrawn="data/{study}/withdrawn.csv",
        external="data/{study}/external/sets.csv",
        shifts=lambda wildcards: files_of_external([wildcards.study], "shift.json"),
        external_metrics=results_of_external("metrics", "/*.json"),
        texts="workflow/report/texts.yaml",
        checklists="workflow/report/checklists.yaml",
    output:
        card="results/{study}/card.md",
        checklist="results/{study}/checklist.md",
        page="results/{study}/card.json",
    log:
        "logs/{study}/card.log",
    resources:
        **asks(mem_mb=2000, runtime=30),
    params:
        **step("write_card"),
    shell:
        python("write_card")


def reported(study):
    """The files of a study that the report shows."""
    return [
        f"data/{study}/manifest.csv",
        f"data/{study}/groups.csv",
        f"data/{study}/quarantine.csv",
        f"data/{study}/counts.csv",
        f"data/{study}/withdrawn.csv",
        f"data/{study}/consent.csv",
        f"data/{study}/split/fold{PARAMS.study(study)['folds'][0]}.csv",
        f"data/{study}/external/sets.csv",
        *files_of_external([study], "groups.csv", "manifest.csv", "quarantine.csv", "shift.json"),
        f"results/{study}/table.csv",
        f"results/{study}/external.csv",
        f"results/{study}/card.md",
        f"results/{study}/checklist.md",
        f"results/{study}/card.json",
        *(run.result("metrics", ".json") for run in PARAMS.runs(study)),
        *(run.result("training", "/record.json") for run in PARAMS.trained_runs(study)),
        *pictures_of(study),
    ]


# For people, `sha256sum -c`; for DVC, one small file a study that stands for all the others.
rule checksums:
    input:
        lambda wildcards: reported(wildcards.study),
    output:
        "results/checksums/{study}.txt",
    log:
        "logs/{study}/checksums.log",
    localrule: True
    shell:
        "sha256sum {input} > {output} 2> {log}"


rule report:
    input:
        [f"workflow/report/{name}" for name in ["report.css", "report.js", "thresholds.js"]],
        expand("results/checksums/{study}.txt", study=PARAMS.studies),
        manifests=expand("data/{study}/manifest.csv", study=PARAMS.studies),
        groups=expand("data/{study}/groups.csv", study=PARAMS.studies),
        quarantines=expand("data/{study}/quarantine.csv", study=PARAMS.studies),
        counts=expand("data/{study}/counts.csv", study=PARAMS.studies),
        withdrawn=expand("data/{study}/withdrawn.csv", study=PARAMS.studies),
        consents=expand("data/{study}/consent.csv", study=PARAMS.studies),
        splits=[
            f"data/{study}/split/fold{PARAMS.study(study)['folds'][0]}.csv"
            for study in PARAMS.studies
        ],
        tables=expand("results/{study}/table.csv", study=PARAMS.studies),
        external=expand("data/{study}/external/sets.csv", study=PARAMS.studies),
        external_tables=expand("results/{study}/external.csv", study=PARAMS.studies),
        external_groups=files_of_external(PARAMS.studies, "groups.csv"),
        external_manifests=files_of_external(PARAMS.studies, "manifest.csv"),
        shifts=files_of_external(PARAMS.studies, "shift.json"),
        cards=expand("results/{study}/card.json", study=PARAMS.studies),
        metrics=[
            run.result("metrics", ".json")
            for study in PARAMS.studies
            for run in PARAMS.runs(study)
        ],
        records=[
            run.result("training", "/record.json")
            for study in PARAMS.studies
            for run in PARAMS.trained_runs(study)
        ],
        figures=[path for study in PARAMS.studies for path in pictures_of(study)],
        captions=captions(),
        texts="workflow/report/texts.yaml",
        template="workflow/report/report.html.jinja",
    output:
        report="results/report.html",
    log:
        "logs/report.log",
    localrule: True
    resources:
        **asks(mem_mb=2000, runtime=15),
    params:
        **step("report", lambda wildcards: []),
    shell:
        python("report")
