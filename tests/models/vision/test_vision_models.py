"""Vision models: published parameter counts, and logits equal to PyTorch's."""

import functools
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse.errors import UserError
from dlcourse.models import (
    CNN,
    AlexNet,
    AlexNetCIFAR,
    CIFARModel1,
    CIFARModel2,
    CIFARModel3,
    LeNet5,
    ResNet,
    ResNet18,
    ResNet20,
    ResNet32,
    ResNet34,
    ResNet50,
    ResNet56,
    UNet,
)
from dlcourse.models.vision.alexnet import local_response_norm
from dlcourse.models.vision.resnet import Bottleneck, zero_padding
from tests import FIXTURES
from tests.fixtures.weights import draw
from tests.models.variables import drawn, images

FIXTURE = np.load(FIXTURES / "vision.npz")


@pytest.mark.parametrize(
    ("model", "image", "output", "count"),
    [
        (LeNet5(), (28, 28, 1), (10,), 61_706),
        (LeNet5(), (32, 32, 1), (10,), 61_706),
        (CNN(), (8, 8, 1), (10,), 19_562),
        (CIFARModel1(), (32, 32, 3), (10,), 3_426_250),
        (CIFARModel2(), (32, 32, 3), (10,), 62_006),
        (CIFARModel3(), (32, 32, 3), (10,), 5_852_170),
        (AlexNet(), (224, 224, 3), (1000,), 62_378_344),
        (AlexNet(), (227, 227, 3), (1000,), 62_378_344),
        (AlexNetCIFAR(), (32, 32, 3), (10,), 7_139_722),
        (ResNet18(), (224, 224, 3), (1000,), 11_689_512),
        (ResNet34(), (224, 224, 3), (1000,), 21_797_672),
        (ResNet50(), (224, 224, 3), (1000,), 25_557_032),
        (ResNet20(), (32, 32, 3), (10,), 269_722),
        (ResNet32(), (32, 32, 3), (10,), 464_154),
        (ResNet56(), (32, 32, 3), (10,), 853_018),
        (UNet(padding=0, batch_norm=False), (572, 572, 1), (388, 388, 2), 31_030_658),
        (UNet((16, 32, 64, 128)), (40, 48, 1), (40, 48, 2), 482_466),
    ],
)
def test_parameter_counts_and_output_shapes(key, model, image, output, count) -> None:
    out, variables = jax.eval_shape(model.init_with_output, key, images(2, *image))
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(variables["params"])) == count
    assert out.shape == (2, *output)


def lenet_names() -> dict[str, str]:
    names = {f"Conv_{i}": f"conv{i + 1}" for i in range(2)}
    return names | {f"Dense_{i}": f"fc{i + 1}" for i in range(3)}


def model3_names() -> dict[str, str]:
    names = {f"Dense_{i}": f"classifier.{2 * i}" for i in range(3)}
    for stage in range(3):
        names[f"Conv_{2 * stage}"] = f"features.{6 * stage}"
        names[f"BatchNorm_{stage}"] = f"features.{6 * stage + 1}"
        names[f"Conv_{2 * stage + 1}"] = f"features.{6 * stage + 3}"
    return names


def alexnet_names() -> dict[str, str]:
    names = {f"Conv_{i}": f"features.{j}" for i, j in enumerate((0, 4, 8, 10, 12))}
    return names | {f"Dense_{i}": f"classifier.{2 * i}" for i in range(3)}


def resnet_names(stages: tuple[int, ...], block: str = "BasicBlock") -> dict[str, str]:
    names = {"Conv_0": "conv1", "BatchNorm_0": "bn1", "Dense_0": "fc"}
    places = [f"layer{s + 1}.{i}" for s, count in enumerate(stages) for i in range(count)]
    for index, place in enumerate(places):
        ours = f"{block}_{index}"
        for conv in range(3):
            names[f"{ours}/Conv_{conv}"] = f"{place}.conv{conv + 1}"
            names[f"{ours}/BatchNorm_{conv}"] = f"{place}.bn{conv + 1}"
        names[f"{ours}/projection"] = f"{place}.downsample.0"
        names[f"{ours}/projection_norm"] = f"{place}.downsample.1"
    return names


