"""Small DICOM files, with any field changed."""

from __future__ import annotations

import numpy as np
import pydicom
from pydicom.uid import MRImageStorage


def slice_(i: int, array: np.ndarray, **changes: object) -> pydicom.Dataset:
    """One MR slice of 16 bits, 5 mm above the one before it."""
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = MRImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = f"1.2.3.4.{i + 1}"
    fields = {
        "Modality": "MR", "PatientName": "Doe^Jane", "PatientID": "77",
        "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4",
        "FrameOfReferenceUID": "1.2.3.5", "InstanceNumber": 99 - i,
        "ImagePositionPatient": [0, 0, 5 * i], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [2, 1], "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
        "Rows": array.shape[0], "Columns": array.shape[1], "BitsAllocated": 16, "BitsStored": 16,
        "HighBit": 15, "PixelRepresentation": 0, "PixelData": array.astype("<u2").tobytes(),
    }  # fmt: skip
    for key, value in (fields | changes).items():
        if value is not None:
            setattr(data, key, value)
    data["PixelData"].VR = "OW"
    return data
