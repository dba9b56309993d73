"""Diffusion models: learning to take noise away, and sampling by taking all of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from dlcourse import metrics, streams
from dlcourse.errors import UserError
from dlcourse.learner import Batch, Learner, Metrics, Policy, Rule, Trained
from dlcourse.learners.generative.sampled import Features, frechet, from_each, pixels
from dlcourse.learners.rule import HONOURS, forward, forward_in_training, start, update
from dlcourse.models.generative.noise import Noise, Sampled, Target, sample


class Denoising(NamedTuple):
    """What a network is trained to do.

    Attributes:
        model: `model({"image", "step", "label"}, train=...)`, such as a `models.Denoiser`.
        noise: the schedule.
        target: what it predicts.
        classes: number of classes that it knows; 0 for none.
    """

    model: nn.Module
    noise: Noise
    target: Target = "epsilon"
    classes: int = 0


# (state, batch, key) -> images in [0, 1], and those on the way
Sampler = Callable[[Trained, Batch, Any], Sampled]


def sampler(
    task: Denoising,
    *,
    shape: tuple[int, ...],
    steps: int = 50,
    eta: float = 0.0,
    guidance: float = 1.0,
    policy: Policy = Policy(),
) -> Sampler:
    """A function that samples images in [0, 1], one for each `index` of a batch.

    With classes, the images are of the classes `label`, or of any if the batch has none. The
    prediction is then guided (Ho and Salimans, 2022):

        x̂ = x̂(x_t, no class) + s (x̂(x_t, class) - x̂(x_t, no class))

    where s = 1 is the plain conditional model, and s = 0 the unconditional one. x̂ is clipped to
    the range of images.

    Args:
        task: what the network was trained to do.
        shape: height, width and channels of an image.
        steps: number of steps.
        eta: randomness of the steps: 0 for DDIM, 1 for DDPM.
        guidance: s.
        policy: the precision.

    Raises:
        UserError: guidance of a model without classes.
    """
    model, noise, target, classes = task
    if guidance != 1 and not classes:
        raise UserError(f"Guidance of {guidance:g} needs a model that was trained with labels.")
    predict = forward(model, policy)

    def draw(state: Trained, batch: Batch, key: Any) -> Sampled:
        number = batch["index"].shape[0]
        none = jnp.full(number, classes, jnp.int32)
        label = batch.get("label", none)

        def clean(x: Any, t: Any, label: Any) -> Any:
            predicted = predict(state, {"image": x, "step": t, "label": label})
            return noise.clean(target, predicted, x, t)

        def denoise(x: Any, t: Any) -> Any:
            found = clean(x, t, label if guidance else none)
            if guidance not in (0, 1) and "label" in batch:
                without = clean(x, t, none)
                found = without + guidance * (found - without)
            return jnp.clip(found, -1.0, 1.0)

        keys = jax.vmap(jax.random.split)(streams.for_each(key, batch["index"]))
        first = from_each(keys[:, 0], shape)
        if "latent" in batch:
            first = batch["latent"]
        found = sample(denoise, noise, first, keys[:, 1], steps=steps, eta=eta)
        return jax.tree.map(lambda x: jnp.clip((x + 1) / 2, 0.0, 1.0), found)

    return draw


def diffusion(
    task: Denoising,
    rule: Rule,
    draw: Sampler,
    *,
    without_label: float = 0.1,
    features: Features = pixels,
) -> Learner:
    """Denoising diffusion (Ho et al., 2020):

        L(θ) = E_(x, t, ε) mean (f_θ(√ᾱ_t x + √(1 - ᾱ_t) ε, t) - y)²,    y = ε or v

    over the pixels of images in [-1, 1], with t uniform. Evaluation draws one t and one ε for each
    image, from its number, and `frechet` compares a sample with each image of the split. Random
    numbers of evaluation are the same each time.

    `apply` gives a sample in [0, 1] for each `index` of the batch, of the class `label` if there is
    one; with `latent`, from this noise.

    Args:
        task: the network and y; without classes it is trained without labels.
        rule: the optimizer and the policy, `config.rule(data)`.
        draw: a `sampler` of the same task.
        without_label: probability with which a training image has no label, for guidance.
        features: where samples and images are compared.
    """
    model, noise, target, classes = task
    predict, train = forward(model, rule.policy), forward_in_training(model, rule.policy)

    def noised(x: Any, keys: Any) -> tuple[Any, Any, Any]:
        """x_t, t and y, from a key for each image."""
        pairs = jax.vmap(jax.random.split)(keys)
        t = jax.vmap(lambda key: jax.random.randint(key, (), 0, noise.steps))(pairs[:, 0])
        epsilon = from_each(pairs[:, 1], x.shape[1:])
        return noise.add(x, epsilon, t), t, noise.target(target, x, epsilon, t)

    def labels(batch: Batch) -> Any:
        if classes:
            return batch["label"]
        return jnp.zeros(batch["image"].shape[0], jnp.int32)

    def loss(predicted: Any, y: Any, mask: Any = None) -> metrics.Mean:
        return metrics.mean(jnp.mean((predicted - y) ** 2, axis=(1, 2, 3)), mask)

    def init(key: Any, batch: Batch) -> Trained:
        step = jnp.zeros(1, jnp.int32)
        inputs = {"image": batch["image"][:1], "step": step, "label": step}
        return start(rule, model.init(key, inputs))

    def loss_of(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
        image, label = 2 * batch["image"] - 1, labels(batch)
        noise_key, label_key, dropout_key = jax.random.split(key, 3)
        x_t, t, y = noised(image, jax.random.split(noise_key, image.shape[0]))
        if classes:
            dropped = jax.random.bernoulli(label_key, without_label, label.shape)
            label = jnp.where(dropped, classes, label)
        inputs = {"image": x_t, "step": t, "label": label}
        predicted, model_state = train(params, model_state, inputs, dropout_key)
        return loss(predicted, y), ({}, model_state)

    def evaluate(state: Trained, batch: Batch) -> Metrics:
        keys = streams.of_examples("diffusion", batch["index"])
        x_t, t, y = noised(2 * batch["image"] - 1, keys)
        predicted = predict(state, {"image": x_t, "step": t, "label": labels(batch)})
        given = {name: batch[name] for name in ("index", "label") if name in batch and classes}
        samples = draw(state, {"index": batch["index"]} | given, streams.stream(0, "samples")).data
        mask = batch["mask"]
        return {
            "loss": loss(predicted, y, mask),
            "frechet": frechet(features, batch["image"], samples, mask),
        }

    def apply(state: Trained, batch: Batch, key: Any) -> jax.Array:
        return draw(state, batch, key).data

    return Learner(init, update(rule, loss_of), evaluate, apply, HONOURS)