def unet_names(levels: int, norm: bool) -> dict[str, str]:
    second = 3 if norm else 2
    doubles = [f"down.{i}" for i in range(levels)] + [f"conv.{i}" for i in range(levels - 1)]
    names = {f"UpConv_{i}": f"up.{i}" for i in range(levels - 1)}
    for index, place in enumerate(doubles):
        for half, offset in enumerate((0, second)):
            names[f"Conv_{2 * index + half}"] = f"{place}.{offset}"
            names[f"BatchNorm_{2 * index + half}"] = f"{place}.{offset + 1}"
    return names | {f"Conv_{2 * len(doubles)}": "out"}


# name of the fixture: our model, its image, our names -> PyTorch's, the shape that is flattened
TWINS = {
    "lenet": (LeNet5(), (3, 28, 28, 1), lenet_names(), (16, 5, 5)),
    "model2": (CIFARModel2(), (3, 32, 32, 3), lenet_names(), (16, 5, 5)),
    "model3": (CIFARModel3(dropout=0.0), (5, 32, 32, 3), model3_names(), (256, 4, 4)),
    "alexnet": (
        AlexNet(num_classes=10, features=(7, 11, 13, 5, 3), hidden=17),
        (2, 63, 63, 3),
        alexnet_names(),
        (3, 1, 1),
    ),
    "resnet_basic": (
        ResNet((1, 2), num_classes=10, features=5),
        (3, 37, 37, 3),
        resnet_names((1, 2)),
        None,
    ),
    "resnet_bottleneck": (
        ResNet((2, 1), Bottleneck, num_classes=10, features=3),
        (3, 37, 37, 3),
        resnet_names((2, 1), "Bottleneck"),
        None,
    ),
    "resnet_cifar": (
        ResNet((1, 2, 1), num_classes=10, features=5, small_images=True, shortcut=zero_padding),
        (3, 11, 11, 3),
        resnet_names((1, 2, 1)),
        None,
    ),
    "unet": (UNet((3, 5, 7)), (2, 12, 12, 1), unet_names(3, norm=True), None),
    "unet_valid": (
        UNet((3, 5, 7), padding=0, batch_norm=False),
        (2, 44, 44, 1),
        unet_names(3, norm=False),
        None,
    ),
}
KINDS = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


def torch_name(path: tuple, names: dict[str, str]) -> str:
    _, *modules, kind = (entry.key for entry in path)
    return f"{names['/'.join(modules)]}.{KINDS[kind]}"


@functools.cache
def twin(fixture: str) -> tuple[nn.Module, dict, np.ndarray]:
    """Our model, the PyTorch twin's weights in our layout, and the image."""
    model, shape, names, flattened = TWINS[fixture]
    batch, height, width, channels = shape
    image = draw(f"{fixture}/image", (batch, channels, height, width)).transpose(0, 2, 3, 1)

    def place(path: tuple, leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        name = torch_name(path, names)
        stored = f"{fixture}/{name}"
        if len(leaf.shape) == 1:
            return draw(stored, leaf.shape)
        if len(leaf.shape) == 4:
            *window, inputs, outputs = leaf.shape
            if name.startswith("up."):
                return draw(stored, (inputs, outputs, *window)).transpose(2, 3, 0, 1)
            return draw(stored, (outputs, inputs, *window)).transpose(2, 3, 1, 0)
        inputs, outputs = leaf.shape
        weight = draw(stored, (outputs, inputs))
        if path[-2].key == "Dense_0" and flattened:
            # PyTorch flattens channels, height, width; we flatten height, width, channels.
            weight = weight.reshape(outputs, *flattened).transpose(0, 2, 3, 1)
        return weight.reshape(outputs, inputs).T

    shapes = jax.eval_shape(model.init, jax.random.key(0), image)
    return model, jax.tree_util.tree_map_with_path(place, shapes), image


def close(ours: jax.Array, theirs: np.ndarray) -> None:
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5 * scale)


def channels_last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, 1, -1)


@functools.cache
def outputs(fixture: str) -> dict[str, Any]:
    """The twin's logits, and its training pass where the fixture has one, as one program."""
    model, variables, image = twin(fixture)

    @jax.jit
    def passes(variables: dict, image: jax.Array) -> dict[str, Any]:
        found = {"eval": model.apply(variables, image)}
        if f"{fixture}/train" in FIXTURE:
            found["train"] = model.apply(
                variables,
                image,
                train=True,
                mutable=["batch_stats", "intermediates"],
                capture_intermediates=lambda module, _: isinstance(module, nn.BatchNorm),
            )
        return found

    return jax.tree.map(np.asarray, passes(variables, image))


