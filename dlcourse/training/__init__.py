"""The loop that drives every learner, and what a run needs around it."""

from dlcourse.streams import stream as stream
from dlcourse.training.commands.command_line import launch as launch
from dlcourse.training.commands.command_line import main as main
from dlcourse.training.commands.variants import run_variants as run_variants
from dlcourse.training.config import AT_LEAST_1 as AT_LEAST_1
from dlcourse.training.config import NOT_NEGATIVE as NOT_NEGATIVE
from dlcourse.training.config import Config as Config
from dlcourse.training.engine.population import over_seeds as over_seeds
from dlcourse.training.engine.population import population as population
from dlcourse.training.experiment import Experiment as Experiment
from dlcourse.training.run.folder import summarize as summarize
from dlcourse.training.run.loop import Result as Result
from dlcourse.training.run.loop import run as run
