# What `snakemake <study>_<step>` makes: all files of one step of a study, as dvc.yaml names them.
STEP_FILES = {
    "images": lambda study: shards(study, ".npy"),
    "split": lambda study: [
        f"data/{study}/split/fold{fold}.csv" for fold in PARAMS.study(study)["folds"]
    ],
    "external": lambda study: [
        f"data/{study}/external/sets.csv",
        *files_of_external([study], "quarantine.csv"),
    ],
    "statistics": lambda study: [
        f"data/{study}/statistics/fold{fold}.json" for fold in PARAMS.study(study)["folds"]
    ],
    "training": lambda study: [run.checkpoint for run in PARAMS.trained_runs(study)],
    "predictions": lambda study: [
        run.result("predictions", f"/{name}.csv")
        for run in PARAMS.runs(study)
        for name in ["val", "test", *(each.partition("/")[2] for each in PARAMS.external(study))]
    ]
    + submitted(study),
    "metrics": lambda study: [
        run.result("metrics", suffix)
        for run in PARAMS.runs(study)
        for suffix in [".json", *(f"/{Path(each).name}.json" for each in PARAMS.external(study))]
    ],
    "memorise": lambda study: [
        f"results/{study}/memorise/{arm.name}"
        f"/fold{PARAMS.study(study)['folds'][0]}-seed{arm.seeds[0]}.json"
        for arm in PARAMS.arms(study).values()
        if arm.stage == "training" and arm.search is None and not arm.is_floor
    ],
    "export": lambda study: [f"results/{study}/model.onnx"],
    "explore": lambda study: pictures_in("explore", study),
    "figures": lambda study: pictures_in("figures", study) + pictures_in("explain", study),
}
# DVC reads the list of external sets, which may be empty, with what may be of them.
OF_EXTERNAL = ["predictions", "metrics"]


for study in PARAMS.studies:
    for step, files_of in STEP_FILES.items():

        rule:
            name:
                target(study, step)
            input:
                files_of(study),
                [f"data/{study}/external/sets.csv"] * (step in OF_EXTERNAL),