@pytest.mark.parametrize("fixture", TWINS)
def test_logits_are_pytorchs(fixture) -> None:
    close(outputs(fixture)["eval"], channels_last(FIXTURE[f"{fixture}/eval"]))


@pytest.mark.parametrize("fixture", [key[:-6] for key in FIXTURE if key.endswith("/train")])
def test_a_training_pass_and_its_running_statistics_are_pytorchs(fixture) -> None:
    _, variables, _ = twin(fixture)
    logits, updated = outputs(fixture)["train"]
    close(logits, channels_last(FIXTURE[f"{fixture}/train"]))

    normalised = jax.tree.map(
        lambda x: math.prod(x.shape[:-1]),
        updated["intermediates"],
    )

    def check(path: tuple, old: np.ndarray, new: np.ndarray) -> None:
        theirs = FIXTURE[f"{fixture}/{torch_name(path, TWINS[fixture][2])}"]
        if path[-1].key == "var":
            # PyTorch divides by n - 1 what it keeps, and by n what it normalises with.
            count = normalised
            for entry in path[1:-1]:
                count = count[entry.key]
            (count,) = count["__call__"]
            new = 0.9 * old + (new - 0.9 * old) * count / (count - 1)
        close(new, theirs)

    tree = {"batch_stats": variables["batch_stats"]}
    jax.tree_util.tree_map_with_path(check, tree, {"batch_stats": updated["batch_stats"]})


def test_the_gradient_of_a_logit_is_pytorchs() -> None:
    model, variables, image = twin("model2")
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(model.apply(variables, x)[:, 3])))(image)
    close(gradient, channels_last(FIXTURE["model2/gradient"]))


def test_local_response_norm_is_pytorchs() -> None:
    x = channels_last(draw("lrn", (2, 7, 3, 2)))
    theirs = np.load(FIXTURES / "convolution.npz")["local_response_norm"]
    close(jax.jit(functools.partial(local_response_norm, alpha=0.1))(x), channels_last(theirs))


def test_a_new_residual_block_lets_its_input_through(key) -> None:
    model = ResNet((1,), num_classes=3, features=5, small_images=True)
    init = jax.jit(functools.partial(model.init_with_output, capture_intermediates=True))
    _, seen = jax.tree.map(np.asarray, init(key, draw("image", (2, 7, 7, 3))))
    stem = np.maximum(seen["intermediates"]["BatchNorm_0"]["__call__"][0], 0)
    np.testing.assert_array_equal(seen["intermediates"]["BasicBlock_0"]["__call__"][0], stem)


@pytest.mark.parametrize("hidden", [None, 13])
def test_the_small_cnn_depends_on_its_batch_only_in_training(key, hidden) -> None:
    model = CNN((5, 7), num_classes=3, hidden=hidden, dropout=0.5)
    batch = draw("batch", (4, 11, 9, 2))
    variables = drawn(model, images(*batch.shape))

    @jax.jit
    def outputs(x: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        trained, _ = model.apply(
            variables, x, train=True, rngs={"dropout": key}, mutable=["batch_stats"]
        )
        return model.apply(variables, x), trained

    # One example four times has the batch's shape, which spares another program.
    evaluated, trained = outputs(batch, key)
    alone, trained_alone = outputs(np.repeat(batch[:1], 4, axis=0), key)
    np.testing.assert_allclose(evaluated[:1], alone[:1], atol=1e-6)
    assert not np.allclose(trained[:1], trained_alone[:1], atol=1e-3)
    assert not np.allclose(trained, outputs(batch, jax.random.key(1))[1], atol=1e-3)


@pytest.mark.parametrize(
    ("model", "image", "message"),
    [
        (LeNet5(), (30, 30, 1), r"LeNet-5 reads images of 28x28 or 32x32, got \(30, 30\)"),
        (AlexNet(), (32, 32, 3), "too small for this network"),
        (CNN((3, 5, 7)), (7, 7, 1), "a window of 2 does not fit 1 pixels"),
        (UNet((2, 3, 5)), (12, 10, 1), "one of them is 6x5: .* a multiple of 4"),
        (UNet((2, 3), padding=0), (11, 10, 1), "one of them is 7x6: choose an image size"),
    ],
)
def test_an_image_of_the_wrong_size_is_refused(key, model, image, message) -> None:
    with pytest.raises(UserError, match=message):
        jax.eval_shape(model.init, key, images(2, *image))
