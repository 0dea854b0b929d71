"""A search as one value that can be sent to another process, and what one worker makes of it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler

from nas.progress import Progress
from nas.searcher.claims import Lease, leased
from nas.searcher.ledger import Ledger
from nas.searcher.nearby import Latency, Priced, first_points
from nas.searcher.samplers import BUDGET, Task, make_sampler, prepared
from nas.searcher.storages import SharedStudy, Storage, open_study
from nas.searcher.worker import Evaluate, Worker
from nas.space import Choices, Space, decisions

if TYPE_CHECKING:
    from nas.searcher.candidates import Candidates  # needs scipy, 0.3 s to import

FIRST_POINTS = 10  # at most; a third of the trials when that is less


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A search.

    Attributes:
        limits_ms: Latencies that are searched under, ascending.
        sampler: A name of `SAMPLERS`, or an Optuna sampler.
        study: Name of the study in the storage.
        settings: What makes trials comparable, by name.
        fastest: Fastest network of the space.
        known: Choices to evaluate first.
        candidates: What the sampler needs to know of the space, where that was found out already.
    """

    space: Space[Any]
    evaluate: Evaluate
    latency: Latency
    limits_ms: tuple[float, ...]
    trials: int
    seed: int
    sampler: str | BaseSampler
    storage: Storage
    study: str
    settings: Mapping[str, str]
    fastest: Priced
    known: tuple[Choices, ...]
    candidates: Candidates | None = None

    def open(self, since: int | None = None) -> Ledger:
        """Open the study, or begin it.

        Args:
            since: Trials that it had when this run began, None for as many as it has now.

        Raises:
            InputError: It holds a search of other settings.
            StorageError: It cannot be reached, read or written.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        return Ledger(shared=open_study(self.storage, self.study, self.settings), since=since)

    def prepared(self) -> Self:
        """The same with the candidates, so that the workers it is sent to need not list the space again."""
        if isinstance(self.sampler, BaseSampler):
            return self
        return replace(self, candidates=prepared(self.sampler, self._task(self.seed)))

    def make_sampler(self, seed: int) -> BaseSampler:
        """Make the sampler."""
        return self.sampler if isinstance(self.sampler, BaseSampler) else make_sampler(self.sampler, self._task(seed))

    def work(self, ledger: Ledger, index: int, progress: Progress) -> None:
        """Work as one of the study's workers until the search is done.

        Args:
            ledger: Of the study, opened by this process.
            index: Tells the workers of a machine apart.
            progress: Told after every evaluation of this worker.
        """
        # By what is finished, so that a resumed search does not draw what it drew before.
        rng = random.Random(f"{self.seed}/{len(ledger.mirror.trials)}/{index}")
        ledger.mirror.sampler = self.make_sampler(rng.getrandbits(32))
        if index and isinstance(self.sampler, BaseSampler):
            ledger.mirror.sampler.reseed_rng()
        options = decisions(self.space)
        with _lease(ledger.shared) as lease:
            Worker(
                space=self.space,
                evaluate=self.evaluate,
                latency=self.latency,
                limits_ms=self.limits_ms,
                trials=self.trials,
                ledger=ledger,
                lease=lease,
                fastest=self.fastest,
                rng=rng,
                distributions={name: CategoricalDistribution(choices) for name, choices in options.items()},
                pending=[*self.known, *self._first_points()],
            ).run(progress)

    def _task(self, seed: int) -> Task:
        return Task(
            space=self.space,
            latency=self.latency,
            limits_ms=self.limits_ms,
            seed=seed,
            startup=self._startup,
            candidates=self.candidates,
        )

    @property
    def _startup(self) -> int:
        return max(1, min(FIRST_POINTS, self.trials // 3))

    def _first_points(self) -> Sequence[Choices]:
        """Feasible networks for samplers that know no latency, as many under each limit; ours draws its own."""
        if self.sampler == BUDGET:
            return []
        count, rng = -(-self._startup // len(self.limits_ms)), random.Random(self.seed)
        return [
            point.choices
            for limit_ms in self.limits_ms
            for point in first_points(self.space, self.fastest, self.latency, limit_ms=limit_ms, count=count, rng=rng)
        ]


@contextmanager
def _lease(shared: SharedStudy) -> Iterator[Lease]:
    if shared.private:
        yield Lease(owner="", path=Path())
        return
    with leased() as lease:
        yield lease
