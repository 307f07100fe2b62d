"""The curve of a final training on disk."""

import json

import pytest

from tuner.facts.errors import ResultsDamagedError
from tuner.study.curve import Curve


def line(epoch, **report):
    return json.dumps({"report": {"epoch": epoch, **report}}) + "\n"


def test_a_line_that_was_cut_short_is_dropped_and_a_repeated_epoch_replaced(tmp_path):
    file = tmp_path / "epochs.jsonl"
    file.write_text(line(1, train_loss=2.0) + line(2, train_loss=1.5) + line(2, train_loss=1.0) + line(3)[:9])
    assert Curve(file).epochs == [{"epoch": 1, "train_loss": 2.0}, {"epoch": 2, "train_loss": 1.0}]


@pytest.mark.parametrize("damage", ["no JSON\n", "[]\n", "{}\n"])
def test_damage_elsewhere_is_one_sentence(tmp_path, damage):
    file = tmp_path / "epochs.jsonl"
    file.write_text(line(1) + damage + line(3))
    with pytest.raises(ResultsDamagedError, match=r"epochs\.jsonl is damaged"):
        Curve(file)
