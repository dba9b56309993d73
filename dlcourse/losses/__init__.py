"""Losses and regularizers as pure functions of arrays.

A loss returns one value for each example, pixel or token: a plain array where all of them count
alike, `metrics.Weighted` where some do not. A cost is the mean over the training examples
(deck 001); the learner computes it. Half-precision logits are first raised to float32.
"""

from dlcourse.losses.adversarial import GAN_LOSSES as GAN_LOSSES
from dlcourse.losses.adversarial import GANLossName as GANLossName
from dlcourse.losses.adversarial import gan_discriminator as gan_discriminator
from dlcourse.losses.adversarial import gan_discriminator_hinge as gan_discriminator_hinge
from dlcourse.losses.adversarial import gan_generator_hinge as gan_generator_hinge
from dlcourse.losses.adversarial import gan_generator_minimax as gan_generator_minimax
from dlcourse.losses.adversarial import (
    gan_generator_non_saturating as gan_generator_non_saturating,
)
from dlcourse.losses.classification import balanced_class_weights as balanced_class_weights
from dlcourse.losses.classification import kl_divergence as kl_divergence
from dlcourse.losses.classification import negative_log_likelihood as negative_log_likelihood
from dlcourse.losses.classification import sigmoid_cross_entropy as sigmoid_cross_entropy
from dlcourse.losses.classification import soft_cross_entropy as soft_cross_entropy
from dlcourse.losses.classification import softmax_cross_entropy as softmax_cross_entropy
from dlcourse.losses.policy import clipped_surrogate as clipped_surrogate
from dlcourse.losses.regression import huber as huber
from dlcourse.losses.regression import squared_error as squared_error
from dlcourse.losses.regularizers import l1 as l1
from dlcourse.losses.regularizers import l2 as l2
from dlcourse.losses.segmentation import boundary_weights as boundary_weights
from dlcourse.losses.segmentation import dice as dice
from dlcourse.losses.segmentation import median_frequency_weights as median_frequency_weights
from dlcourse.losses.segmentation import pixel_cross_entropy as pixel_cross_entropy
