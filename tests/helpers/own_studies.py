"""Folders as people have them, each with images that show their label plainly, and a table."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import openpyxl
import SimpleITK as sitk
from PIL import Image

from dicom_files import slice_
from picture_sets import save


def marked(seed: int, shape: tuple[int, ...], shown: float) -> np.ndarray:
    """Noise from 0 to 1 [..., height, width], brighter in its middle by what is ``shown``."""
    values = np.random.default_rng(seed).uniform(0, 0.5, shape)
    height, width = shape[-2:]
    values[..., height // 4 : -(height // 4), width // 4 : -(width // 4)] += 0.5 * shown
    return values


def picture(seed: int, size: int, shown: tuple[float, float, float]) -> Image.Image:
    """A picture with a middle of some colour."""
    planes = [marked(seed + 1000 * k, (size, size), each) for k, each in enumerate(shown)]
    return Image.fromarray((np.stack(planes, -1) * 255).astype(np.uint8))


def lesions(raw: Path) -> None:
    """A CSV with four diagnoses, several pictures of a patient."""
    kinds = {
        "nv": (1.0, 0.0, 0.0),
        "mel": (0.0, 1.0, 0.0),
        "bkl": (0.0, 0.0, 1.0),
        "bcc": (1.0,) * 3,
    }
    rows = ["image;dx;patient;age;sex"]
    for i in range(96):
        kind = list(kinds)[i % 4]
        save(picture(i, 24, kinds[kind]), raw / f"images/img_{i:03d}.jpg")
        patient = 2 * (i // 8) + i % 4 // 2 * 100 + i % 2
        rows.append(f"img_{i:03d};{kind};P{patient};{30 + i % 40};{'mf'[i % 3 % 2]}")
    (raw / "labels.csv").write_text("\n".join(rows))


def chest(raw: Path) -> None:
    """X-rays as DICOM, with an Excel sheet."""
    book = openpyxl.Workbook()
    book.active.append(["File", "Finding", "Patient ID"])
    for i in range(48):
        path = raw / f"xray/{i:04d}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        values = (4000 * marked(i, (40, 32), i % 2)).astype(np.uint16)
        data = slice_(i, values, SeriesInstanceUID=f"1.2.{i}")
        data.save_as(path, enforce_file_format=True)
        book.active.append([f"{i:04d}.dcm", ("normal", "pneumonia")[i % 2], i // 2 + 1000])
    book.save(raw / "sheet.xlsx")


def volume(path: Path, seed: int, shown: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    voxels = (900 * marked(seed, (4, 20, 18), shown)).astype(np.int16)
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(path))


def bids(raw: Path) -> None:
    """Four MR sequences of each subject, of which one shows the tumour, and participants.tsv."""
    rows = ["participant_id\tage\tsex\tdiagnosis"]
    for i in range(1, 29):
        name = f"sub-{unicodedata.normalize('NFD', 'é') if i == 5 else ''}{i:02d}"
        for k, channel in enumerate(("T1w", "T1c", "T2w", "FLAIR")):
            shown = i % 2 * (channel == "FLAIR")
            volume(raw / f"{name}/anat/{name}_{channel}.nii.gz", 10 * i + k, shown)
            (raw / f"{name}/anat/{name}_{channel}.json").write_text("{}")
        group = ("control", "tumour")[i % 2]
        rows.append(f"{unicodedata.normalize('NFC', name)}\t{40 + i}\t{'MF'[i // 2 % 2]}\t{group}")
    (raw / "participants.tsv").write_text("\n".join(rows), encoding="utf-8")


def ct(raw: Path) -> None:
    """CT volumes with a table, of which the volume's column is a path."""
    rows = ["scan,haemorrhage"]
    for i in range(32):
        volume(raw / f"scans/{i:03d}.nii.gz", i, i % 2)
        rows.append(f"scans/{i:03d}.nii.gz,{i % 2}")
    (raw / "cases.csv").write_text("\n".join(rows))


def hospitals(raw: Path) -> None:
    """Two hospitals, of which one is for testing, with several findings a picture."""
    rows = ["path,site,set,effusion,oedema,mass"]
    for i in range(80):
        site = "ab"[i % 4 == 0]
        save(picture(i, 40, (i % 2, i % 3 // 2, 0)), raw / f"{site}/{i}.png")
        part = "test" if site == "b" else "train"
        rows.append(f"{site}/{i}.png,{site},{part},{i % 2},{i % 3 // 2},{['', 0, 1, -1][i % 4]}")
    (raw / "findings.csv").write_text("\n".join(rows))
