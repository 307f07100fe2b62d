"""Fine-tuning: torchvision's weights under a new head, and a backbone that stays as it is."""

import copy

import pytest
import torch
import torchvision
from torch import nn

from tests.training.helpers import generator
from tuner.facts.errors import UsageError
from tuner.hyperparameters.architectures import ARCHITECTURES
from tuner.hyperparameters.table import resolve
from tuner.training.models import registry as models
from tuner.training.models.finetuning import head_parameters, set_training_mode
from tuner.training.models.pretrained import check_weights, load_body, published_file

SHAPE = (3, 32, 32)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file such as torchvision's, with random weights and statistics that are not those of a new norm."""
    torch.manual_seed(1)
    theirs = torchvision.models.resnet18()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
    path = tmp_path_factory.mktemp("weights") / "resnet18-f37072fd.pth"
    torch.save(theirs.state_dict(), path)
    return path


def build(weights, **config):
    torch.manual_seed(0)
    return models.build(resolve({"model": "resnet18", "pretrained": True, **config}), SHAPE, 7, weights)


def images(count=4):
    return torch.randn(count, *SHAPE, generator=generator())


def step(model, frozen):
    """Train one step with a large rate and return what it was before."""
    before = copy.deepcopy(model.state_dict())
    set_training_mode(model, frozen)
    optimizer = torch.optim.SGD([item for item in model.parameters() if item.requires_grad], lr=1.0)
    model(images()).logsumexp(1).sum().backward()
    optimizer.step()
    return before


class TestPretrained:
    def test_begins_with_the_weights_of_the_file_but_for_the_head(self, weights):
        theirs = torch.load(weights, weights_only=True)
        ours = build(weights).state_dict()
        unchanged = {name.replace("bn2.0.", "bn2."): value for name, value in ours.items() if not name.startswith("fc")}
        assert unchanged.keys() == {name for name in theirs if not name.startswith("fc")}
        assert all(torch.equal(unchanged[name], theirs[name]) for name in unchanged)
        assert ours["fc.1.weight"].shape == (7, 512)

    def test_keeps_the_stem_of_the_weights(self, weights):
        model = build(weights)
        assert (model.conv1.kernel_size, model.conv1.stride) == ((7, 7), (2, 2))
        assert isinstance(model.maxpool, nn.MaxPool2d)

    def test_takes_dropout_and_drop_path(self, weights):
        model = build(weights, dropout=0.5, drop_path=0.5).train()
        assert not torch.equal(model(images()), model(images()))

    def test_refuses_what_the_weights_fix(self):
        with pytest.raises(UsageError, match="activation applies only where pretrained is false"):
            resolve({"pretrained": True, "activation": "gelu"})

    def test_refuses_images_that_the_weights_do_not_take(self, weights):
        settings = resolve({"model": "resnet18", "pretrained": True})
        with pytest.raises(UsageError, match="pretrained weights of resnet18 need images of 3 channels, not 1"):
            models.build(settings, (1, 32, 32), 7, weights)
        with pytest.raises(
            UsageError, match="pretrained resnet18 needs images of at least 32 x 32 pixels, not 28 x 28"
        ):
            models.build(settings, (3, 28, 28), 7, weights)

    def test_is_nothing_for_networks_without_weights(self):
        with pytest.raises(UsageError, match="pretrained needs published weights, which mlp, cnn, resnet9, vit_small"):
            resolve({"model": "cnn", "pretrained": True})


