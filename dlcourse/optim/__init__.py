"""Optimizers and learning-rate schedules with the names of the course, as optax chains.

x is the parameter tree, g the gradient of the loss at x, α the learning rate (the decks' α, η or
λ), t the step. Each optimizer takes α as a number, an array, or a schedule `step -> α`, and returns
an `optax.GradientTransformation`. They compose with `chain`, from the gradient to the update:

    chain(clip_by_global_norm(1.0), adam(warmup(1e-3, steps=500)))

Batch, stochastic and mini-batch gradient descent (decks 001, 003) are all `sgd`. They differ in the
number of examples over which g is averaged: all, one, or some.
"""

from optax import chain as chain
from optax import clip_by_global_norm as clip_by_global_norm

from dlcourse.optim.averages import ema as ema
from dlcourse.optim.averages import warm_decay as warm_decay
from dlcourse.optim.named import Optimizer as Optimizer
from dlcourse.optim.named import ScheduleName as ScheduleName
from dlcourse.optim.named import optimizer as optimizer
from dlcourse.optim.named import schedule as schedule
from dlcourse.optim.optimizers import adagrad as adagrad
from dlcourse.optim.optimizers import adam as adam
from dlcourse.optim.optimizers import adamw as adamw
from dlcourse.optim.optimizers import add_l2 as add_l2
from dlcourse.optim.optimizers import freeze as freeze
from dlcourse.optim.optimizers import momentum as momentum
from dlcourse.optim.optimizers import rates as rates
from dlcourse.optim.optimizers import rmsprop as rmsprop
from dlcourse.optim.optimizers import sgd as sgd
from dlcourse.optim.schedules import Number as Number
from dlcourse.optim.schedules import Rate as Rate
from dlcourse.optim.schedules import Schedule as Schedule
from dlcourse.optim.schedules import constant as constant
from dlcourse.optim.schedules import cosine_decay as cosine_decay
from dlcourse.optim.schedules import exponential_decay as exponential_decay
from dlcourse.optim.schedules import inverse_square_root as inverse_square_root
from dlcourse.optim.schedules import linear_decay as linear_decay
from dlcourse.optim.schedules import one_cycle as one_cycle
from dlcourse.optim.schedules import staircase_decay as staircase_decay
from dlcourse.optim.schedules import step_decay as step_decay
from dlcourse.optim.schedules import time_decay as time_decay
from dlcourse.optim.schedules import warmup as warmup
