"""The loop that drives every learner, and what a run needs around it."""

from dlcourse.training.command_line import launch as launch
from dlcourse.training.command_line import main as main
from dlcourse.training.config import AT_LEAST_1 as AT_LEAST_1
from dlcourse.training.config import NOT_NEGATIVE as NOT_NEGATIVE
from dlcourse.training.config import Config as Config
from dlcourse.training.experiment import Experiment as Experiment
from dlcourse.training.loop import Result as Result
from dlcourse.training.loop import run as run
from dlcourse.training.population import over_seeds as over_seeds
from dlcourse.training.population import population as population
from dlcourse.training.run_folder import summarize as summarize
from dlcourse.training.streams import stream as stream
from dlcourse.training.variants import run_variants as run_variants
