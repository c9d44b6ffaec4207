"""Decoding of one volume: MetaImage, NIfTI or a folder of DICOM files.

A damaged file is refused, and none makes a reader open any other file than those of its case.
"""

from __future__ import annotations

from pathlib import Path

from isal.igzip_lib import IsalError

from triage.data.formats import DAMAGED, Refusal, metaimage
from triage.data.formats.volume import MAX_VOXELS, Volume
from triage.data.readers import BadFile

__all__ = ["EXTENSIONS", "MAX_VOXELS", "Volume", "data_file", "read"]

EXTENSIONS = (*metaimage.EXTENSIONS, ".nii.gz", ".nii")

data_file = metaimage.data_file


def is_volume(path: Path) -> bool:
    """Whether a file or folder holds a volume, by its name or kind."""
    return path.name.lower().endswith(EXTENSIONS) or path.is_dir()


def read(raw: Path, file: str) -> Volume:
    """The volume in ``file``, a file or a folder of one DICOM series below ``raw``.

    Its geometry is usable and its voxels are finite numbers. Raises BadFile.
    """
    try:
        return _decode(raw / file)
    except Refusal as refusal:
        raise BadFile(file, str(refusal)) from refusal
    except (IsalError, EOFError) as error:  # type: ignore[misc]  # its stub says it is no type
        raise BadFile(file, DAMAGED) from error
    except OSError as error:
        raise BadFile(file, f"can't be read ({error.strerror or error})") from error
    except MemoryError as error:
        raise BadFile(file, "does not fit into memory") from error


def _decode(path: Path) -> Volume:
    # What these need takes a second to import, and many a study has neither.
    if path.is_dir():
        from triage.data.formats import dicom_series

        return dicom_series.read(path)
    if path.stat().st_size == 0:
        raise Refusal("is empty")
    if metaimage.is_metaimage(path):
        return metaimage.read(path)
    from triage.data.formats import nifti

    return nifti.read(path)
