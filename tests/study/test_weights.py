"""What the driver finds out before the first trial: pretrained weights, and images that do not suit a configuration."""

import hashlib
from pathlib import Path
from textwrap import dedent
from urllib.error import URLError

import pytest
import torch
import torchvision

from tuner.facts.errors import StorageError, UsageError
from tuner.hyperparameters.table import TRAINABLES
from tuner.space.read import read_search_file
from tuner.study.builtin import builtin_trainable
from tuner.study.preparation import data_record, job_of, prepare_data, prepare_weights
from tuner.study.suitability import pretrained_models, refuse_unsuitable_images, variants
from tuner.study.weights import find_weights
from tuner.training.models import pretrained

RESNET18 = "resnet18-f37072fd.pth"


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The bytes of a file that fits resnet18."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("made") / "weights.pth"
    torch.save(torchvision.models.resnet18(num_classes=2).state_dict(), path)
    return path.read_bytes()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError("no route to host")

    monkeypatch.setattr("torch.hub.urlopen", refuse)


@pytest.fixture
def served(monkeypatch, tmp_path, content):
    """Torchvision's file is one of ours, on a server that is a folder."""
    source = tmp_path / RESNET18
    source.write_bytes(content)
    file = pretrained.PublishedFile("resnet18", RESNET18, source.as_uri(), hashlib.sha256(content).hexdigest()[:8])
    monkeypatch.setattr(pretrained, "published_file", lambda model: file)
    return source


def read(folder, parameters, data="{dataset: synthetic}", more=""):
    path = Path(folder) / "space.yaml"
    path.write_text(f"name: s\ndata: {data}\n{more}\nparameters:\n" + dedent(parameters).replace("\n", "\n  "))
    return read_search_file(path, trainables=TRAINABLES)


class TestFindWeights:
    def test_a_given_file_is_taken_with_its_fingerprint(self, tmp_path, content):
        (tmp_path / "mine.pth").write_bytes(content)
        found = find_weights("resnet18", str(tmp_path / "mine.pth"))
        assert (found.model, found.path) == ("resnet18", tmp_path / "mine.pth")
        assert found.fingerprint == hashlib.sha256(content).hexdigest()

    def test_a_given_file_of_another_architecture_is_named(self, tmp_path, content):
        (tmp_path / "mine.pth").write_bytes(content)
        with pytest.raises(UsageError, match=r"mine\.pth holds no weights of resnet34"):
            find_weights("resnet34", str(tmp_path / "mine.pth"))

    def test_the_cache_needs_no_network(self, cache, content, offline):
        cache.mkdir(parents=True)
        (cache / RESNET18).write_bytes(content)
        assert find_weights("resnet18").path == cache / RESNET18

    def test_without_network_the_file_and_its_place_are_named(self, cache, offline):
        with pytest.raises(UsageError) as caught:
            find_weights("resnet18")
        said = str(caught.value)
        assert "no route to host" in said and f"/{RESNET18} into {cache} by hand" in said and "data.weights" in said
        assert list(cache.iterdir()) == []

    def test_torchvisions_file_is_downloaded_once(self, cache, served):
        first = find_weights("resnet18")
        served.unlink()
        assert find_weights("resnet18") == first
        assert first.path == cache / RESNET18

    def test_a_download_that_does_not_have_its_hash_is_not_kept(self, cache, served):
        served.write_bytes(b"something else")
        with pytest.raises(UsageError, match=r"could not be downloaded .invalid hash value"):
            find_weights("resnet18")
        assert list(cache.iterdir()) == []

    def test_a_cache_that_cannot_be_written_is_the_storages_failure(self, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "file"))
        with pytest.raises(StorageError, match="file/weights cannot be written"):
            find_weights("resnet18")


