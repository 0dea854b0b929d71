"""Training loops: the supernet's single path, fine-tuning, batch-norm recalibration."""

from nas.training.evaluation import accuracy
from nas.training.finetune import fine_tune
from nas.training.recalibration import recalibrate, recalibrated
from nas.training.recipe import Recipe
from nas.training.single_path import train_supernet

__all__ = ["Recipe", "accuracy", "fine_tune", "recalibrate", "recalibrated", "train_supernet"]
