"""The folder of a search, moved aside."""

import pytest

from tuner.facts.errors import ResultsHeldError
from tuner.journal.lock import FolderLock
from tuner.study.folder import Folder


@pytest.mark.parametrize("inside", ["confirm", "ablate/3", "models/.3"])
def test_it_stays_while_something_in_it_is_being_trained(tmp_path, inside):
    folder = Folder(tmp_path / "s")
    place = folder.path / inside
    place.mkdir(parents=True)
    lock = FolderLock(place)
    lock.acquire()
    with pytest.raises(ResultsHeldError, match="held by a comparison or a final training"):
        folder.move_aside()
    lock.release()
    assert folder.move_aside() == tmp_path / "s.1"
    assert not folder.path.exists()
