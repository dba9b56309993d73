"""Writing a trained model for other programs: its weights, and what it computes."""

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax import export as library

from dlcourse import parameters
from dlcourse.data.optional import require
from dlcourse.errors import UserError, reason
from dlcourse.learner import trained_by_path
from dlcourse.training.run.finished import Run

WEIGHTS, PROGRAM, SIGNATURE = "weights.safetensors", "apply.stablehlo", "signature.json"


def export(run: Run, place: pathlib.Path, seed: int = 0) -> Iterator[str]:
    """Writes three files, and yields what is in each.

    `weights.safetensors` has the weights by their path, such as `Dense_0/kernel`.
    `apply.stablehlo` is the compiled `apply` with its weights inside, from a batch as the data set
    has it, such as uint8 images, to the outputs. JAX alone reads it:

        program = jax.export.deserialize(open("apply.stablehlo", "rb").read())
        logits = program.call({"image": images})

    `signature.json` names its inputs and outputs with their shapes and types. Random numbers are
    those of `jax.random.key(0)`.

    Args:
        run: a finished run.
        place: the folder to write.
        seed: which seed's weights, counted from 0.

    Raises:
        UserError: a package is not installed, or the folder cannot be written.
    """
    require("flatbuffers", "exporting a program")  # JAX writes programs with it
    safetensors = require("safetensors.numpy", "exporting weights")
    state = run.by_seed()[seed]
    weights = {}
    for place_of, part in trained_by_path(state).items():
        for path, leaf in jax.tree_util.tree_leaves_with_path(part.weights):
            weights[f"{place_of}/{parameters.name(path)}".lstrip("/")] = np.asarray(leaf)
    program, inputs, rows = _program(run, state)
    outputs = jax.tree.map(str, jax.tree.unflatten(program.out_tree, program.out_avals))
    signature = {"experiment": run.name, "inputs": inputs, "outputs": outputs}
    try:
        place.mkdir(parents=True, exist_ok=True)
        safetensors.save_file(weights, place / WEIGHTS)
        (place / PROGRAM).write_bytes(program.serialize())
        (place / SIGNATURE).write_text(json.dumps(signature, indent=2) + "\n")
    except OSError as error:
        raise UserError(
            f"{place} cannot be written ({error.strerror or reason(error)})."
        ) from error
    count = sum(array.size for array in weights.values())
    yield f"{place / WEIGHTS}: {count:,} weights in {len(weights)} arrays"
    yield f"{place / PROGRAM}: {', '.join(f'{n} {kind}' for n, kind in inputs.items())}"
    yield f"{' ' * len(str(place / PROGRAM))}  to {outputs}; {rows}"


def _program(run: Run, state: Any) -> tuple[library.Exported, dict[str, str], str]:
    """The exported `apply`, the inputs that it reads, and for how many examples it is."""
    data, learner = run.experiment.data, run.experiment.learner
    example = data.read(data.splits["train"][:1])

    def apply(batch: dict[str, Any]) -> Any:
        return learner.apply(state, data.prepare(batch), jax.random.key(0))

    everything = library.export(jax.jit(apply))(example)
    names = sorted(example)
    used = [names[number] for number in everything.module_kept_var_idx]
    try:
        like = _like({name: example[name] for name in used}, "examples")
        exported, rows = library.export(jax.jit(apply))(like), "for any number of examples"
    except jax.errors.InconclusiveDimensionOperation:  # the program depends on their number
        like = _like({name: example[name] for name in used}, "1")
        exported, rows = library.export(jax.jit(apply))(like), "for one example at a time"
    return exported, {name: f"{spec.dtype}{list(spec.shape)}" for name, spec in like.items()}, rows


def _like(example: dict[str, np.ndarray], count: str) -> dict[str, jax.ShapeDtypeStruct]:
    """The shapes of batches of `count` examples, a number or a symbol."""
    scope = library.SymbolicScope()
    return {
        name: jax.ShapeDtypeStruct(
            library.symbolic_shape(", ".join([count, *map(str, array.shape[1:])]), scope=scope),
            array.dtype,
        )
        for name, array in example.items()
    }
