"""A study on disk, shared by processes that may be killed."""

import json
import multiprocessing
import signal
from collections import Counter

import pytest

from dlcourse.errors import UserError
from dlcourse.tuning.lock import JournalLock
from dlcourse.tuning.study import Study
from tests.tuning.worker import SPACE, height, proposer, work


def test_workers_share_a_study_and_replace_each_other(tmp_path):
    """Three at once, one of them killed over a trial: none is lost, none made twice."""
    # Processes that fork from one that has imported everything, once instead of three times.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([work.__module__])
    start = context.Barrier(3)
    workers = [
        context.Process(
            target=work, args=(str(tmp_path), 0.05), kwargs={"start": start, "dies": dies}
        )
        for dies in (True, False, False)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [-signal.SIGKILL, 0, 0]
    alone = proposer(24).propose([], 24)
    with Study(tmp_path, SPACE, maximize=False) as study:
        trials = study.trials
        assert [trial.values for trial in trials] == alone
        assert [trial.value for trial in trials] == [height(values) for values in alone]
        assert study.importances() == {"x": 1.0}
    by_worker = Counter(trial.worker for trial in trials)
    assert len(by_worker) == 3
    assert 3 in by_worker.values()  # the killed one's; another took the fourth over
    # Every claim is in the journal once: nothing was created twice.
    journal = [json.loads(line) for line in (tmp_path / "journal.log").read_text().splitlines()]
    assert sum(entry["op_code"] == 4 for entry in journal) == 24


def test_half_a_line_in_the_journal_is_forgotten(tmp_path):
    """As a full disk leaves it."""
    work(tmp_path, 0.0, trials=2)
    journal = tmp_path / "journal.log"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 4, "wor')
    work(tmp_path, 0.0, trials=4)
    assert journal.read_bytes().startswith(whole)
    with Study(tmp_path, SPACE, maximize=False) as study:
        assert [trial.state for trial in study.trials] == ["complete"] * 4
    assert not JournalLock(journal)._torn()
    journal.write_bytes(whole[:-60] + b"}\n" + whole)
    with pytest.raises(UserError, match=r"journal\.log is damaged"):
        work(tmp_path, 0.0, trials=4)


def test_a_damaged_description_of_a_search_is_named(tmp_path):
    with Study(tmp_path, SPACE, maximize=False) as study:
        study.require_same({"method": "grid", "trials": 4}, extends=False)
        (tmp_path / "search.json").write_text('{"method": "gr')
        with pytest.raises(UserError, match=r"search\.json is damaged"):
            study.require_same({"method": "grid", "trials": 4}, extends=False)
