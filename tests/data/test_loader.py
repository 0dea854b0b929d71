"""Loaders: order, resume and shares of batches; images from memory and decoded by workers are the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas.data import Dataset, Loader, MemorySplit, StreamedSplit, spread, subset
from nas.data.sources import Folder
from nas.data.streamed import in_workers
from nas.errors import StorageError


def numbered(count: int) -> MemorySplit:
    """Images whose pixels, and labels, are their place."""
    places = np.arange(count)
    return MemorySplit(
        images=np.broadcast_to(places[:, None, None, None], (count, 2, 2, 1)).astype(np.uint8), labels=places
    )


def test_order_is_decided_by_seed_and_epoch() -> None:
    loader = Loader(numbered(100))

    def order(seed: int, epoch: int) -> list[int]:
        return torch.cat([labels for _, labels in loader.batches(batch=16, seed=seed, epoch=epoch)]).tolist()

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)
    assert len(set(order(1, 0))) == 96


def test_images_go_with_their_labels() -> None:
    loader = Loader(numbered(50))
    for raw, labels in [*loader.batches(batch=8, seed=0, epoch=3), *loader.in_order(batch=20)]:
        assert torch.equal(raw[:, 0, 0, 0].long(), labels)
    assert [len(labels) for _, labels in loader.in_order(batch=20)] == [20, 20, 10]
    assert loader.take(np.array([7, 3]))[:, 0, 0, 0].tolist() == [7, 3]


def test_a_resumed_epoch_goes_on_where_it_stopped() -> None:
    loader = Loader(numbered(64))
    whole = [labels.tolist() for _, labels in loader.batches(batch=8, seed=0, epoch=2)]
    assert [labels.tolist() for _, labels in loader.batches(batch=8, seed=0, epoch=2, skip=5)] == whole[5:]


@pytest.mark.parametrize("skip", [0, 2])
def test_two_processes_see_together_what_one_sees_with_the_doubled_batch(skip: int) -> None:
    loader = Loader(numbered(75))
    one = [labels for _, labels in loader.batches(batch=16, seed=0, epoch=0, skip=skip)]
    two = [[y for _, y in loader.batches(batch=8, seed=0, epoch=0, skip=skip, rank=r, world=2)] for r in (0, 1)]
    assert [len(side) for side in two] == [len(one)] * 2
    for whole, left, right in zip(one, *two, strict=True):
        assert torch.equal(whole, torch.cat([left, right]))


@pytest.fixture
def photos(tmp_path: Path, write_images: Callable[..., None]) -> Path:
    for name in ("cat", "dog"):
        write_images(tmp_path / name, 30)
        write_images(tmp_path / name, 10, start=50, suffix="jpg")
    return tmp_path


def streamed(root: Path, **options: int) -> Dataset:
    return Folder(root=root, memory_gb=0.0, **options).load(size_px=8)


@pytest.mark.parametrize("workers", [0, 2])
def test_streamed_images_are_those_of_memory(photos: Path, workers: int) -> None:
    stream, memory = streamed(photos, workers=workers), Folder(root=photos).load(size_px=8)
    assert isinstance(stream.train, StreamedSplit)
    assert (stream.mean, stream.std, stream.train.shape) == (memory.mean, memory.std, memory.train.shape)
    assert stream.split_record == memory.split_record
    pairs = (Loader(data.train).batches(batch=8, seed=0, epoch=1, skip=1) for data in (stream, memory))
    for (raw, labels), (same, kept) in zip(*pairs, strict=True):
        assert torch.equal(raw, same)
        assert torch.equal(labels, kept)
    chosen = spread(memory.val, 3)
    assert np.array_equal(subset(stream.val, chosen).images, subset(memory.val, chosen).images)


def test_large_parts_are_streamed_and_small_ones_kept(photos: Path) -> None:
    data = Folder(root=photos, memory_gb=60 * 8 * 8 * 3 / 1e9).load(size_px=8)
    assert [type(split) for split in data.splits().values()] == [StreamedSplit, MemorySplit, MemorySplit]


def test_torn_files_are_found_before_a_stream_begins(photos: Path) -> None:
    whole = (photos / "dog" / "055.jpg").read_bytes()
    (photos / "dog" / "055.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "cat" / "003.png").write_bytes((photos / "cat" / "003.png").read_bytes()[:60])
    (photos / "cat" / "004.png").write_bytes(b"")
    data = streamed(photos, workers=0)
    assert "3 of 80 images could not be read" in data.notes[0]
    assert sum(len(split) for split in data.splits().values()) == 77


def test_grey_files_stream_as_one_channel(tmp_path: Path, write_images: Callable[..., None]) -> None:
    for name in "ab":
        write_images(tmp_path / name, 12, grey=True)
    assert streamed(tmp_path, workers=0).channels == 1


def test_an_image_lost_on_the_way_is_stood_in_for(photos: Path) -> None:
    train = streamed(photos, workers=0).train
    assert isinstance(train, StreamedSplit)
    lost = train.images[5]
    assert isinstance(lost, Path)
    lost.unlink()
    loader = Loader(train)
    seen = [raw for raw, _ in loader.in_order(batch=8)]
    assert loader.unreadable == {5}
    assert torch.equal(seen[0][5], seen[0][4])
    assert not train.take(np.array([5])).any()


def test_a_folder_that_is_gone_is_said(photos: Path) -> None:
    data = streamed(photos, workers=0)
    photos.rename(photos.parent / "elsewhere")
    with pytest.raises(StorageError, match="was the data moved"):
        list(Loader(data.train).in_order(batch=8))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_that_are_kept_stay_what_they_were(photos: Path, workers: int) -> None:
    split = streamed(photos, workers=workers).train
    kept = [raw for raw, _ in Loader(split).in_order(batch=1)]
    assert len(kept) > 12  # more than there are places for batches under way
    assert torch.equal(torch.cat(kept), torch.from_numpy(split.take(np.arange(len(split)))))


def test_a_killed_worker_is_said() -> None:
    def die(_item: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    with pytest.raises(StorageError, match=r"worker .* lower data\.workers"):
        list(in_workers(die, 1, 1))


def test_workers_end_with_the_batches(photos: Path) -> None:
    batches = Loader(streamed(photos, workers=1).train).batches(batch=4, seed=0, epoch=0)
    next(batches)
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    assert children.read_text().split()
    batches.close()
    assert not children.read_text().split()


def test_large_jpegs_are_decoded_at_a_smaller_scale_and_look_the_same(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 512).astype(np.uint8)
    picture = Image.fromarray(np.stack([np.tile(ramp, (512, 1))] * 3, axis=-1))
    for name in "ab":
        (tmp_path / name).mkdir()
        for i in range(10):
            picture.save(tmp_path / name / f"{i}.jpg", quality=95)
    images = Folder(root=tmp_path).load(size_px=32).train.take(np.arange(2))
    whole = np.asarray(picture.resize((32, 32), Image.Resampling.BICUBIC), dtype=np.int64)[..., :1]
    assert np.abs(images.astype(np.int64) - whole).max() <= 3
