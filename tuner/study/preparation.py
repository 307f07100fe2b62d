"""What the driver gets ready for trials: the data set, pretrained weights, and the job that names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tuner.datasets.prepare import prepare
from tuner.datasets.prepared import PreparedData
from tuner.facts.addresses import address_of
from tuner.facts.errors import UsageError
from tuner.facts.records import IN_OWN_FILES
from tuner.space.searchfile import SearchFile
from tuner.study.folder import Folder
from tuner.study.job import Job
from tuner.study.suitability import pretrained_models, refuse_unsuitable_images, variants
from tuner.study.weights import Weights, find_weights

#: Configurations of the built-in trainable, defaults filled in.
Configs = Iterable[Mapping[str, Any]]


def prepare_data(file: SearchFile, existing: Folder | None, configs: Configs | None = None) -> PreparedData | None:
    """Return the decoded data set of a file; None for one's own trainable.

    Args:
        file: Says which.
        existing: A search on the same data, or None.
        configs: What is trained; None for whatever the file's space holds.

    Raises:
        UsageError: There is no such data set, its content is not what the existing search began with, or its images do
            not suit every configuration.
        StorageError: The cache cannot be written.
    """
    if file.data is None:
        return None
    if file.data.root is None and file.data.dataset in IN_OWN_FILES:
        raise UsageError(f"no result records where {file.data.dataset} images lie; say --root DIR")
    prepared = prepare(file.data.dataset, Path(file.data.root) if file.data.root else None)
    if existing is not None:
        before = existing.description()["data"]["fingerprint"]
        if prepared.fingerprint != before:
            raise UsageError(
                f"the data set is not the one that this search began with "
                f"(fingerprint {prepared.fingerprint[:12]}, was {before[:12]})"
            )
    refuse_unsuitable_images(variants(file.space) if configs is None else configs, prepared.shape)
    return prepared


def prepare_weights(file: SearchFile, existing: Folder | None, configs: Configs | None = None) -> tuple[Weights, ...]:
    """Return the pretrained weights of every architecture that begins with such; none for one's own trainable.

    Args:
        file: Says where they are.
        existing: A search that began with the same weights, or None.
        configs: What is trained; None for whatever the file's space holds.

    Raises:
        UsageError: There are no such weights, they are not what the existing search began with, or a file is given and
            nothing is pretrained.
        StorageError: The cache cannot be written.
    """
    if file.data is None:
        return ()
    models = pretrained_models(variants(file.space) if configs is None else configs)
    if file.data.weights is not None and not models:
        raise UsageError("data.weights has no meaning where pretrained is never true; leave it out")
    found = tuple(find_weights(model, file.data.weights) for model in models)
    before = {} if existing is None else existing.description()["data"].get("weights", {})
    for weights in found:
        if before.get(weights.model, weights.fingerprint) != weights.fingerprint:
            raise UsageError(
                f"the weights of {weights.model} are not those that this search began with "
                f"(fingerprint {weights.fingerprint[:12]}, was {before[weights.model][:12]}); "
                "another file is named by --set data.weights=FILE"
            )
    return found


def job_of(
    file: SearchFile,
    folder: Path,
    prepared: PreparedData | None,
    weights: tuple[Weights, ...],
    home: str | None = None,
) -> Job:
    """Return what the trials of a file share; they write below ``folder``, or what it stands for.

    Args:
        file: The search.
        folder: Its results.
        prepared: Its data.
        weights: Its pretrained weights.
        home: See ``Job``. Workers of a cluster are in a copy of what the search takes along, and import from there:
            a folder of the same name on another node could hold something else.
    """
    return Job(
        trainable=file.trainable,
        import_paths=(str(file.path.parent.resolve()), str(Path.cwd())) if home is None else (),
        data=file.data,
        prepared=prepared,
        weights=weights,
        metric=file.metric.name,
        goal=file.metric.goal,
        further=file.reported,
        max_epochs=file.scheduler.max_epochs,
        place=address_of(folder) or str(folder.absolute()),
        cpus=file.resources.cpus_per_trial,
        gpus=file.resources.gpus_per_trial,
        home=home,
    )


def data_record(file: SearchFile, prepared: PreparedData | None, weights: tuple[Weights, ...]) -> dict[str, Any] | None:
    """Return what search.json says of data and weights: their content, never where they lie."""
    if file.data is None or prepared is None:
        return None
    return {
        "dataset": file.data.dataset,
        "fingerprint": prepared.fingerprint,
        "classes": list(prepared.classes),
        "shape": list(prepared.shape),
        "train_count": prepared.train_count,
        "weights": {item.model: item.fingerprint for item in weights},
    }
