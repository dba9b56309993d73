"""Several runs in one command, one after another and resumable."""

import chex
import pytest

from dlcourse import training
from dlcourse.errors import UsageError
from dlcourse.training.run.loop import Interrupted
from tests.kinds import KINDS, Config
from tests.training.run.test_loop import At

VARIANTS = {kind: KINDS[kind] for kind in ("classifier", "batch_norm")}


def test_a_stopped_command_goes_on_from_the_folder_it_names(tmp_path, monkeypatch):
    config = Config(workdir=tmp_path)
    message = f"classifier: .*step 14/23.*--workdir {tmp_path} goes on"
    signal = At(monkeypatch, 14)
    with pytest.raises(Interrupted, match=message):
        training.run_variants(VARIANTS, config, name="several", interruption=signal)
    monkeypatch.undo()
    assert not (tmp_path / "batch_norm").exists()
    results, folder = training.run_variants(VARIANTS, config, name="several")
    assert folder == tmp_path
    assert list(results) == list(VARIANTS)
    for kind, result in results.items():
        assert result.folder.path == tmp_path / kind
        assert result.summary["experiment"] == f"several/{kind}"
        alone = training.run(
            VARIANTS[kind](config), Config(workdir=tmp_path / "alone" / kind), name=kind
        )
        chex.assert_trees_all_equal(result.state, alone.state)


def test_a_command_that_names_no_variant_is_told_so(tmp_path):
    with pytest.raises(UsageError, match="several has nothing to run"):
        training.run_variants({}, Config(workdir=tmp_path), name="several")
