"""Compiled programs, kept in the user's cache folder for a quicker next start."""

import copy
import functools
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

import jax

Put = Callable[[Any, str, bytes], None]


def keep_programs() -> None:
    """Keeps programs in the folder that JAX is told of, by default in the user's cache folder."""
    _write_whole()
    if jax.config.values["jax_compilation_cache_dir"] is None:
        import platformdirs

        cache = pathlib.Path(platformdirs.user_cache_dir("dlcourse")) / "xla"
        jax.config.update("jax_compilation_cache_dir", str(cache))
        # The first step waits for many small programs too.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@functools.cache
def _write_whole() -> None:
    """Makes JAX rename programs into place.

    It writes them in place, so a killed process can leave half of one. JAX never replaces it: each
    later run would warn of it and compile the program again.
    """
    try:
        from jax._src.lru_cache import LRUCache  # JAX offers no public way
    except ImportError:
        return
    modified: Any = LRUCache
    modified.put = _renamed_into_place(LRUCache.put)


def _renamed_into_place(put: Put) -> Put:
    def put_whole(cache: Any, key: str, value: bytes) -> None:
        # A cache of limited size is locked while it is written, and a remote one is no folder.
        if cache.eviction_enabled or not pathlib.Path(cache.path).is_dir():
            put(cache, key, value)
            return
        with tempfile.TemporaryDirectory(prefix="unfinished-", dir=cache.path) as unfinished:
            elsewhere = copy.copy(cache)
            elsewhere.path = pathlib.Path(unfinished)
            put(elsewhere, key, value)
            for file in elsewhere.path.iterdir():
                file.replace(pathlib.Path(cache.path) / file.name)

    return put_whole