class TestFiles:
    def test_another_architecture_is_named(self, weights):
        with pytest.raises(
            UsageError, match=r"resnet18-f37072fd.pth holds no weights of resnet34: it lacks layer1.2.conv"
        ):
            check_weights("resnet34", weights)
        with pytest.raises(UsageError, match=r"holds no weights of wide_resnet50_2: it lacks layer1.0.conv3.weight"):
            check_weights("wide_resnet50_2", weights)

    def test_the_same_names_in_another_shape_are_another_architecture(self, tmp_path):
        torch.save(torchvision.models.resnet50().state_dict(), tmp_path / "weights.pth")
        with pytest.raises(UsageError, match=r"no weights of wide_resnet50_2: it has in another shape layer1.0.conv1"):
            check_weights("wide_resnet50_2", tmp_path / "weights.pth")

    @pytest.mark.parametrize("damage", [b"", b"no weights", b"0", b"\x80\x04.", None])
    def test_a_damaged_file_is_named(self, weights, tmp_path, damage):
        broken = tmp_path / "broken.pth"
        content = weights.read_bytes()
        broken.write_bytes(content[: len(content) // 2] if damage is None else damage)
        with pytest.raises(UsageError, match=r"broken.pth is damaged"):
            check_weights("resnet18", broken)

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(UsageError, match=r"nowhere.pth cannot be read: No such file"):
            check_weights("resnet18", tmp_path / "nowhere.pth")

    def test_a_file_runs_no_code(self, tmp_path):
        torch.save(nn.Linear(2, 2), tmp_path / "module.pth")
        with pytest.raises(UsageError, match=r"module.pth is damaged, or was not made by torch.save of a state dict"):
            check_weights("resnet18", tmp_path / "module.pth")
        torch.save({"epoch": 3}, tmp_path / "checkpoint.pth")
        with pytest.raises(UsageError, match=r"checkpoint.pth is no state dict"):
            check_weights("resnet18", tmp_path / "checkpoint.pth")

    @pytest.mark.parametrize(
        "entry",
        [
            {3: torch.zeros(2)},
            {"conv1.weight": torch.zeros(64, 3, 7, 7).to_sparse()},
            {"conv1.weight": torch.zeros(64, 3, 7, 7, device="meta")},
            {"conv1.weight": torch.zeros(64, 3, 7, 7, dtype=torch.complex64)},
        ],
        ids=["a name that is a number", "sparse", "without values", "complex"],
    )
    def test_what_no_layer_takes_is_no_state_dict(self, weights, tmp_path, entry):
        torch.save({**torch.load(weights, weights_only=True), **entry}, tmp_path / "weights.pth")
        with pytest.raises(UsageError, match=r"weights.pth is no state dict"):
            check_weights("resnet18", tmp_path / "weights.pth")

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_weights_that_are_not_finite_are_refused(self, weights, tmp_path, value):
        state = torch.load(weights, weights_only=True)
        state["bn1.weight"][3] = value
        torch.save(state, tmp_path / "weights.pth")
        with pytest.raises(UsageError, match=r"is damaged: bn1.weight holds numbers that are not finite"):
            check_weights("resnet18", tmp_path / "weights.pth")

    def test_the_head_need_not_fit_and_old_files_lack_counters(self, tmp_path):
        state = torchvision.models.resnet18(num_classes=3).state_dict()
        state = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
        torch.save(state, tmp_path / "weights.pth")
        network = torchvision.models.resnet18()
        load_body(network, "resnet18", tmp_path / "weights.pth")
        assert torch.equal(network.conv1.weight, state["conv1.weight"])

    def test_the_names_in_torchvisions_old_densenet_files_are_understood(self, tmp_path):
        torch.manual_seed(2)
        theirs = torchvision.models.densenet121().state_dict()
        old = {
            name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2.") if "denselayer" in name else name: value
            for name, value in theirs.items()
        }
        assert old.keys() != theirs.keys()
        torch.save(old, tmp_path / "weights.pth")
        network = torchvision.models.densenet121()
        load_body(network, "densenet121", tmp_path / "weights.pth")
        name = "features.denseblock1.denselayer1.conv2.weight"
        assert torch.equal(network.state_dict()[name], theirs[name])

    @pytest.mark.parametrize("name", [name for name, item in ARCHITECTURES.items() if item.weights_side is not None])
    def test_torchvision_publishes_weights_of_the_side_that_the_table_says(self, name):
        file = published_file(name)
        assert file.url.endswith(file.name) and file.name.endswith(".pth")
        assert len(file.hash) >= 8 and set(file.hash) <= set("0123456789abcdef") and file.hash in file.name
        transforms = torchvision.models.get_model_weights(file.architecture).DEFAULT.transforms()
        assert transforms.crop_size == [ARCHITECTURES[name].weights_side]


class TestFreezing:
    def test_the_head_is_the_last_layer(self, weights):
        assert [item.shape for item in head_parameters(build(weights))] == [(7, 512), (7,)]

    def test_only_the_head_moves(self, weights):
        model = build(weights, freeze_backbone=True)
        before = step(model, frozen=True)
        moved = [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])]
        assert moved == ["fc.1.weight", "fc.1.bias"]

    def test_without_freezing_weights_and_running_statistics_move(self, weights):
        model = build(weights)
        before = step(model, frozen=False)
        same = [name for name, value in model.state_dict().items() if torch.equal(value, before[name])]
        assert same == []

    def test_the_frozen_part_is_the_same_function_in_training_and_evaluation(self, weights):
        model = build(weights, freeze_backbone=True)
        set_training_mode(model, frozen=True)
        trained = model(images())
        assert torch.allclose(trained, model.eval()(images()), atol=1e-5)

    @pytest.mark.parametrize("name", ["dropout_conv", "drop_path"])
    def test_what_would_have_no_effect_in_the_frozen_part_is_refused(self, name):
        config = {"model": "resnet18", "pretrained": True, name: 0.1}
        resolve({**config, "freeze_backbone": False})
        with pytest.raises(UsageError, match="with freeze_backbone nothing is dropped in feature maps and branches"):
            resolve({**config, "freeze_backbone": True})

    def test_dropout_of_the_head_still_drops(self, weights):
        model = build(weights, freeze_backbone=True, dropout=0.5)
        set_training_mode(model, frozen=True)
        assert not torch.equal(model(images()), model(images()))

    def test_parameters_that_train_are_counted(self, weights):
        assert models.parameter_count(build(weights, freeze_backbone=True)) == 7 * 513
