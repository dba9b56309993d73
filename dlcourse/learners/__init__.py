"""How a model learns: each a `Learner` of three pure functions, one file a kind."""

from dlcourse.learners.adversarial import gan as gan
from dlcourse.learners.adversarial import sampler as sampler
from dlcourse.learners.adversarial_training import adversarial_training as adversarial_training
from dlcourse.learners.augmented import augmented as augmented
from dlcourse.learners.backpropagation import backpropagation as backpropagation
from dlcourse.learners.descent import descent as descent
from dlcourse.learners.dqn import dqn as dqn
from dlcourse.learners.dqn import player as player
from dlcourse.learners.logistic import logistic_regression as logistic_regression
from dlcourse.learners.measured import measured as measured
from dlcourse.learners.perceptron import mistake_bound as mistake_bound
from dlcourse.learners.perceptron import perceptron as perceptron
from dlcourse.learners.supervised import PerExample as PerExample
from dlcourse.learners.supervised import SupervisedState as SupervisedState
from dlcourse.learners.supervised import predictor as predictor
from dlcourse.learners.supervised import supervised as supervised
from dlcourse.learners.together import together as together
