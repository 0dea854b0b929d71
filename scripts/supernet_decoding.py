"""Decoding rate of a data set that streams, beside what this machine's cores decode when they do nothing else."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from cifar import SOURCE
from supernet_bench import Bench

from nas.data import Loader
from nas.data.decode import decode
from nas.data.streamed import StreamedSplit

FLOWERS = SOURCE.with_name("flowers5_jpegblob.npz")  # 128 px photographs
SIZE_PX, BATCH = 112, 64
IN_TURNS = 5
EPOCHS = 3  # of the photographs in a turn
AT_ONCE = 64  # images that a plain process is handed


def decoding(_bench: Bench) -> dict[str, Any]:
    """Images a second through the loader over those of as many processes that only decode, in turns.

    Both decode the same files with the same function; a turn begins with the first decoded batch, so that starting
    processes counts for neither.
    """
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        files = EPOCHS * _written(Path(folder))
        ratios, rates = [], []
        for _ in range(IN_TURNS):
            plain, streamed = _plain(files, cores), _streamed(files, cores)
            ratios.append(streamed / plain)
            rates.append(streamed)
    return {"decoding_share": float(np.median(ratios)), "decoded_images_per_s": float(np.median(rates))}


def _written(folder: Path) -> list[Path]:
    """The photographs as files, like a user's."""
    with np.load(FLOWERS, allow_pickle=False) as arrays:
        lengths, blob = arrays["len_train"].astype(np.int64), arrays["blob_train"].tobytes()
        head = arrays["head_train"].tobytes() if "head_train" in arrays else b""
    files = []
    for i, (end, length) in enumerate(zip(np.cumsum(lengths), lengths, strict=True)):
        files.append(folder / f"{i}.jpg")
        files[-1].write_bytes(head + blob[end - length : end])
    return files


def _plain(files: list[Path], cores: int) -> float:
    work = [files[start : start + AT_ONCE] for start in range(0, len(files), AT_ONCE)]
    with multiprocessing.get_context("fork").Pool(cores) as pool:
        pool.map(_decode_all, work[:cores], chunksize=1)
        start = time.perf_counter()
        counts = list(pool.imap_unordered(_decode_all, work, chunksize=1))
        return sum(counts) / (time.perf_counter() - start)


def _decode_all(files: list[Path]) -> int:
    return len([decode(file, size_px=SIZE_PX, channels=3) for file in files])


def _streamed(files: list[Path], cores: int) -> float:
    labels = np.zeros(len(files), dtype=np.int64)
    split = StreamedSplit(images=files, labels=labels, size_px=SIZE_PX, channels=3, workers=cores)
    batches = Loader(split, "cpu").batches(batch=BATCH, seed=0, epoch=0)
    next(batches)
    start = time.perf_counter()
    count = sum(len(labels) for _, labels in batches)
    return count / (time.perf_counter() - start)
