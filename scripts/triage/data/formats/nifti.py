"""NIfTI-1 and NIfTI-2 in one file, by the rules of nibabel.

Where a voxel lies says the sform, or else the qform. A file with neither is read by method 1 of the
standard: its axes run to the right, to the front and upwards. (nibabel takes it as mirrored, as
files of ANALYZE are, and SimpleITK as turned by 180 degrees; the file itself can't tell.)
"""

from __future__ import annotations

import logging
import math
from pathlib import Path

import nibabel
import numpy as np
from isal import isal_zlib
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import apply_read_scaling

from triage.data.formats import Refusal
from triage.data.formats.inflate import GZIP, inflate
from triage.data.formats.volume import Volume, check_size

logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)

_HEADERS = {
    (348).to_bytes(4, "little"): nibabel.Nifti1Header,
    (348).to_bytes(4, "big"): nibabel.Nifti1Header,
    (540).to_bytes(4, "little"): nibabel.Nifti2Header,
    (540).to_bytes(4, "big"): nibabel.Nifti2Header,
}
_LONGEST = 540
_BEYOND = 1 << 20  # bytes that may follow the voxels
_MAX_OFFSET = 1 << 26  # bytes before the voxels
_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MILLIMETRES = {1: 1000.0, 3: 0.001}  # by the code of a unit: metres, micrometres


def read(path: Path) -> Volume:
    """The volume in ``path``, packed by gzip or not. Raises Refusal, OSError."""
    with open(path, "rb") as stream:
        head = stream.read(1 << 16)
        if packed := head.startswith(GZIP):
            head = isal_zlib.decompressobj(wbits=47).decompress(head, _LONGEST)
        try:
            header = _header(head)
            offset, kind, shape = _layout(header)
            scaling, affine, is_placed = header.get_slope_inter(), *_affine(header)
        except (HeaderDataError, ValueError) as error:
            raise Refusal(f"has a header that is no good NIfTI ({error})") from error
        count = math.prod(shape)
        wanted = count * kind.itemsize
        stream.seek(0)
        if packed:
            content = inflate(stream, 0, offset + wanted, _BEYOND)
        else:
            content = stream.read(offset + wanted)
    if len(content) < offset + wanted:
        found = max(0, len(content) - offset)
        raise Refusal(f"is cut short: {found} of {wanted} bytes of voxels")
    stored = np.frombuffer(content, kind, count, offset)
    array = apply_read_scaling(stored, *scaling).reshape(shape[::-1])
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    return Volume.affine(native, _TO_LPS @ affine, is_placed)


def _header(head: bytes) -> nibabel.Nifti1Header:
    if len(head) < 348:
        raise Refusal("is no NIfTI file, or is cut short")
    kind = _HEADERS.get(head[:4])
    if kind is None:
        raise Refusal("is no NIfTI file")
    size = kind.template_dtype.itemsize
    if len(head) < size:
        raise Refusal("is cut short: its header has no end")
    header = kind(head[:size])
    if header["magic"].item() != kind.single_magic:
        raise Refusal("is one of a pair of NIfTI files, must be a single one (.nii, .nii.gz)")
    return header


def _layout(header: nibabel.Nifti1Header) -> tuple[int, np.dtype, tuple[int, ...]]:
    """Where the voxels begin, their type as stored, and how many there are along x, y and z."""
    shape = tuple(int(size) for size in header.get_data_shape())
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    check_size(shape)
    kind = header.get_data_dtype()
    if kind.kind not in "iufc" or kind.itemsize > 8 + 8 * (kind.kind == "c"):
        code = int(header["datatype"])
        raise Refusal(f"holds NIfTI datatype {code}, which is no type of a grey voxel")
    if kind.kind == "c":
        raise Refusal("holds complex numbers")
    offset = int(header.get_data_offset())
    if not header.single_vox_offset <= offset <= _MAX_OFFSET:
        raise Refusal(f"says that its voxels begin at byte {offset}")
    return offset, kind, shape


def _affine(header: nibabel.Nifti1Header) -> tuple[np.ndarray, bool]:
    """The matrix from indices to millimetres (RAS), and whether the file itself has one."""
    is_placed = bool(header["sform_code"] or header["qform_code"])
    if is_placed:
        affine = header.get_best_affine()
    else:
        affine = np.diag([*np.abs(header["pixdim"][1:4]), 1.0])
    unit = _MILLIMETRES.get(int(header["xyzt_units"]) & 7, 1.0)
    return np.diag([unit, unit, unit, 1.0]) @ affine, is_placed
