import warnings

import pytest
import torch
from torch import nn

from tuner.facts.errors import ResultsDamagedError, StorageError
from tuner.facts.records import Goal
from tuner.training import checkpoints
from tuner.training.early_stopping import BestWeights


def test_a_folder_without_a_checkpoint_changes_nothing(tmp_path):
    model = nn.Linear(2, 2)
    before = model.weight.clone()
    assert checkpoints.load(tmp_path, {"model": model}) == 0
    assert checkpoints.load(tmp_path / "missing", {"model": model}) == 0
    assert torch.equal(model.weight, before)


def test_the_checkpoint_is_the_only_file_of_its_folder(tmp_path):
    for epoch in (1, 2):
        checkpoints.save(tmp_path / "new", epoch, {"model": nn.Linear(2, 2)})
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["state.pt"]
    assert checkpoints.load(tmp_path / "new", {}) == 2


class Unwritable:
    def state_dict(self):
        raise OSError("no space left")

    def load_state_dict(self, state):
        raise NotImplementedError


def test_a_save_that_fails_leaves_the_checkpoint_before_it(tmp_path):
    model = nn.Linear(2, 2)
    checkpoints.save(tmp_path, 1, {"model": model})
    before = (tmp_path / "state.pt").read_bytes()
    with pytest.raises(OSError, match="no space"):
        checkpoints.save(tmp_path, 2, {"model": model, "other": Unwritable()})
    assert (tmp_path / "state.pt").read_bytes() == before


@pytest.mark.parametrize("width", [2, 2000], ids=["when the file is flushed", "inside PyTorch's writer"])
def test_a_full_disk_is_one_sentence_and_leaves_the_checkpoint_before_it(tmp_path, width):
    checkpoints.save(tmp_path, 1, {"model": nn.Linear(2, 2)})
    (tmp_path / "state.pt.tmp").symlink_to("/dev/full")
    with pytest.raises(StorageError, match=r"state.pt cannot be written: No space left on device$"):
        checkpoints.save(tmp_path, 2, {"model": nn.Linear(width, 2)})
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]
    assert checkpoints.load(tmp_path, {}) == 1


def test_a_folder_that_cannot_be_made_is_the_storages_failure(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written: Not a directory"):
        checkpoints.save(tmp_path / "file" / "new", 1, {})


def test_an_error_of_ours_is_not_taken_for_the_storages(tmp_path, monkeypatch):
    def out_of_memory(state, file):
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(torch, "save", out_of_memory)
    with pytest.raises(RuntimeError, match="out of memory"):
        checkpoints.save(tmp_path, 1, {})
    assert not list(tmp_path.iterdir())


def test_a_file_cut_short_at_writing_is_never_read(tmp_path):
    checkpoints.save(tmp_path, 1, {"model": nn.Linear(2, 2)})
    (tmp_path / "state.pt.tmp").write_bytes(b"half")
    assert checkpoints.load(tmp_path, {}) == 1


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 torn"])
def test_damage_is_said_in_a_sentence(tmp_path, content):
    (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(ResultsDamagedError, match="cannot be read"):
        checkpoints.load(tmp_path, {})
    with pytest.raises(ResultsDamagedError, match="cannot be read"):
        checkpoints.best_weights(tmp_path)


def test_a_wrong_byte_anywhere_is_damage_or_harmless(tmp_path):
    checkpoints.save(tmp_path, 1, {"best": BestWeights(Goal.MAXIMIZE)})
    good = (tmp_path / "state.pt").read_bytes()
    damaged = 0
    for place in range(0, len(good), 11):
        (tmp_path / "state.pt").write_bytes(good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :])
        with warnings.catch_warnings(action="error"):  # PyTorch wonders about unknown versions of pickle
            try:
                checkpoints.load(tmp_path, {})
            except ResultsDamagedError:
                damaged += 1
    assert damaged > 20


def test_a_checkpoint_of_other_parts_is_refused_and_changes_nothing(tmp_path):
    checkpoints.save(tmp_path, 1, {"model": nn.Linear(2, 2)})
    model = nn.Linear(2, 2)
    before = model.weight.clone()
    with pytest.raises(ResultsDamagedError, match=r"state.pt lacks average, optimizer"):
        checkpoints.load(tmp_path, {"model": model, "optimizer": model, "average": model})
    assert torch.equal(model.weight, before)


def test_code_in_a_checkpoint_is_never_run(tmp_path):
    torch.save({"epoch": 1, "model": print}, tmp_path / "state.pt")
    with pytest.raises(ResultsDamagedError):
        checkpoints.load(tmp_path, {})
