"""Measuring and drawing models, and what they have learned.

`measure` gives numbers, `draw` makes figures of arrays, `inspect` looks into a model, and `report`
saves the results of finished runs. Their public names are all here.
"""

from dlcourse.analysis.draw.activations import draw_activations as draw_activations
from dlcourse.analysis.draw.approximation import draw_approximation as draw_approximation
from dlcourse.analysis.draw.attention import draw_attention as draw_attention
from dlcourse.analysis.draw.attention import draw_patch_attention as draw_patch_attention
from dlcourse.analysis.draw.attribution import draw_attributions as draw_attributions
from dlcourse.analysis.draw.attribution import draw_deletion as draw_deletion
from dlcourse.analysis.draw.augmentations import draw_augmentations as draw_augmentations
from dlcourse.analysis.draw.bias_variance import draw_bias_variance as draw_bias_variance
from dlcourse.analysis.draw.channels import draw_alike as draw_alike
from dlcourse.analysis.draw.channels import draw_maps as draw_maps
from dlcourse.analysis.draw.classification import draw_confusion as draw_confusion
from dlcourse.analysis.draw.connections import Connections as Connections
from dlcourse.analysis.draw.connections import draw_connections as draw_connections
from dlcourse.analysis.draw.decisions import Decision as Decision
from dlcourse.analysis.draw.decisions import draw_decisions as draw_decisions
from dlcourse.analysis.draw.descents import animate_descents as animate_descents
from dlcourse.analysis.draw.descents import draw_descents as draw_descents
from dlcourse.analysis.draw.filters import draw_filters as draw_filters
from dlcourse.analysis.draw.flows import Carried as Carried
from dlcourse.analysis.draw.flows import draw_flow_1d as draw_flow_1d
from dlcourse.analysis.draw.flows import draw_flow_2d as draw_flow_2d
from dlcourse.analysis.draw.forecasts import draw_errors_ahead as draw_errors_ahead
from dlcourse.analysis.draw.forecasts import draw_forecasts as draw_forecasts
from dlcourse.analysis.draw.gradient_checks import draw_checks as draw_checks
from dlcourse.analysis.draw.hidden import draw_hidden as draw_hidden
from dlcourse.analysis.draw.latents import draw_codes as draw_codes
from dlcourse.analysis.draw.latents import draw_rows as draw_rows
from dlcourse.analysis.draw.linear import draw_agreement as draw_agreement
from dlcourse.analysis.draw.linear import draw_templates as draw_templates
from dlcourse.analysis.draw.masks import draw_class_iou as draw_class_iou
from dlcourse.analysis.draw.masks import draw_masks as draw_masks
from dlcourse.analysis.draw.passes import draw_passes as draw_passes
from dlcourse.analysis.draw.probabilities import draw_probabilities as draw_probabilities
from dlcourse.analysis.draw.regularisers import draw_regularisers as draw_regularisers
from dlcourse.analysis.draw.robustness import draw_attacked as draw_attacked
from dlcourse.analysis.draw.robustness import draw_robustness as draw_robustness
from dlcourse.analysis.draw.samples import animate_files as animate_files
from dlcourse.analysis.draw.samples import animate_grid as animate_grid
from dlcourse.analysis.draw.samples import draw_grid as draw_grid
from dlcourse.analysis.draw.schedules import draw_schedules as draw_schedules
from dlcourse.analysis.draw.signals import Signal as Signal
from dlcourse.analysis.draw.signals import draw_signals as draw_signals
from dlcourse.analysis.draw.through_time import draw_through_time as draw_through_time
from dlcourse.analysis.draw.variants import draw_variants as draw_variants
from dlcourse.analysis.inspect import mouse as mouse
from dlcourse.analysis.inspect.attacked import classifier as classifier
from dlcourse.analysis.inspect.attacked import show_attacked as show_attacked
from dlcourse.analysis.inspect.attacks import fgsm as fgsm
from dlcourse.analysis.inspect.attacks import pgd as pgd
from dlcourse.analysis.inspect.attributions import Attributions as Attributions
from dlcourse.analysis.inspect.attributions import attributions as attributions
from dlcourse.analysis.inspect.augmentations import show_augmentations as show_augmentations
from dlcourse.analysis.inspect.channels import channel_maps as channel_maps
from dlcourse.analysis.inspect.channels import channel_similarity as channel_similarity
from dlcourse.analysis.inspect.channels import check_channels as check_channels
from dlcourse.analysis.inspect.channels import saliency as saliency
from dlcourse.analysis.inspect.connections import connections as connections
from dlcourse.analysis.inspect.hidden import hidden_tokens as hidden_tokens
from dlcourse.analysis.inspect.latents import show_codes as show_codes
from dlcourse.analysis.inspect.latents import show_reconstructions as show_reconstructions
from dlcourse.analysis.inspect.latents import show_walks as show_walks
from dlcourse.analysis.inspect.path_gradients import expected_gradients as expected_gradients
from dlcourse.analysis.inspect.path_gradients import integrated_gradients as integrated_gradients
from dlcourse.analysis.inspect.predictions import classification as classification
from dlcourse.analysis.inspect.predictions import predict_masks as predict_masks
from dlcourse.analysis.inspect.predictions import predictions as predictions
from dlcourse.analysis.inspect.samples import quality_of_images as quality_of_images
from dlcourse.analysis.inspect.samples import quality_rows as quality_rows
from dlcourse.analysis.inspect.samples import sample_grid as sample_grid
from dlcourse.analysis.inspect.samples import sample_path as sample_path
from dlcourse.analysis.inspect.samples import samples as samples
from dlcourse.analysis.inspect.shapley import kernel_shap as kernel_shap
from dlcourse.analysis.inspect.shapley import over_pixels as over_pixels
from dlcourse.analysis.inspect.shapley import patch_kernel_shap as patch_kernel_shap
from dlcourse.analysis.inspect.shapley import patch_shapley_values as patch_shapley_values
from dlcourse.analysis.inspect.shapley import patches as patches
from dlcourse.analysis.inspect.shapley import shapley_values as shapley_values
from dlcourse.analysis.inspect.signal import signal as signal
from dlcourse.analysis.inspect.signal import signal_at_start as signal_at_start
from dlcourse.analysis.inspect.text import written_text as written_text
from dlcourse.analysis.inspect.translations import cross_attention as cross_attention
from dlcourse.analysis.inspect.translations import translated_text as translated_text
from dlcourse.analysis.measure.activations import activation_curves as activation_curves
from dlcourse.analysis.measure.approximation import fit_random_features as fit_random_features
from dlcourse.analysis.measure.approximation import largest_errors as largest_errors
from dlcourse.analysis.measure.bag_of_words import (
    bag_of_words_accuracy as bag_of_words_accuracy,
)
from dlcourse.analysis.measure.deletion import DeletionCurve as DeletionCurve
from dlcourse.analysis.measure.deletion import deletion_curve as deletion_curve
from dlcourse.analysis.measure.descents import best_descent as best_descent
from dlcourse.analysis.measure.diagnosis import Diagnosis as Diagnosis
from dlcourse.analysis.measure.diagnosis import diagnose as diagnose
from dlcourse.analysis.measure.extractor import Extractor as Extractor
from dlcourse.analysis.measure.extractor import extractor as extractor
from dlcourse.analysis.measure.extractor import extractor_arrays as extractor_arrays
from dlcourse.analysis.measure.forecasts import baselines as baselines
from dlcourse.analysis.measure.forecasts import naive_error as naive_error
from dlcourse.analysis.measure.gradient_check import GradientCheck as GradientCheck
from dlcourse.analysis.measure.gradient_check import check_directions as check_directions
from dlcourse.analysis.measure.gradient_check import check_gradient as check_gradient
from dlcourse.analysis.measure.grey_levels import gaussian_mixture as gaussian_mixture
from dlcourse.analysis.measure.grey_levels import independent_pixels as independent_pixels
from dlcourse.analysis.measure.kernels import kernel_entries as kernel_entries
from dlcourse.analysis.measure.kernels import share_of_zeros as share_of_zeros
from dlcourse.analysis.measure.masks import class_pixels as class_pixels
from dlcourse.analysis.measure.masks import mask_metrics as mask_metrics
from dlcourse.analysis.measure.ngrams import ngram_log_probabilities as ngram_log_probabilities
from dlcourse.analysis.measure.ngrams import ngram_losses as ngram_losses
from dlcourse.analysis.measure.quality import Quality as Quality
from dlcourse.analysis.measure.quality import quality as quality
from dlcourse.analysis.measure.robustness import robustness as robustness
from dlcourse.analysis.measure.surfaces import SURFACES as SURFACES
from dlcourse.analysis.measure.surfaces import Surface as Surface
from dlcourse.analysis.measure.through_time import (
    gradient_through_time as gradient_through_time,
)
from dlcourse.analysis.measure.translations import bleu as bleu
from dlcourse.analysis.measure.translations import translation_scores as translation_scores
from dlcourse.analysis.measure.translations import translator as translator
from dlcourse.analysis.report import Report as Report
from dlcourse.analysis.report import Table as Table
