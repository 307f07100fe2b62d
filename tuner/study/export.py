"""A trained model in a form that runs without Tuner: images as they are in the data set in, probabilities out."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from tuner.facts.errors import StorageError, UsageError, relative_to_cwd
from tuner.journal.storage import make_durable
from tuner.storage.copies import push
from tuner.study.trained_model import TrainedModel

INPUT, OUTPUT = "images", "probabilities"


def export(model: TrainedModel, folder: Path, form: str) -> Path:
    """Write ``model.<form>`` into a folder, over one that is there, and return its path.

    What is written takes uint8 [B, C, H, W] with any B >= 1 and gives float32 [B, classes], each row summing to 1:
    resizing and normalization are part of it, so that nobody can get them wrong.

    Args:
        model: On the CPU.
        folder: Where to write.
        form: A key of ``FORMS``.

    Raises:
        UsageError: The network has a part that the form cannot say.
        StorageError: The folder cannot be written, or the object storage fails.
    """
    path = folder / f"model.{form}"
    beside = folder / f".model.{form}"  # torch insists on the ending
    try:
        with _silent():
            FORMS[form](_program(model), beside)
        beside.replace(path)
        make_durable(folder)
    except OSError as error:
        raise StorageError(f"{relative_to_cwd(path)} cannot be written: {error.strerror or error}") from error
    except Exception as error:  # each exporter has its own family of errors
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(f"this model cannot be exported as {form}: {reason}") from error
    finally:
        beside.unlink(missing_ok=True)
    push(path)
    return path


def refuse_missing(forms: Iterable[str]) -> None:
    """Called before anything is trained.

    Raises:
        UsageError: A form needs a package that is not installed.
    """
    missing = [name for form in forms for name in _NEEDS[form] if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"--export needs {' and '.join(missing)}: pip install 'tuner[export]'")


class _Served(nn.Module):
    def __init__(self, model: TrainedModel) -> None:
        super().__init__()
        self.network = model.network
        self._normalize = model.normalize

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(self._normalize(images))
        return logits.softmax(1)


def _program(model: TrainedModel) -> ExportedProgram:
    """Return the graph from images to probabilities, without the paths of the code that it was traced in."""
    served = _Served(model).eval().requires_grad_(False)
    example = torch.zeros(2, *model.image_shape, dtype=torch.uint8)  # a batch of one would be taken for a constant
    program = torch.export.export(served, (example,), dynamic_shapes=({0: Dim("batch")},))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    return program


def _onnx(program: ExportedProgram, file: Path) -> None:
    onnx = torch.onnx.export(
        program,
        dynamo=True,
        verbose=False,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: "batch"},),  # only the name: the program says already that it is dynamic
    )
    assert onnx is not None, "the dynamo exporter returns its program"
    onnx.save(file, external_data=False)


def _pt2(program: ExportedProgram, file: Path) -> None:
    torch.export.save(program, file)


#: Form to what writes it.
FORMS: Mapping[str, Callable[[ExportedProgram, Path], None]] = MappingProxyType({"onnx": _onnx, "pt2": _pt2})

_NEEDS: Mapping[str, tuple[str, ...]] = {"onnx": ("onnx", "onnxscript"), "pt2": ()}


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep the exporters' remarks on PyTorch's own deprecations to themselves."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
