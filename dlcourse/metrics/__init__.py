"""Metrics as sums that merge by addition, so that every example counts exactly once."""

from dlcourse.metrics.classification import OVER_SET as OVER_SET
from dlcourse.metrics.classification import PER_EXAMPLE as PER_EXAMPLE
from dlcourse.metrics.classification import AreaUnderROC as AreaUnderROC
from dlcourse.metrics.classification import Name as Name
from dlcourse.metrics.classification import accuracy as accuracy
from dlcourse.metrics.classification import auroc as auroc
from dlcourse.metrics.classification import balanced_accuracy as balanced_accuracy
from dlcourse.metrics.classification import f1 as f1
from dlcourse.metrics.classification import top_5 as top_5
from dlcourse.metrics.counts import ClassMean as ClassMean
from dlcourse.metrics.counts import UnlessNan as UnlessNan
from dlcourse.metrics.counts import confusion as confusion
from dlcourse.metrics.frechet import FrechetDistance as FrechetDistance
from dlcourse.metrics.frechet import second_moments as second_moments
from dlcourse.metrics.means import Loss as Loss
from dlcourse.metrics.means import Mean as Mean
from dlcourse.metrics.means import Perplexity as Perplexity
from dlcourse.metrics.means import Weighted as Weighted
from dlcourse.metrics.means import mean as mean
from dlcourse.metrics.means import scalar as scalar
from dlcourse.metrics.means import values as values
from dlcourse.metrics.segmentation import boundary_f as boundary_f
from dlcourse.metrics.segmentation import iou as iou
