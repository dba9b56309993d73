"""What every test runs under: JAX's strictest settings and one shared compilation cache."""

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
# Most tests compile for seconds what runs for milliseconds, so LLVM need not try hard. With 0 in
# the environment it does, which CI asks for in the run of the core under the newest JAX.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(0)
