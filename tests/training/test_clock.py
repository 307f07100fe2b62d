import time

import torch

from tests.training.helpers import CPU
from tuner.training.clock import Stopwatch, read_together


def test_a_stopwatch_measures_until_it_is_stopped():
    watch = Stopwatch(CPU)
    time.sleep(0.02)
    watch.stop()
    seconds = watch.seconds()
    time.sleep(0.02)
    assert 0.02 <= seconds == watch.seconds() < 10


def test_vectors_are_read_together_and_given_back_apart():
    vectors = [torch.tensor([1.0, 2.0]), torch.tensor([]), torch.tensor([3.0])]
    assert read_together(*vectors) == [[1.0, 2.0], [], [3.0]]
