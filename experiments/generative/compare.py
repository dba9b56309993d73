"""Four generative models on the same images: GAN, VAE, flow and diffusion.

    python experiments/generative/compare.py

Each row is the experiment of its own file, with the length and the optimizer that this has by
default, unless an option here says otherwise. The VAE draws its binary pixels anew at each step, so
that its mean images are grey. Likelihoods are comparable only of models of the same pixels: bits
per dimension are those of the flow. Not yet measured.
"""

import dataclasses
import functools
import pathlib
import time
from typing import Any, Literal

import numpy as np

from dlcourse import analysis, data, training
from dlcourse.training.commands.parse import load_experiment

Model = Literal["GAN", "VAE", "flow", "diffusion"]
FILES = {"GAN": "gan", "VAE": "vae", "flow": "flow_images", "diffusion": "diffusion"}
SHOWN, TIMED = 12, 1000  # samples


@dataclasses.dataclass(frozen=True)
class Config(training.Config, data.ImageSet):
    """One of four generative models."""

    selects = frozenset({"models"})

    extractor: str | None = None
    """Features in which samples are compared: a set's name, or a file; by default the set's."""
    model: Model = "GAN"
    """Model of a run."""
    models: tuple[Model, ...] = ("GAN", "VAE", "flow", "diffusion")
    """Models that are compared."""
    evaluate_every: str = "50%"
    """Interval between evaluations on the validation split."""

    def own(self) -> training.Config:
        """The config of the model's own experiment, with the options that are given here."""
        shared = [field for field in dataclasses.fields(training.Config) if field.init]
        default = {field.name: field.default for field in dataclasses.fields(Config)}
        given = {
            field.name: getattr(self, field.name)
            for field in shared
            if getattr(self, field.name) != default[field.name]
        }
        alike = ("dataset", "image_size", "extractor", "batch_size")
        given |= {name: getattr(self, name) for name in alike}
        if self.model == "VAE":
            given["binarisation"] = "dynamic"
        found: training.Config = file_of(self.model).Config(**given)
        return found

    def total_steps(self, data: data.Dataset) -> int:
        """The length of the model's own experiment."""
        return self.own().total_steps(data)


@functools.cache
def file_of(model: Model) -> Any:
    return load_experiment(pathlib.Path(__file__).with_name(f"{FILES[model]}.py"))


def experiment(config: Config) -> training.Experiment:
    made: training.Experiment = file_of(config.model).experiment(config.own())
    return made


def variants(config: Config) -> dict[str, Config]:
    return {model: dataclasses.replace(config, model=model) for model in config.models}


def report(runs: training.Runs) -> analysis.Report:
    config, images = runs.config, next(iter(runs.values())).experiment.data
    features = analysis.extractor(config.extractor or config.dataset)
    drawn = {row: (run.experiment.learner.apply, run.by_seed()) for row, run in runs.items()}
    rows: dict[str, dict[str, Any]] = dict(analysis.quality_rows(drawn, images, features))
    test = images.prepare(images.read(images.splits["test"][:SHOWN]))
    shown = {"test images": np.asarray(test["image"])}
    for row, run in runs.items():
        apply, state = drawn[row][0], drawn[row][1][0]
        shown[row] = analysis.samples(apply, state, TIMED)[:SHOWN]
        start = time.process_time()  # now it is compiled
        analysis.samples(apply, state, TIMED)
        rows[row]["CPU seconds per 1,000"] = time.process_time() - start
        rows[row]["training seconds"] = run.summary["seconds"]
        rows[row]["parameters"] = str(run.summary["parameters"])
        if "bits_per_dimension" in run.summary["metrics"]["test"]:
            rows[row]["bits per dimension"] = run.values("test", "bits_per_dimension")
    table = analysis.Table(
        f"{config.dataset}: samples beside the test split, in features of {features.name}",
        rows, "frechet", lower_is_better=True, diverged=runs.diverged,
        percent=["precision", "recall"],
    )  # fmt: skip
    return analysis.Report(table, {"samples": analysis.draw_rows(shown)})


if __name__ == "__main__":
    training.main(experiment, Config, variants, report)
