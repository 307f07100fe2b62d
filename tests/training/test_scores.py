import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch.nn import functional

import tuner
from tests.training.helpers import generator
from tuner.training.scores import score

ABC = ("a", "b", "c")


def one_hot(*predicted, classes=3):
    return functional.one_hot(torch.tensor(predicted), classes).double()


def random_case(images=400, classes=5, labels=None, never_predicted=()):
    probabilities = (3 * torch.randn(images, classes, dtype=torch.float64, generator=generator(1))).softmax(1)
    probabilities[:, list(never_predicted)] = 0
    probabilities /= probabilities.sum(1, keepdim=True)
    labels = torch.randint(classes, (images,), generator=generator(2)) if labels is None else labels
    return probabilities, labels


CASES = {
    "every class": random_case(),
    "a class without images": random_case(labels=torch.randint(4, (400,), generator=generator(2))),
    "a class that is never predicted": random_case(never_predicted=[2]),
    "a class that does not occur": random_case(
        labels=torch.randint(4, (400,), generator=generator(2)), never_predicted=[4]
    ),
    "one class alone": random_case(labels=torch.zeros(400, dtype=torch.int64)),
    "one image": random_case(images=1),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request):
    probabilities, labels = request.param
    return probabilities, labels, score(probabilities, labels, [f"class {index}" for index in range(5)])


def test_counts_and_shares_are_scikit_learns(case):
    probabilities, labels, scores = case
    predicted = probabilities.argmax(1)
    assert scores.accuracy == metrics.accuracy_score(labels, predicted)
    assert np.array_equal(scores.confusion_matrix, metrics.confusion_matrix(labels, predicted, labels=range(5)))
    each = metrics.precision_recall_fscore_support(labels, predicted, labels=range(5), zero_division=0)
    ours = [(one.precision, one.recall, one.f1, one.support) for one in scores.classes]
    assert np.transpose(ours) == pytest.approx(np.array(each))
    macro = metrics.precision_recall_fscore_support(labels, predicted, average="macro", zero_division=0)
    assert (scores.macro_precision, scores.macro_recall, scores.macro_f1) == pytest.approx(macro[:3])


def test_loss_and_error_are_means_over_images(case):
    probabilities, labels, scores = case
    if bool((probabilities.gather(1, labels[:, None]) > 0).all()):
        assert scores.loss == pytest.approx(metrics.log_loss(labels, probabilities, labels=range(5)))
    squares = [
        (probability - (index == label)) ** 2
        for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True)
        for index, probability in enumerate(row)
    ]
    assert scores.rmse == pytest.approx(math.sqrt(sum(squares) / len(squares)))


def test_the_calibration_error_is_the_papers(case):
    probabilities, labels, scores = case
    confidence, predicted = probabilities.max(1)
    error = 0.0
    for bin_ in range(15):
        inside = (confidence * 15 >= bin_) & ((confidence * 15 < bin_ + 1) | torch.tensor(bin_ == 14))
        if inside.any():
            accuracy = (predicted == labels)[inside].double().mean()
            error += float(inside.double().mean() * (accuracy - confidence[inside].mean()).abs())
    assert scores.calibration_error == pytest.approx(error)


def test_confidences_of_exactly_one_share_the_last_bin():
    # Two right at 0.95, two at 1, of which one is wrong: accuracy 0.75, confidence 0.975, in one bin of the fifteen.
    probabilities = torch.tensor([[0.95, 0.05], [0.95, 0.05], [1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    scores = score(probabilities, torch.tensor([0, 0, 0, 1]), ("a", "b"))
    assert scores.calibration_error == pytest.approx(0.225)


def test_by_hand():
    # Labels a a a b; predicted a a b c: c is predicted and never there, b is there and never found.
    scores = score(one_hot(0, 0, 1, 2), torch.tensor([0, 0, 0, 1]), ABC)
    assert scores.confusion_matrix == ((2, 1, 0), (0, 0, 1), (0, 0, 0))
    assert [(one.name, one.support) for one in scores.classes] == [("a", 3), ("b", 1), ("c", 0)]
    assert [one.precision for one in scores.classes] == [1, 0, 0]
    assert [one.recall for one in scores.classes] == [2 / 3, 0, 0]
    assert [one.f1 for one in scores.classes] == [0.8, 0, 0]
    assert scores.macro_f1 == pytest.approx(0.8 / 3)
    assert scores.calibration_error == pytest.approx(0.5)


def test_a_true_class_of_probability_zero_costs_a_finite_loss():
    scores = score(one_hot(0, 1), torch.tensor([0, 0]), ABC)
    assert scores.loss == pytest.approx(-math.log(2.2250738585072014e-308) / 2)
    assert scores.rmse == pytest.approx(math.sqrt(2 / 6))


def test_json_holds_everything_under_the_same_names():
    scores = score(*random_case(), [f"class {index}" for index in range(5)])
    written = json.loads(json.dumps(scores.as_json(), allow_nan=False))
    assert written["classes"][1]["name"] == "class 1"
    assert written["classes"][1]["f1"] == scores.classes[1].f1
    assert written["confusion_matrix"][2] == list(scores.confusion_matrix[2])
    assert {name for name, value in vars(scores).items() if written[name] == value} == set(vars(scores)) - {
        "classes",
        "confusion_matrix",
    }


def test_no_other_module_needs_torchmetrics():
    modules = Path(tuner.__file__).parent.rglob("*.py")
    imports = re.compile(r"^\s*(import|from) torchmetrics", re.MULTILINE)
    assert [module.name for module in modules if imports.search(module.read_text())] == ["scores.py"]
