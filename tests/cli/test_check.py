"""`tuner check`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.space.searchfiles import OWN, SMALL, WHOLE, write
from tuner.cli.main import main


def test_it_shows_what_a_file_means(tmp_path, capsys):
    path = write(tmp_path, WHOLE)
    assert main(["check", str(path)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for line in (
        "trains      cifar on cifar10, 5,000 images for validation",
        "metric      maximize val_accuracy",
        "stops early asha, rungs at 3, 9",
        "            about 6 of 64 trials are exempt and run to their end",
        "            a rung stops nothing while its rank correlation is below 0.55",
        "epochs      at most 1,728",
        "requires    warmup_epochs < epochs",
        "lr                     real 0.01 to 1.0, log            optimizer sgd",
    ):
        assert line in out.splitlines()
    assert out.splitlines()[-1] == f"{path} is good"
    assert max(map(len, out.splitlines()[:-1])) <= 80


@pytest.mark.parametrize(
    ("overrides", "lines"),
    [
        (
            [],
            [
                "proposes    tpe, 64 trials, seed 0",
                "            n_startup_trials 10, n_ei_candidates 24, multivariate false",
            ],
        ),
        (
            ["search.algorithm=nsga2", "search.population_size=20"],
            ["            population_size 20, crossover_prob 0.9"],
        ),
        (
            ["scheduler.type=hyperband"],
            [
                "stops early hyperband, of 17 trials 9 have rungs at 3, 9; 5 have rungs at 9; 3",
                "            have no rungs",
            ],
        ),
        (["scheduler.type=none"], ["stops early none, no rungs"]),
        (
            ["scheduler={type: median}"],
            ["stops early median, at epochs 3 to 26; n_startup_trials 5, n_min_trials 1"],
        ),
    ],
)
def test_it_shows_the_settings_of_sampler_and_scheduler(tmp_path, capsys, overrides, lines):
    text = WHOLE.replace("time_budget: 90m, points: [{optimizer: sgd, lr: 1}]", "time_budget: null")
    path = write(tmp_path, text)
    assert main(["check", str(path), *(word for one in overrides for word in ("--set", one))]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line for line in out if line in lines] == lines


def test_json_lists_brackets(tmp_path, capsys):
    path = write(tmp_path, WHOLE)
    assert main(["check", str(path), "--json", "--set", "scheduler.type=hyperband"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["rungs"] == [3, 9]
    assert answer["brackets"] == [
        {"trials": 9, "rungs": [3, 9]},
        {"trials": 5, "rungs": [9]},
        {"trials": 3, "rungs": []},
    ]


def test_sampled_configurations_follow_the_seed_and_the_conditions(tmp_path, capsys):
    path = write(tmp_path, WHOLE)
    configs = []
    for seed in (0, 0, 1):
        assert main(["check", str(path), "--json", "--samples", "20", "--set", f"search.seed={seed}"]) == 0
        configs.append(json.loads(capsys.readouterr().out)["configurations"])
    assert configs[0] == configs[1] != configs[2]
    assert len(configs[0]) == 20
    assert all(("momentum" in config) is (config["optimizer"] == "sgd") for config in configs[0])
    assert all(config["mixup_alpha"] == 0 or config["dropout"] < 0.4 for config in configs[0])


def test_limits_are_shown_and_bound_the_epochs(tmp_path, capsys):
    path = write(tmp_path, SMALL)
    words = [word for one in ("epoch_budget=100", "min_improvement=1e-3") for word in ("--set", one)]
    assert main(["check", str(path), *words]) == 0
    out = capsys.readouterr().out
    assert "ends early  after 100 epochs, or once the expected improvement is below 0.001\n" in out
    assert "epochs      at most 100\n" in out
    assert main(["check", str(path), "--set", "epoch_budget=10000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["epochs_at_most"] == 576


def test_json_is_one_object_with_settings_rungs_and_bound(tmp_path, capsys):
    path = write(tmp_path, SMALL + "scheduler: {grace_period: 9}\n")
    assert main(["check", str(path), "--json", "--samples", "0"]) == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert err == ""
    assert (answer["version"], answer["search"], answer["rungs"], answer["epochs_at_most"]) == (1, "space", [], 576)
    assert answer["settings"]["parameters"]["epochs"] == [{"value": 9, "when": {}}]
    assert [warning["line"] for warning in answer["warnings"]] == [4]


def test_warnings_go_to_stderr_and_the_file_is_still_good(tmp_path, capsys):
    path = write(tmp_path, SMALL + "scheduler: {grace_period: 9}\n")
    assert main(["check", str(path)]) == 0
    out, err = capsys.readouterr()
    assert f"{path}:4:27: warning: the grace period reaches" in err
    assert "warning:" not in out


def test_a_small_space_bounds_the_epochs(tmp_path, capsys):
    path = write(tmp_path, "parameters: {epochs: 3, flip: {values: [true, false]}}\n")
    for override, epochs in (("search.algorithm=grid", 6), ("replicates=1", 6), ("replicates=4", 24), ("trials=5", 15)):
        assert main(["check", str(path), "--set", override]) == 0
        assert f"epochs      at most {epochs}\n" in capsys.readouterr().out
    path.write_text("parameters: {epochs: 3, seed: 1, flip: {values: [true, false]}}\n")
    assert main(["check", str(path)]) == 0
    assert "epochs      at most 6\n" in capsys.readouterr().out, "a run with another seed is another configuration"


def test_errors_end_with_code_2_and_nothing_on_stdout(tmp_path, capsys):
    path = write(tmp_path, SMALL + "  lr: {min: 1.0, max: 0.1}\n")
    assert main(["check", str(path), "--set", "lrr=1"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{path}:4:7: error: 'min' must be below 'max'" in err
    assert "--set lrr=1: error: unknown key 'lrr'; did you mean 'parameters.lr'?" in err


def test_an_error_as_json_names_file_line_and_column(tmp_path, capsys):
    path = write(tmp_path, SMALL + "  lr: {min: 1.0, max: 0.1}\n")
    assert main(["check", str(path), "--json"]) == 2
    error = json.loads(capsys.readouterr().err)["error"]
    assert (error["code"], error["file"], error["line"], error["column"]) == (2, str(path), 4, 7)


def test_a_trainable_of_ones_own_is_checked_without_running_it(tmp_path, capsys):
    assert main(["check", str(write(tmp_path, OWN))]) == 0
    assert "trains      mine:train" in capsys.readouterr().out


@pytest.mark.parametrize("text", [WHOLE, OWN], ids=["cifar", "own"])
def test_nothing_heavy_is_loaded_and_nothing_is_left_behind(tmp_path, text):
    write(tmp_path, text)
    before = sorted(path.name for path in tmp_path.iterdir())
    code = (
        "import sys; from tuner.cli.main import main\n"
        "assert main(['check', 'space.yaml']) == 0\n"
        "heavy = {'torch', 'torchvision', 'ray', 'optuna', 'pandas', 'pyarrow', 'numpy', 'mine'} & set(sys.modules)\n"
        "sys.exit(' '.join(heavy) or 0)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=tmp_path, env={"PYTHONPATH": str(root)}, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
