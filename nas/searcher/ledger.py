"""What is known about every network of a study, and the study in memory that samplers work on.

The shared study may be slow, and writes a parameter at a time when Optuna asks through it. So a sampler works on a
study in memory, the *mirror*: `sync` brings over what other workers claimed, finished and failed, and a network enters
the shared study whole, as a RUNNING trial, when it is claimed.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field

import optuna
from optuna.trial import FrozenTrial, TrialState

from nas.errors import StorageError
from nas.searcher.claims import Watch
from nas.searcher.storages import SharedStudy
from nas.space import Choices

DIGEST, LATENCY, OWNER, BEAT, FAILURE = "digest", "latency_ms", "owner", "beat", "failure"
LOST = "its worker died"
GIVEN_UP = "its worker was interrupted"
WITHDRAWN = "claimed by another worker"
ADOPTED = "taken into the search"
REFUSED = "not a network of this space"
DECLINED = "not worth its score"
MAX_LOSSES = 3  # a network that was lost so often is what kills its workers
REASON_CHARS = 500  # kept of a failure's reason

_NO_FAILURES = (LOST, GIVEN_UP, WITHDRAWN, ADOPTED, REFUSED, DECLINED)


@dataclass(kw_only=True, slots=True)
class Ledger:
    """Networks by their key.

    Attributes:
        mirror: Every trial of the shared study that was seen, under numbers of its own, and this worker's rejects.
        done: Evaluated, in the order of their claims.
        claimed: Being evaluated by a live worker: number in the shared study.
        since: Trials that the shared study had when this run began, None for as many as it has now.
        failed: Failed in this run (older failures may be tried again), lost `MAX_LOSSES` times, or declined.
        lost: Choices of those whose worker died or was interrupted, oldest first.
        failures: Evaluations that failed, all runs together.
        failures_in_a_row: Of all workers together, in this run.
        reason: Of the last of them.
        waiting: Trials that a user enqueued in the shared study.
    """

    shared: SharedStudy
    since: int | None = None
    mirror: optuna.Study = field(default_factory=lambda: optuna.create_study(direction="maximize"))
    done: dict[str, FrozenTrial] = field(default_factory=dict)
    claimed: dict[str, int] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    lost: dict[str, Choices] = field(default_factory=dict)
    failures: int = 0
    failures_in_a_row: int = 0
    reason: str = ""
    waiting: dict[int, FrozenTrial] = field(default_factory=dict)
    _losses: Counter[str] = field(default_factory=Counter)
    _watch: Watch = field(default_factory=Watch)
    _seen: int = 0
    _open: dict[int, int] = field(default_factory=dict)  # number in the shared study -> in the mirror
    _own: dict[int, int] = field(default_factory=dict)  # trial id in the shared study -> number in the mirror

    def __post_init__(self) -> None:
        if self.since is None:
            self.since = len(self.shared.trials())
        self.sync()

    def sync(self) -> None:
        """Take over what changed in the shared study, and free what dead workers claimed."""
        while self._follow_all():
            pass

    def known(self, key: str) -> bool:
        """Whether a network needs no evaluation: done, under way, or failed."""
        return key in self.done or key in self.claimed or key in self.failed

    def evaluated(self, limit_ms: float) -> int:
        """Number of evaluated networks within a latency."""
        return sum(trial.user_attrs[LATENCY] <= limit_ms for trial in self.done.values())

    def best(self, limit_ms: float) -> FrozenTrial | None:
        """The most accurate network within a latency, of equals the fastest, then the first."""
        within = [trial for trial in self.done.values() if trial.user_attrs[LATENCY] <= limit_ms]
        return min(within, key=lambda trial: (-trial.values[0], trial.user_attrs[LATENCY], trial.number), default=None)

    def claim(self, number: int, key: str, owner: str) -> int | None:
        """Enter a RUNNING trial of the mirror into the shared study as this worker's.

        Returns:
            The trial's id there; None when another worker was faster.
        """
        template = copy(self.mirror.get_trials(deepcopy=False)[number])
        template.user_attrs = {**template.user_attrs, OWNER: owner}
        trial_id = self.shared.add(template)
        self._own[trial_id] = number
        self.sync()
        first = self.claimed.get(key)
        trials = self.shared.trials()
        if first is not None and trials[first]._trial_id == trial_id and key not in self.done:  # noqa: SLF001
            return trial_id
        self.fail(trial_id, WITHDRAWN)
        return None

    def fail(self, trial_id: int, reason: str) -> None:
        """Finish a trial of the shared study without a value."""
        self.shared.note(trial_id, FAILURE, reason[:REASON_CHARS])
        self.shared.finish(trial_id, TrialState.FAIL)
        self.sync()

    def give_up(self, trial_id: int) -> None:
        """Free a claimed network for the next worker; where the storage fails, the end of the lease does."""
        with suppress(StorageError):
            self.fail(trial_id, GIVEN_UP)

    def complete(self, trial_id: int, accuracy: float) -> None:
        """Finish a trial of the shared study with its accuracy."""
        self.shared.finish(trial_id, TrialState.COMPLETE, accuracy)
        self.sync()

    def _follow_all(self) -> bool:
        """Follow the shared study once; True when a dead worker's trial was freed on the way."""
        trials = self.shared.trials()
        numbers = [*self._open, *self.waiting, *range(self._seen, len(trials))]
        self._seen = len(trials)
        freed = [self._follow(trials[number]) for number in numbers]
        return any(freed)

    def _follow(self, trial: FrozenTrial) -> bool:
        self.waiting.pop(trial.number, None)
        if trial.state is TrialState.WAITING:
            self.waiting[trial.number] = trial
            return False
        if trial.number not in self._open:
            self._open[trial.number] = self._mirrored(trial)
        if trial.state is TrialState.RUNNING:
            return self._running(trial)
        self._finished(trial, self._open.pop(trial.number))
        return False

    def _mirrored(self, trial: FrozenTrial) -> int:
        number = self._own.pop(trial._trial_id, None)  # noqa: SLF001  its number is not known when it is claimed
        if number is None:
            self.mirror.add_trial(trial)
            number = len(self.mirror.get_trials(deepcopy=False)) - 1
        return number

    def _running(self, trial: FrozenTrial) -> bool:
        if not self.shared.private and self._dead(trial):
            self.shared.note(trial._trial_id, FAILURE, LOST)  # noqa: SLF001
            return self.shared.finish(trial._trial_id, TrialState.FAIL)  # noqa: SLF001
        self.claimed.setdefault(trial.user_attrs.get(DIGEST, ""), trial.number)
        return False

    def _dead(self, trial: FrozenTrial) -> bool:
        attrs = trial.user_attrs
        return self._watch.dead(trial.number, attrs.get(OWNER, ""), attrs.get(BEAT, 0))

    def _finished(self, trial: FrozenTrial, number: int) -> None:
        key, reason = trial.user_attrs.get(DIGEST, ""), trial.user_attrs.get(FAILURE)
        if self.mirror.get_trials(deepcopy=False)[number].state is TrialState.RUNNING:
            self.mirror.tell(number, trial.values, state=trial.state)
        if self.claimed.get(key) == trial.number:
            del self.claimed[key]
        if trial.state is TrialState.COMPLETE and key:
            self.done.setdefault(key, trial)
            self.failures_in_a_row = 0
        elif reason in (LOST, GIVEN_UP) and key:
            self._losses[key] += reason == LOST
            self.lost[key] = dict(trial.params)
            if self._losses[key] >= MAX_LOSSES:
                self.failed.add(key)
        elif reason == DECLINED and key:
            self.failed.add(key)
        elif trial.state is TrialState.FAIL and reason not in (None, *_NO_FAILURES):
            self._failed(trial, key, reason)

    def _failed(self, trial: FrozenTrial, key: str, reason: str) -> None:
        self.failures += 1
        if trial.number >= (self.since or 0):
            self.failures_in_a_row += 1
            self.reason = reason
            self.failed.add(key)
