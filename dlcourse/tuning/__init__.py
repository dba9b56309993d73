"""Search over hyperparameters: one space, several methods, any experiment file."""

from dlcourse.tuning.compare import Studies as Studies
from dlcourse.tuning.compare import main as main
from dlcourse.tuning.plan import Search as Search
from dlcourse.tuning.results import Result as Result
from dlcourse.tuning.search import search as search
from dlcourse.tuning.space import Choice as Choice
from dlcourse.tuning.space import Integer as Integer
from dlcourse.tuning.space import LogUniform as LogUniform
from dlcourse.tuning.space import Space as Space
from dlcourse.tuning.space import Uniform as Uniform
from dlcourse.tuning.trial import Trial as Trial
