"""U-Net under three losses: cross-entropy, Dice, and weighted at the boundaries (deck 003).

    python experiments/vision/segmentation.py
    python experiments/vision/segmentation.py --seeds 3
    python experiments/vision/segmentation.py --dataset camvid --features 16 32 64 128 256
        --losses cross-entropy --flip --crop 128 160 --light 0.2 --batch-size 4
        --learning-rate 2e-3 --epochs 36 --evaluate-every "5 epochs"

The same net and seeds for each. `table.json` holds mean IoU, boundary F-score and pixels right;
`masks.png` shows what each says of the same images, `classes.png` the IoU of each class. Test split
of the digit scenes, seeds 0 to 2, two CPU cores, 199 CPU seconds:

                        mean IoU           of digits alone   boundary F
    cross-entropy       0.842 ± 0.062      0.827             0.833 ± 0.064
    Dice                0.824 ± 0.014      0.810             0.684 ± 0.007
    boundary-weighted   0.862 ± 0.023      0.849             0.865 ± 0.034

Dice takes fragments of digits for digits: its mean is over the classes that an image shows, so one
that it does not show costs only what the background loses. A net that draws nothing but background
has a mean IoU of 0.07.

CamVid, the third command, one seed, 28 minutes of processor time on two cores: mean IoU 41.6 %,
84.0 % of the pixels; with `--losses balanced` 41.9 % and 74.2 %. The balance finds what is rare
(cyclists from 0 to 13.5 %, fences 2 to 11, poles 5 to 12) and takes buildings for signs (73 to 40).
The bar, 58 % for a U-Net from scratch at full length on an accelerator, is not reached (SegNet:
46.4 %, FC-DenseNet56: 58.9 %, at twice the resolution).
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal

from dlcourse import analysis, data, learners, losses, models, optim, training
from dlcourse.data import IGNORE, augment
from dlcourse.training.run.interruption import Interruption


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """The losses of deck 003 for segmentation, compared on one U-Net."""

    limits = training.Config.limits | {
        "height": training.NOT_NEGATIVE,
        "width": (0.5, 100),
        "crop": training.AT_LEAST_1,
        "light": (0, 1),
    }

    dataset: str = "digit_scenes"
    """`digit_scenes` are made of bundled digits; `camvid`, `oxford_iiit_pet` prepared by TFDS."""
    features: tuple[int, ...] = (16, 32, 64)
    """The channels of each level of the U-Net."""
    height: float = 3.0
    """How much more a pixel on a boundary costs, under the third loss."""
    width: float = 2.0
    """How many pixels from the boundary that reaches."""
    losses: tuple[Literal["cross-entropy", "Dice", "boundary-weighted", "balanced"], ...] = (
        "cross-entropy",
        "Dice",
        "boundary-weighted",
    )
    """Which of the losses to train with, one run each; `balanced` is cross-entropy with rare
    classes weighted up."""
    flip: bool = False
    """Mirror half of the training images: a street stays a street, a digit no digit."""
    crop: tuple[int, int] | None = None
    """Height and width of a window to train on, cut anew from each image; the net is tested on
    whole images."""
    light: float = 0.0
    """By which share the brightness and contrast of training images change at most."""
    learning_rate: float = 6e-3
    """Adam's rate; it falls to zero along a cosine."""
    batch_size: int = 8
    """Images in a step, over all devices together."""
    epochs: float = 6
    """How often training walks through the train split."""


def pixel_loss(name: str, images: data.Dataset, config: Config) -> learners.PerExample:
    cross_entropy = functools.partial(losses.pixel_cross_entropy, ignore=IGNORE)
    weights = functools.partial(
        losses.boundary_weights, height=config.height, width=config.width, ignore=IGNORE
    )
    match name:
        case "Dice":
            return functools.partial(losses.dice, ignore=IGNORE)
        case "boundary-weighted":
            return lambda logits, labels: cross_entropy(logits, labels, weights(labels))
        case "balanced":
            rarity = losses.median_frequency_weights(analysis.class_pixels(images))
            return lambda logits, labels: cross_entropy(logits, labels, rarity[labels])
    return cross_entropy


def changes(config: Config) -> Callable[[Any, dict], dict]:
    """What happens to training images, and to their masks as far as it moves pixels."""
    moves = [augment.flip] if config.flip else []
    if config.crop:
        moves.append(functools.partial(augment.crop, padding=0, size=config.crop))
    light = functools.partial(augment.colour_jitter, brightness=config.light, contrast=config.light)
    return augment.per_example(
        augment.compose(*moves, *([light] if config.light else [])), augment.compose(*moves)
    )


def experiment(loss: str, config: Config) -> training.Experiment:
    images = data.segmentation(config.dataset, stream=config.stream)
    model = models.UNet(config.features, num_classes=images.num_classes)
    predict = learners.predictor(model, policy=config.policy)
    learner = learners.supervised(
        model,
        pixel_loss(loss, images, config),
        optim.adam(optim.cosine_decay(config.learning_rate, config.total_steps(images))),
        metrics_of={},
        policy=config.policy,
    )
    learner = learners.augmented(learner, changes(config))
    measure = analysis.mask_metrics(predict, images.classes, IGNORE)
    return training.Experiment(learners.measured(learner, measure), images, monitor="max iou")


def body(config: Config, interruption: Interruption) -> None:
    variants = {loss: functools.partial(experiment, loss) for loss in config.losses}
    results, folder = training.run_variants(
        variants, config, name="segmentation", interruption=interruption
    )
    images = data.segmentation(config.dataset, stream=config.stream)
    predict = learners.predictor(models.UNet(config.features, num_classes=images.num_classes))
    masks, rows, classes = {}, {}, {}
    for loss, result in results.items():
        shown, truth, masks[loss] = analysis.predict_masks(predict, result.by_seed()[0], images, 6)
        rows[loss] = {name: result.values("test", name) for name in ("iou", "boundary_f", "pixels")}
        classes[loss] = {
            name: result.values("test", f"class_iou/{name}") for name in images.classes
        }
    figure = analysis.draw_masks(shown, {"truth": truth, **masks}, images.classes)
    figure.savefig(folder / "masks.png", dpi=120)
    analysis.draw_class_iou(classes).savefig(folder / "classes.png", dpi=120)
    analysis.report_measurements(f"U-Net on {config.dataset}, test split", rows, folder)


if __name__ == "__main__":
    training.launch(body, Config)