class TestSearches:
    def test_only_architectures_that_can_be_pretrained_need_weights(self, tmp_path):
        file = read(
            tmp_path,
            """
            model: {values: [cnn, resnet18, resnet34, vgg11]}
            pretrained: {values: [false, true], when: {model: [resnet18, resnet34]}}
            lr: {min: 1e-3, max: 0.1, log: true}
            """,
            more="require: ['model != \"resnet34\" or not pretrained']",
        )
        assert pretrained_models(variants(file.space)) == ["resnet18"]
        assert pretrained_models(variants(read(tmp_path, "\nlr: {min: 1e-3, max: 0.1}").space)) == []

    def test_the_same_weights_are_needed_on_resume_wherever_they_lie(self, tmp_path, content, cache):
        (tmp_path / "one.pth").write_bytes(content)
        parameters = "\nmodel: resnet18\npretrained: true\nlr: {min: 1e-3, max: 0.1}"
        file = read(tmp_path, parameters, "{dataset: synthetic, weights: one.pth}")
        record = data_record(file, prepare_data(file, None), prepare_weights(file, None))
        assert record["weights"] == {"resnet18": hashlib.sha256(content).hexdigest()}
        assert str(tmp_path) not in str(file.settings())

        class Before:
            """A results folder that says what the search began with."""

            def description(self):
                return {"data": record}

        (tmp_path / "two.pth").write_bytes(content)
        moved = read(tmp_path, parameters, "{dataset: synthetic, weights: two.pth}")
        assert prepare_weights(moved, Before())[0].path == tmp_path / "two.pth"
        assert moved.settings() == file.settings()
        torch.save(torchvision.models.resnet18(num_classes=2).state_dict(), tmp_path / "two.pth")
        with pytest.raises(UsageError, match="the weights of resnet18 are not those that this search began with"):
            prepare_weights(moved, Before())

    def test_a_file_that_nothing_begins_with_is_an_error(self, tmp_path):
        file = read(tmp_path, "\nlr: {min: 1e-3, max: 0.1}", "{dataset: synthetic, weights: one.pth}")
        with pytest.raises(UsageError, match=r"data\.weights has no meaning where pretrained is never true"):
            prepare_weights(file, None)

    def test_a_trial_begins_with_them(self, tmp_path, content, cache):
        (tmp_path / "one.pth").write_bytes(content)
        file = read(
            tmp_path,
            "\nmodel: resnet18\npretrained: true\nfreeze_backbone: true\nepochs: 1\nlr: {min: 1e-3, max: 0.1}",
            "{dataset: synthetic, weights: one.pth, validation: 40, train_images: 64}",
        )
        job = job_of(file, tmp_path / "results", prepare_data(file, None), prepare_weights(file, None))
        config = {"model": "resnet18", "pretrained": True, "freeze_backbone": True, "epochs": 1, "lr": 0.01, "seed": 0}
        (tmp_path / "work").mkdir()
        report = next(builtin_trainable(job)(config, tmp_path / "work"))
        assert report["parameter_count"] == 10 * 513
        kept = torch.load(next((tmp_path / "work").rglob("*.pt")), weights_only=True)["model"]
        theirs = torch.load(tmp_path / "one.pth", weights_only=True)
        assert all(torch.equal(kept[name], theirs[name]) for name in ("conv1.weight", "layer4.1.bn1.running_mean"))


class TestImages:
    @pytest.mark.parametrize(
        ("parameters", "shape", "said"),
        [
            (
                "model: {values: [cnn, resnet18]}",
                (1, 7, 9),
                "resnet18 needs images of at least 8 x 8 pixels, not 7 x 9",
            ),
            (
                "model: cnn\ndepth: {min: 2, max: 5}",
                (3, 28, 28),
                "cnn of depth 5 needs images of at least 32 x 32 pixels",
            ),
            (
                "model: resnet18\nimage_size: {values: [32, 8]}\nnorm: {values: [batch, instance]}",
                (3, 32, 32),
                "resnet18 with instance norm needs images of at least 16 x 16 pixels, not 8 x 8",
            ),
            ("model: resnet18\npretrained: true", (1, 32, 32), "weights of resnet18 need images of 3 channels, not 1"),
            ("model: resnet18\npretrained: true", (3, 28, 28), "pretrained resnet18 needs images of at least 32 x 32"),
            ("normalize: {values: [dataset, pretrained]}", (1, 28, 28), "normalize: pretrained needs images of 3 chan"),
            ("hue: {min: 0.0, max: 0.1}", (1, 28, 28), "hue needs images of 3 channels, not 1"),
            ("grayscale: {values: [0.0, 0.2]}", (1, 28, 28), "grayscale needs images of 3 channels, not 1"),
        ],
    )
    def test_what_some_configuration_cannot_train_on_is_named(self, tmp_path, parameters, shape, said):
        file = read(tmp_path, f"\n{parameters}\nlr: {{min: 1e-3, max: 0.1}}")
        with pytest.raises(UsageError, match=said):
            refuse_unsuitable_images(variants(file.space), shape)

    @pytest.mark.parametrize(
        ("parameters", "shape"),
        [
            ("model: {values: [cnn, mlp]}\ndepth: {min: 1, max: 3}", (1, 8, 8)),
            ("saturation: 0.0\nbrightness: {min: 0.0, max: 0.4}", (1, 8, 8)),
            ("saturation: 0.3\nhue: {min: 0.0, max: 0.1}", (3, 8, 8)),
            ("model: resnet18\npretrained: true\nimage_size: 64", (3, 8, 8)),
            ("model: {values: [cnn, resnet18]}\npretrained: {values: [true, false], when: {model: cnn}}", (1, 8, 8)),
        ],
    )
    def test_what_every_configuration_can_train_on_passes(self, tmp_path, parameters, shape):
        file = read(tmp_path, f"\n{parameters}\nlr: {{min: 1e-3, max: 0.1}}")
        refuse_unsuitable_images(variants(file.space), shape)

    def test_the_driver_looks_before_anything_is_trained(self, tmp_path, cache):
        file = read(tmp_path, "\nmodel: vgg11\nlr: {min: 1e-3, max: 0.1}", "{dataset: digits}")
        with pytest.raises(UsageError, match="vgg11 needs images of at least 16 x 16 pixels, not 8 x 8"):
            prepare_data(file, None)
