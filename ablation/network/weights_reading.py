"""Reading the tensors of weights files: only safe formats, and nothing larger than the file itself.

Safetensors files and PyTorch checkpoints are read, the latter through `torch.load(weights_only=True)`, which executes nothing.
That alone does not bound the memory: a small archive can inflate to many times its size, and so can the pickle inside. Both
sizes are known before anything is loaded. PyTorch does not compress its archives, so that an honest one holds what it declares.
"""

from __future__ import annotations

import argparse
import pickle
import pickletools
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from ..environment import free_memory
from ..errors import AblationError, first_line
from .unwrap import unwrap
from .weights_header import Description, check_checksum, read_description

_MAX_PICKLE = 8_000_000  # bytes, and operations; a training checkpoint with 3,000 tensors and their momenta takes 3 MB
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"


@dataclass(frozen=True)
class WeightsFile:
    """Contents of a weights file.

    Args:
        state: the tensors by name, on the CPU.
        description: what its header says.
        note: which weights were used, if the file held averaged and raw ones; else "".
    """

    state: dict[str, Tensor]
    description: Description
    note: str = ""


def read_state_dict(file: str | Path, averaged: bool = True) -> dict[str, Tensor]:
    """Return the tensors of a weights file by name, on the CPU, without executing anything in the file.

    The state dict may be at the top level or under "state_dict", "model", "model_state_dict" or "net", and averaged (EMA)
    weights under "state_dict_ema" or "model_ema". Prefixes of wrappers (`module.`, `_orig_mod.`, `model.`, `net.`) are removed
    from the names, and the counters of thop and of torch's AveragedModel are left out.

    Args:
        file: safetensors file or PyTorch file.
        averaged: whether to take averaged weights where the file holds averaged and raw ones, as timm does.

    Raises:
        AblationError: if the file is missing, truncated, damaged, too large for the memory, or contains anything but tensors;
            the message states which.
    """
    return read_weights(file, averaged).state


def read_weights(file: str | Path, averaged: bool = True) -> WeightsFile:
    """Return the tensors, the description and a note on a weights file; as `read_state_dict`."""
    path = Path(file)
    try:
        if not path.exists():
            raise AblationError(f"there is no weights file {file}")
        if not path.is_file():
            raise AblationError(
                f"{file} is not a weights file, but a {'folder' if path.is_dir() else 'device or pipe'}"
            )
        with path.open("rb") as opened:
            start = opened.read(9)
        size = path.stat().st_size
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise AblationError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from None
    check_memory(size, f"{file} holds")
    description = Description()
    plain: dict[str, Any] = {}
    try:
        is_safetensors = start[8:] == b"{" and start[4:8] == bytes(
            4
        )  # first, since the length may read as another format
        if not is_safetensors and start.startswith((_ZIP, _PICKLE)):
            data = _read_pytorch(path, start.startswith(_ZIP))
        else:
            data = load_file(path)
            description, plain = read_description(path)
    except pickle.UnpicklingError as error:
        if "Unsupported operand" in str(error):
            raise AblationError(
                f"{file} was refused: its pickle has operations of a protocol above 2, which torch reads only by executing "
                "what is in it. Save the weights again with torch.save's default protocol, or as safetensors"
            ) from None
        raise AblationError(
            f"{file} was refused: it is a pickle that contains more than tensors, and reading it could execute code. "
            "Nothing in it was executed. Obtain the weights as safetensors or as a plain state dict"
        ) from None
    except AblationError:
        raise
    except Exception as error:  # a damaged file can make the unpickler raise anything
        reason = first_line(error)
        raise AblationError(
            f"{file} is not a complete weights file ({reason}). It may be truncated or in another "
            "format; expected safetensors or a PyTorch state dict"
        ) from None
    if plain:  # one of ours, whose names are as they were written
        check_checksum(file, plain, data)
        return WeightsFile(data, description)
    state, note = unwrap(data, str(file), averaged)
    is_mapped = not is_safetensors and start.startswith(_ZIP)
    return WeightsFile(_copied(state) if is_mapped else state, description, note)


def check_memory(needed: int, what: str) -> None:
    """Raise an `AblationError` if so many bytes do not fit in the free memory of this machine."""
    free = free_memory()
    if needed > free:
        raise AblationError(f"{what} {needed / 1e9:,.1f} GB, but only {free / 1e9:,.1f} GB of memory are free")


def _read_pytorch(path: Path, is_zip: bool) -> Any:
    if is_zip:
        _check_archive(path)
    else:
        _check_pickle(path)
    # timm's trainers store their options, which are plain values in a Namespace.
    with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the pickle's protocol
        # Mapped, so that what is not used of a checkpoint, such as an optimizer's state, is not read.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)


def _check_archive(path: Path) -> None:
    """Refuse an archive that declares more than it holds, or whose pickle is too large for a state dict."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    total, size = sum(entry.file_size for entry in entries), path.stat().st_size
    if total > size or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise AblationError(
            f"{path} was refused: it has {size:,} bytes and declares {total:,}; PyTorch does not compress its files. "
            "Unpack the weights and save them again with torch.save, or as safetensors"
        )
    largest = max((entry.file_size for entry in entries if entry.filename.endswith(".pkl")), default=0)
    if largest > _MAX_PICKLE:
        raise _large_pickle(path, f"{largest:,} bytes")


def _check_pickle(path: Path) -> None:
    """Refuse a file of the older format whose first pickles, which describe the tensors, are too long for a state dict."""
    operations = 0
    with path.open("rb") as opened:
        for _ in range(4):  # magic number, version, system, and the objects; the values of the tensors follow
            for _ in pickletools.genops(opened):
                operations += 1
                if operations > _MAX_PICKLE // 8:  # an operation takes more memory than a byte, and this loop is slow
                    raise _large_pickle(path, f"more than {operations - 1:,} operations")
            if opened.tell() == path.stat().st_size:
                return  # a plain pickle, which torch.load refuses


def _large_pickle(path: Path, what: str) -> AblationError:
    return AblationError(
        f"{path} was refused: its pickle has {what}, at most {_MAX_PICKLE:,} bytes are read, and those of a state dict are "
        "far fewer. Save the weights alone, as safetensors or as a plain state dict"
    )


def _copied(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors that do not change with the file, with shared memory copied once."""
    storages: dict[int, torch.UntypedStorage] = {}
    copied = {}
    for name, value in state.items():
        storage = value.untyped_storage()
        if storage.data_ptr() not in storages:
            storages[storage.data_ptr()] = storage.clone()
        empty = torch.empty(0, dtype=value.dtype)
        copied[name] = empty.set_(storages[storage.data_ptr()], value.storage_offset(), value.shape, value.stride())
    return copied
