"""Small data sets as files, for the tests of this room."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def picture(label=0, mode="RGB", size=(6, 4)):
    """An image 6 wide and 4 high whose values tell its label."""
    width, height = size
    grey = np.full((height, width), 20 * label + 5, dtype=np.uint8)
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * 256 + 77)
    if mode == "F":
        return Image.fromarray(grey.astype(np.float32))
    if mode in ("RGB", "RGBA", "P"):
        colour = Image.fromarray(np.stack([grey, grey + 1, grey + 2], axis=-1))
        if mode == "RGBA":
            colour.putalpha(100)
        return colour.convert("P", palette=Image.Palette.ADAPTIVE) if mode == "P" else colour
    return Image.fromarray(grey).convert(mode)


def png(image=None, kind="PNG"):
    out = io.BytesIO()
    (image or picture()).save(out, kind)
    return out.getvalue()


def write_parquet(file, contents, labels, *, image="img", label="label", names=None):
    """Write encoded images as Hugging Face does."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = pa.array([{"bytes": content, "path": None} for content in contents], type=kind)
    table = pa.table({image: rows, label: pa.array(labels, type=pa.int64())})
    if names is not None:
        features = {image: {"_type": "Image"}, label: {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)
    return file


def parquet_root(folder, labels=(0, 1, 2, 0, 1, 2), **details):
    write_parquet(folder / "train-0.parquet", [png(picture(label)) for label in labels], list(labels), **details)
    return folder


def write_images(folder: Path, images):
    """Write ``{"cat/1.png": image}``."""
    for name, image in images.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(folder / name)
    return folder
