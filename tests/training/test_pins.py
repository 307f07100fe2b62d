"""What training code gets wrong again and again, each with the tests that hold it; those without another home below.

A test is named by its file in this folder and its function, with its class where it has one.
"""

import ast
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.leaderboard.logs import NOON, trial, write_search
from tests.training.helpers import digits, run, small
from tuner.hyperparameters.table import FIELDS, resolve
from tuner.journal.events import Open
from tuner.leaderboard.trial import load_trial
from tuner.training.models import registry as models

FOLDER = Path(__file__).parent

PINS = {
    # Mixing
    "lambda ~ Beta(a, a), mean 1/2, variance 1 / (4 (2 a + 1)), uniform at 1": [
        "test_mixing::test_lambda_has_the_moments_of_beta",
        "test_mixing::test_lambda_is_uniform_at_one",
    ],
    "a = 0 is off": ["test_mixing::test_off_leaves_images_and_integer_labels_alone"],
    "lambda = 1 is the image, 0 the partner": [
        "test_mixing::test_mixup_of_lambda_one_is_the_image_and_of_zero_the_partner"
    ],
    "the pair of losses equals the loss of soft labels, also with label smoothing": [
        "test_mixing::test_soft_targets_cost_what_the_papers_pair_form_costs",
        "test_losses::TestCrossEntropy::test_soft_targets_equal_the_pair_of_losses",
    ],
    "for mse they differ by a constant, for rmse by more": [
        "test_losses::TestMse::test_the_pair_of_losses_differs_by_a_constant",
        "test_losses::TestRmse::test_the_pair_of_losses_has_another_gradient",
    ],
    "a cutmix box is exact before it is clipped, on images that are no squares": [
        "test_mixing::test_cutmix_box_is_exact_before_clipping_on_oblong_images"
    ],
    "lambda of cutmix is the share of pixels that stayed": [
        "test_mixing::test_cutmix_labels_follow_the_pixels_that_stayed"
    ],
    "one permutation serves images and labels, from the trial's own generator": [
        "test_mixing::test_one_permutation_serves_images_and_labels",
        "test_mixing::test_draws_nothing_from_the_global_generator",
    ],
    # Data and evaluation
    "validation images get normalization alone": ["test_evaluation::test_images_get_normalization_alone"],
    "constants are mean and per-pixel deviation of the training part": [
        "test_data::test_constants_are_mean_and_per_pixel_std_of_the_training_images",
        "test_data::test_validation_images_have_no_part_in_the_constants",
    ],
    "pretrained weights use the constants that they were trained with": [
        "test_normalization::TestPretrained",
        "test_pins::test_pretrained_weights_bring_their_constants",
    ],
    "the test split is out of reach while anything is chosen": [
        "../test_architecture::test_every_import_keeps_to_the_table",
        "../test_architecture::test_a_planted_violation_is_caught",
    ],
    "evaluation restores the model's mode": [
        "test_evaluation::test_gives_every_module_its_own_mode_back",
        "test_predictions::test_are_the_softmax_of_the_model_in_eval_mode_whatever_the_batches",
    ],
    "averages weigh images, not batches": [
        "test_evaluation::test_is_plain_cross_entropy_and_accuracy_over_images_not_batches",
        "test_steps::test_means_weigh_images_and_norms_are_taken_before_clipping",
    ],
    "what divides by zero in macro scores is zero": ["test_scores::test_counts_and_shares_are_scikit_learns"],
    "val_loss is plain cross-entropy, whatever is optimized": [
        "test_pins::test_losses_in_evaluation_do_not_depend_on_what_is_optimized"
    ],
    "train_loss is measured in eval mode on clean images, a fixed stratified subset": [
        "test_evaluation::test_clean_images_are_as_many_as_validation_images_with_the_same_share_of_each_class",
        "test_loop::test_without_augmentation_and_dropout_the_objective_is_the_training_loss",
    ],
    "the generalization gap is train_accuracy - val_accuracy": [
        "test_loop::test_reports_each_epoch_what_the_contract_names"
    ],
    "a last batch of one never reaches a batch norm": [
        "test_loop::test_a_last_batch_of_one_never_reaches_a_batch_norm",
        "test_batches::test_a_single_image_left_over_joins_the_batch_before",
    ],
    # Losses
    "label smoothing is (1 - e) CE + e (KL(u || p) + log C)": [
        "test_losses::TestCrossEntropy::test_label_smoothing_is_a_pull_towards_the_uniform_distribution"
    ],
    "mse compares shapes that are equal": ["test_losses::test_silent_broadcasting_is_refused"],
    "rmse has a gradient at zero error": [
        "test_losses::LossContract::test_its_gradient_is_finite_where_the_model_is_certain"
    ],
    "rmse as a score is the root of the pooled mean": ["test_scores::test_loss_and_error_are_means_over_images"],
    # Penalties
    "l2 is torch's weight decay where that is not decoupled": [
        "test_penalties::test_l2_is_torchs_weight_decay_where_that_is_not_decoupled",
        "test_penalties::TestElasticNet::test_gradient",
    ],
    "adamw is decoupled": ["test_penalties::test_adamw_is_decoupled"],
    "subgradient steps of l1 give no exact zeros, proximal steps do": [
        "test_penalties::TestProximal::test_is_the_soft_threshold_with_exact_zeros",
        "test_penalties::TestProximal::test_subgradient_steps_reach_no_zero_where_proximal_steps_do",
    ],
    "max-norm is a projection of each unit after the step": [
        "test_penalties::TestMaxNorm::test_is_the_projection_of_each_unit"
    ],
    "biases and parameters of norms are left out unless asked for": [
        "test_optimizers::test_norms_and_biases_decay_only_if_asked",
        "test_penalties::TestElasticNet::test_value",
    ],
    # Dropout
    "an identity in evaluation, h mask / (1 - p) in training": [
        "layers/test_dropouts::DropoutContract::test_is_an_identity_in_evaluation",
        "layers/test_dropouts::DropoutContract::test_keeps_what_it_expects",
    ],
    "p = 1 gives zeros": ["layers/test_dropouts::DropoutContract::test_a_rate_of_one_leaves_the_bias_alone"],
    "DropConnect drops weights": [
        "layers/test_dropconnect::test_drops_single_weights_of_a_linear_layer_and_scales_the_others"
    ],
    "spatial dropout drops whole maps": ["layers/test_dropouts::TestSpatial::test_drops_whole_maps_and_single_units"],
    "DropBlock drops regions, its gamma corrected for the block": [
        "layers/test_dropblock::test_p_is_the_share_of_dropped_positions"
    ],
    "concrete dropout learns p": ["layers/test_concrete::test_learns_to_keep_what_is_needed_and_to_drop_what_is_not"],
    # Norms
    "forward and backward are the closed formula in float64": [
        "layers/test_norms::NormContract::test_forward_is_the_formula",
        "layers/test_norms::NormContract::test_backward_is_the_formula",
    ],
    "batch norm keeps the unbiased variance": [
        "layers/test_norms::TestBatch::test_running_statistics_hold_the_unbiased_variance"
    ],
    "batch norm alone depends on the batch and differs in evaluation": [
        "layers/test_norms::NormContract::test_only_batch_norm_looks_at_the_other_images",
        "layers/test_norms::NormContract::test_only_batch_norm_differs_in_evaluation",
    ],
    "one group is layer norm over channels and pixels, as many as channels instance norm": [
        "layers/test_norms::TestLayer::test_is_pytorchs_layer_norm_over_channels_and_pixels",
        "layers/test_norms::TestInstance::test_is_pytorchs_instance_norm",
    ],
    "groups divide the channels": ["layers/test_norms::TestGroup::test_groups_must_divide_the_channels"],
    "rms norm runs over channels with an eps that is said": [
        "layers/test_norms::TestRms::test_is_pytorchs_over_channels_with_an_eps_that_is_said"
    ],
    "no norm on the logits": ["test_pins::test_logits_come_from_a_linear_layer"],
    # Initialization
    "variances are the papers', by the right fan": [
        "layers/test_initialization::InitContract::test_variance_is_the_formula",
        "layers/test_initialization::Kaiming::test_fan_out_keeps_the_variance_of_gradients",
    ],
    "gains are those of the activation": ["layers/test_initialization::WithGain::test_gain_is_that_of_the_activation"],
    "weights of zero: the last bias alone learns": [
        "layers/test_initialization::TestZeros::test_only_the_last_bias_learns",
        "diagnostics/test_epoch::test_weights_of_zero_are_seen_failing",
    ],
    # Optimizers and schedules
    "optimizers are their formulas, Adam's eps outside the root": [
        "test_optimizers::OptimizerContract::test_follows_its_formula",
        "test_optimizers::OptimizerContract::test_is_torchs",
    ],
    "gradients are unscaled, measured, clipped, then the step is made": [
        "test_precision::TestLossScale::test_gradients_are_divided_exactly",
        "test_steps::test_clipping_scales_by_the_published_coefficient",
        "test_steps::test_the_norm_of_each_gradient_is_named_and_taken_before_clipping",
    ],
    "an infinite gradient of a finite loss is divergence": [
        "test_steps::test_an_infinite_gradient_of_a_finite_loss_is_divergence"
    ],
    "after divergence no step changes anything, without waiting for the device": [
        "test_steps::test_gated_no_later_step_changes_anything_and_the_epoch_ends_in_the_error",
        "test_loop::test_gated_the_host_waits_for_the_device_once_an_epoch",
        "test_loop::test_divergence_ends_the_trial_and_keeps_nothing_of_its_epoch",
    ],
    "schedules are PyTorch's, each at its own pace": [
        "test_schedules::ScheduleContract::test_is_torchs",
        "test_schedules::ScheduleContract::test_changes_between_epochs_unless_it_is_stepped_per_batch",
    ],
    "plateau hears the validation loss": ["test_pins::test_plateau_hears_the_validation_loss"],
    "the reported rate is the one used": ["test_loop::test_the_reported_rate_is_the_one_used"],
    "known rates from 0.1": [
        "test_schedules::TestStep::test_drops_after_each_step_size",
        "test_schedules::TestMultistep::test_drops_at_the_milestone_exactly",
        "test_schedules::TestExponential::test_is_a_power_of_gamma",
        "test_schedules::TestCosineRestarts::test_peaks_where_each_cosine_begins",
        "test_schedules::TestCyclic::test_is_the_formula_of_the_paper",
    ],
    # Early stopping
    "consecutive misses by min_delta stop": ["test_early_stopping::test_patience_consecutive_misses_stop"],
    "the best weights come back": [
        "test_early_stopping::test_best_weights_are_those_of_the_first_best_epoch",
        "test_loop::test_best_weights_are_those_of_the_best_epoch",
    ],
    "NaN is divergence, not a miss": ["test_evaluation::test_a_loss_that_is_not_finite_is_divergence"],
    "a trial that its own early stopping ended is completed and ranks": [
        "test_loop::test_early_stopping_ends_a_trial_and_stays_ended",
        "test_pins::test_a_trial_that_its_own_early_stopping_ended_ranks",
    ],
    # Diagnostics
    "activations are measured after the activation, in eval mode": [
        "diagnostics/test_activations::test_every_activation_is_measured_after_it",
        "diagnostics/test_activations::test_is_in_eval_mode_and_leaves_the_model_as_it_was",
    ],
    "a unit is dead if it is zero for every image and position": [
        "diagnostics/test_activations::test_a_unit_is_dead_if_it_is_zero_for_every_image_and_position"
    ],
    "weights have mean, deviation, L1, L2 and exact zeros": ["diagnostics/test_weights::test_are_numpys_numbers"],
    "over-fitting is seen from curves, never from parameter counts": [
        "../test_verdict::test_a_validation_loss_that_climbs_while_the_training_loss_falls_is_over_fitting",
        "../test_verdict::test_sizes_play_no_part",
    ],
}


