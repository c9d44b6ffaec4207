"""Training throughput of each study against the same steps on one batch that is there already."""

from __future__ import annotations

import argparse
from functools import partial

import bench
import training

SIZES = {"braintriage": (3, 96), "xray_heads": (1, 64), "xray_findings": (1, 64)}
SIZES |= {"pneumonia": (1, 64), "mhist": (3, 64), "melanoma": (3, 64)}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=256)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--device", default="cpu")
    options.add_argument("--threads", type=int, default=1)
    arguments = options.parse_args()
    rows = []
    for study in training.PARAMS.studies:
        channels, size = SIZES[study]
        arm = training.first_arm(study)
        made = training.prepare(
            training.recipe(study, arm),
            arguments.images,
            channels,
            size,
            arguments.threads,
            arguments.device,
        )
        resident = partial(made.resident, next(made.windows()))
        resident()
        times = bench.interleaved({"epoch": made.epoch, "resident": resident}, arguments.rounds)
        on = "processor" if arguments.device == "cpu" else "wall"
        epoch, idle = times["epoch"], times["resident"]
        share = bench.ratio(idle, epoch, on)
        rows.append((study, arm, size, made.images / epoch.seconds, f"{share:.1%}"))
    bench.report(
        "training",
        "Training: what the data path costs",
        f"Steps of an epoch of {arguments.images} pictures, gathered, normalised and augmented as"
        " the arm wants it, against as many steps on one batch that is on the device already."
        f" On {arguments.device}, {arguments.threads} thread(s).",
        bench.table(["study", "arm", "pixels", "images/s", "of the resident batch's"], rows),
    )


if __name__ == "__main__":
    main()
