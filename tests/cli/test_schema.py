"""`tuner schema`."""

import json

from tuner.cli.main import main
from tuner.hyperparameters.table import TRAINABLES
from tuner.space.schema import json_schema


def test_it_prints_the_schema_and_nothing_else(capsys):
    assert main(["schema"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == json_schema(TRAINABLES)
    assert err == ""
