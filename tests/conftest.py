"""What every test runs under: JAX's strictest settings and one shared compilation cache."""

import functools
import gc
import importlib.metadata
import os
import pathlib
import tempfile

# Before JAX starts: eight simulated devices would slow every test, so the tests that need them
# start their own process (`tests/topologies.py`); here there is one.
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# In the environment, so that the processes that tests start share it.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(pathlib.Path(tempfile.gettempdir()) / "dlcourse-test-xla")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
# Most tests compile for seconds what runs for milliseconds, so the compiler need not try hard. With
# other values in the environment it does, which CI asks for in the run of the core under the newest
# JAX: there these flags of XLA may be unknown, which it takes for an error.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if importlib.metadata.version("jaxlib").startswith("0.10."):
    os.environ.setdefault(
        "XLA_FLAGS",
        "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1",
    )

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_collection_finish() -> None:
    # What is imported stays, so the garbage collector need not visit it again.
    gc.collect()
    gc.freeze()
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: COMPILED.append(event) if "backend_compile" in event else None
    )


COMPILED = []  # what this worker compiled since it last forgot


@pytest.fixture(scope="module", autouse=True)
def bounded_memory():
    """A small compiled program takes more than a megabyte, and a worker compiles thousands."""
    yield
    if len(COMPILED) > 500:
        jax.clear_caches()
        gc.collect()
        COMPILED.clear()


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(0)


@pytest.fixture(scope="module")
def without_curves():
    """Runs draw no learning curves, which take longer than the few steps of a test."""
    from dlcourse.training.run import drawing

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(drawing, "draw_curves", lambda rows: None)
        yield


@pytest.fixture(scope="module")
def shared_programs():
    """Runs of one learner on the same batches share their compiled programs.

    Programs are pure functions: the runs of a file that differ only in their folder, or in where
    they stop, would trace and compile the same ones each time. A resumed run that compiles its own
    is tested through the command line.
    """
    from dlcourse.training.engine.programs import Programs
    from dlcourse.training.run import loop

    made = {}

    def programs(learner, feed, mesh, seeds, closings, clock):
        key = (
            learner, type(feed), feed.data, feed.batch_size, *feed.seeds, feed.capacity, closings,
            mesh,
        )  # fmt: skip
        if key not in made:
            made[key] = Programs(learner, feed, mesh, seeds, closings, clock)
        made[key]._clock = clock
        return made[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop, "Programs", programs)
        patched.setattr(loop, "over_seeds", functools.cache(loop.over_seeds))
        yield
    made.clear()
    jax.clear_caches()
