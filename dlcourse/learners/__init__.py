"""Learning algorithms: each makes a `Learner`, one algorithm per file."""

from dlcourse.learners.acting.advantages import advantages as advantages
from dlcourse.learners.acting.dqn import dqn as dqn
from dlcourse.learners.acting.playing import move_worlds as move_worlds
from dlcourse.learners.acting.ppo import ppo as ppo
from dlcourse.learners.acting.reinforce import reinforce as reinforce
from dlcourse.learners.augmented import augmented as augmented
from dlcourse.learners.classification import Classification as Classification
from dlcourse.learners.corrupted import corrupted as corrupted
from dlcourse.learners.corrupted import with_corruption as with_corruption
from dlcourse.learners.foundations.backpropagation import backpropagation as backpropagation
from dlcourse.learners.foundations.descent import descent as descent
from dlcourse.learners.foundations.logistic_regression import (
    logistic_regression as logistic_regression,
)
from dlcourse.learners.foundations.perceptron import mistake_bound as mistake_bound
from dlcourse.learners.foundations.perceptron import perceptron as perceptron
from dlcourse.learners.generative.autoencoder import autoencoder as autoencoder
from dlcourse.learners.generative.diffusion import Denoising as Denoising
from dlcourse.learners.generative.diffusion import Sampler as Sampler
from dlcourse.learners.generative.diffusion import diffusion as diffusion
from dlcourse.learners.generative.diffusion import sampler as sampler
from dlcourse.learners.generative.flow import flow as flow
from dlcourse.learners.generative.gan import gan as gan
from dlcourse.learners.generative.vae import vae as vae
from dlcourse.learners.measured import measured as measured
from dlcourse.learners.sequence.bert import pretraining as pretraining
from dlcourse.learners.sequence.language_model import language_model as language_model
from dlcourse.learners.sequence.translation import translation as translation
from dlcourse.learners.side_by_side import side_by_side as side_by_side
from dlcourse.learners.supervised import PerExample as PerExample
from dlcourse.learners.supervised import supervised as supervised
from dlcourse.learners.vision.adversarial_training import (
    adversarial_training as adversarial_training,
)
