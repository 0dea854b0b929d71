"""Training: the supernet by one of its strategies, one network, batch-norm recalibration, top-1 accuracy."""

from nas.training.checkpoint import discard
from nas.training.distributed import Ranks, from_first, joined, ranks
from nas.training.evaluation import accuracy, require_statistics
from nas.training.finetune import Teacher, fine_tune, tuning_job
from nas.training.loop import Job, Pace, train
from nas.training.recalibration import recalibrate, recalibrated
from nas.training.recipe import Precision, Recipe, Schedule
from nas.training.strategies import Sandwich, SinglePath, Strategy
from nas.training.supernet import supernet_job, train_supernet

__all__ = [
    "Job",
    "Pace",
    "Precision",
    "Ranks",
    "Recipe",
    "Sandwich",
    "Schedule",
    "SinglePath",
    "Strategy",
    "Teacher",
    "accuracy",
    "discard",
    "fine_tune",
    "from_first",
    "joined",
    "ranks",
    "recalibrate",
    "recalibrated",
    "require_statistics",
    "supernet_job",
    "train",
    "train_supernet",
    "tuning_job",
]
