"""Running experiments: what a run computes, the loop that drives every learner, and commands."""

from dlcourse.streams import stream as stream
from dlcourse.training.commands.compare import Runs as Runs
from dlcourse.training.commands.compare import run_rows as run_rows
from dlcourse.training.commands.evaluate import load as load
from dlcourse.training.commands.main import main as main
from dlcourse.training.config import Config as Config
from dlcourse.training.engine.population import over_seeds as over_seeds
from dlcourse.training.engine.population import population as population
from dlcourse.training.experiment import Experiment as Experiment
from dlcourse.training.limits import AT_LEAST_1 as AT_LEAST_1
from dlcourse.training.limits import NOT_NEGATIVE as NOT_NEGATIVE
from dlcourse.training.limits import POSITIVE as POSITIVE
from dlcourse.training.limits import SHARE as SHARE
from dlcourse.training.limits import SIZE as SIZE
from dlcourse.training.run.finished import Run as Run
from dlcourse.training.run.folder import summarize as summarize
from dlcourse.training.run.start import run as run
