"""What several commands are told alike."""

from __future__ import annotations

import argparse

import pytest

from tuner.cli.options import add_comparison
from tuner.space.problems import Reporter
from tuner.space.yaml_nodes import read_yaml


@pytest.mark.parametrize("folder", ["../data", "null", "1.0", "C: images # mine", "ü'\""])
def test_the_folder_of_the_images_is_a_text_whatever_its_name(folder: str) -> None:
    parser = argparse.ArgumentParser()
    add_comparison(parser)
    overrides = parser.parse_args(["--set", "max_concurrent=2", "--root", folder]).set
    assert overrides[0] == "max_concurrent=2"
    key, _, value = overrides[1].partition("=")
    node = read_yaml(value, "--root", Reporter(), positions=False)
    assert key == "data.root" and node is not None and node.content == folder
    assert parser.parse_args([]).set == [], "the default is not what was said before"
