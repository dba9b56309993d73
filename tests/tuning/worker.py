"""A worker of a study without training; processes of their own import this file."""

import os
import pathlib
import signal
import time

import numpy as np

from dlcourse.tuning import methods
from dlcourse.tuning.space import LogUniform
from dlcourse.tuning.study import Study

SPACE = {"x": LogUniform(1e-3, 1e1)}


def proposer(trials):
    return methods.make_method("random", SPACE, trials, maximize=False, seed=0)


def height(values):
    return (np.log10(values["x"]) + 1) ** 2


def work(folder, pause, trials=24, *, start=None, dies=False):
    """Works until all trials are taken, or until it is killed over its fourth trial."""
    with Study(pathlib.Path(folder), SPACE, maximize=False) as study:
        done = 0
        if start is not None:
            start.wait()
        while groups := study.claim(proposer(trials), 2, lambda values: 0):
            for trial in groups[0]:
                if dies and done == 3:
                    os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(pause)
                if trial.state == "running":
                    study.complete(trial, height(trial.values))
                    done += 1
