"""Compiled programs that are kept for the next start, also by a process that is stopped."""

import pathlib

import pytest
from jax._src.lru_cache import LRUCache

from dlcourse.training.commands.compiled import _renamed_into_place


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """JAX's cache as commands use it; other tests of this process keep theirs."""
    monkeypatch.setattr(LRUCache, "put", _renamed_into_place(LRUCache.put))
    return LRUCache(str(tmp_path / "xla"), max_size=-1)


def test_a_program_is_kept_as_a_whole(cache):
    cache.put("step", b"compiled")
    assert cache.get("step") == b"compiled"
    assert len([*cache.path.iterdir()]) == 1


def test_half_a_program_is_not_kept(cache, monkeypatch):
    """JAX alone would find the half in every later run, and never replace it."""

    def write_half(place, content):
        with place.open("wb") as file:
            file.write(content[:4])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pathlib.Path, "write_bytes", write_half)
        with pytest.raises(KeyboardInterrupt):
            cache.put("step", b"compiled")
    assert cache.get("step") is None
    cache.put("step", b"compiled")
    assert cache.get("step") == b"compiled"