@cache
def named_in(file: Path) -> frozenset[str]:
    """Return functions, classes and ``Class::method`` of a file of tests."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return frozenset(found)


@pytest.mark.parametrize("pin", PINS)
def test_is_held(pin):
    for test in PINS[pin]:
        file, _, name = test.partition("::")
        assert name in named_in((FOLDER / f"{file}.py").resolve()), test


def test_pretrained_weights_bring_their_constants():
    assert resolve({"model": "resnet18", "pretrained": True}).input.normalize == "pretrained"
    assert resolve({"model": "resnet18"}).input.normalize == "dataset"


@pytest.mark.parametrize(
    "config",
    [
        {"label_smoothing": 0.3},
        {"l1": 0.01, "l2": 0.1},
        {"loss": "mse"},
        {"loss": "rmse"},
        {"mixup_alpha": 1.0},
        {"dropout": 0.5, "dropout_conv": 0.5},
        {"flip": True, "cutout": 6},
    ],
)
def test_losses_in_evaluation_do_not_depend_on_what_is_optimized(config):
    # At a rate this small the weights stay what the seed made them.
    plain, changed = (
        run(small(epochs=1, lr=1e-12, optimizer="sgd", **more), digits(150))[0][0] for more in ({}, config)
    )
    for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy"):
        assert changed[name] == pytest.approx(plain[name], rel=1e-6)
    assert changed["objective"] != plain["objective"]


@pytest.mark.parametrize("norm", FIELDS["norm"].choices)
@pytest.mark.parametrize("model", ["cnn", "resnet9", "resnet18"])
def test_logits_come_from_a_linear_layer(model, norm):
    config = {"model": model, "norm": norm, **({} if model == "resnet18" else {"width": 8})}
    network = models.build(resolve({**config, **({"norm_groups": 4} if norm == "group" else {})}), (1, 16, 16), 10)
    called = []
    for module in network.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda module, inputs, output: called.append((module, output)))
    logits = network.eval()(torch.zeros(2, 1, 16, 16))
    last, output = called[-1]
    assert isinstance(last, nn.Linear)
    assert output is logits


def test_plateau_hears_the_validation_loss():
    # At a rate this small no epoch is better than the first by the threshold.
    config = {"schedule": "plateau", "patience": 1, "factor": 0.5, "cooldown": 0, "min_lr": 0.0, "threshold": 1e-3}
    reports, _ = run(small(epochs=6, lr=1e-6, optimizer="sgd", **config), digits(150))
    assert [report["lr_now"] / 1e-6 for report in reports] == pytest.approx([1, 1, 1, 0.5, 0.5, 0.25])


def test_a_trial_that_its_own_early_stopping_ended_ranks(tmp_path):
    events = [Open(at=NOON, slots=1, trials=1), *trial(0, [0.5, 0.7, 0.6], reason="early_stop")]
    row = load_trial(write_search(tmp_path / "demo", events), 0).row
    assert (row["state"], row["stop_reason"], row["rank"], row["best_epoch"]) == ("completed", "early_stop", 1, 2)
