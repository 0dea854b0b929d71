"""One worker: propose a feasible, new network, claim it, evaluate it, enter the result, until enough are evaluated."""

from __future__ import annotations

import itertools
import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, cast

from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from nas.errors import DeclinedError, DeviceError, StorageError, TooManyFailuresError
from nas.progress import Progress
from nas.searcher.choice_space import network_key
from nas.searcher.claims import BEAT_S, Lease
from nas.searcher.ledger import ADOPTED, BEAT, DECLINED, DIGEST, LATENCY, REFUSED, Ledger
from nas.searcher.nearby import Latency, Priced, neighbour, price
from nas.space import Choice, Choices, Space, record, replay

Evaluate = Callable[[Any], float]  # accuracy, higher is better, of what the space builds

MAX_FAILURES = 10  # in a row, of all workers together
DRAWS = 16  # asked of the sampler before a neighbour of a good network is taken instead
NEIGHBOURS = 1000  # tried before the space counts as exhausted
PARENTS = 5  # best networks whose neighbours are tried
POLL_S = 0.05  # between looks at workers that evaluate the last networks


@dataclass(frozen=True, slots=True)
class _Draw:
    number: int  # in the mirror
    priced: Priced
    key: str


@dataclass(kw_only=True, slots=True)
class Worker:
    """A worker of one study.

    Attributes:
        limits_ms: Latencies that are searched under, ascending; a trial is proposed for the one that its number in the
            mirror modulo their count names.
        trials: Networks to evaluate, those of all workers and earlier runs together.
        pending: Choices to evaluate before the sampler takes over.
    """

    space: Space[Any]
    evaluate: Evaluate
    latency: Latency
    limits_ms: Sequence[float]
    trials: int
    ledger: Ledger
    lease: Lease
    fastest: Priced
    rng: random.Random
    distributions: Mapping[str, CategoricalDistribution]
    pending: list[Choices] = field(default_factory=list)

    def run(self, progress: Progress) -> None:
        """Work until enough networks are evaluated or there is no new one.

        Raises:
            TooManyFailuresError: `MAX_FAILURES` evaluations in a row failed.
            StorageError: The storage failed.
        """
        while self._step():
            tell(progress, self.ledger, self.limits_ms[-1], self.trials)

    def _step(self) -> bool:
        """Evaluate one more network; False when there is nothing left to do."""
        while True:
            with self.ledger.shared.turn():
                self.ledger.sync()
                self._require_some_success()
                missing = self.trials - self.ledger.evaluated(self.limits_ms[-1])
                if missing <= 0:
                    return False
                if missing > len(self.ledger.claimed):
                    draw = self._propose()
                    if draw is None:
                        return False
                    trial_id = self.ledger.claim(draw.number, draw.key, self.lease.owner)
                    if trial_id is not None:
                        break
                    self.ledger.mirror.sampler.reseed_rng()  # or the two draw alike for ever
                    continue
            time.sleep(POLL_S)
        self._evaluate(draw, trial_id)
        return True

    def _evaluate(self, draw: _Draw, trial_id: int) -> None:
        try:
            with self._beating(trial_id):
                accuracy = _number(self.evaluate(draw.priced.arch))
        except (StorageError, DeviceError, KeyboardInterrupt):
            self.ledger.give_up(trial_id)
            raise
        except DeclinedError:
            self.ledger.fail(trial_id, DECLINED)
        except Exception as error:  # noqa: BLE001  one network that cannot be evaluated must not end the search
            self.ledger.fail(trial_id, f"{type(error).__name__}: {error}")
        else:
            self.ledger.complete(trial_id, accuracy)

    def _require_some_success(self) -> None:
        if self.ledger.failures_in_a_row >= MAX_FAILURES:
            raise TooManyFailuresError(
                f"{MAX_FAILURES} evaluations in a row failed, the last with {self.ledger.reason}"
            )

    @contextmanager
    def _beating(self, trial_id: int) -> Iterator[None]:
        """Show workers on other machines that this one lives."""
        if self.ledger.shared.private:
            yield
            return
        ended = threading.Event()

        def beat() -> None:
            for count in itertools.count(1):
                if ended.wait(BEAT_S):
                    return
                try:
                    self.lease.touch()
                    self.ledger.shared.note(trial_id, BEAT, count)
                except (StorageError, OSError):
                    continue  # the result's own write tells

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _propose(self) -> _Draw | None:
        """First what was enqueued, then the sampler's; after `DRAWS` vain ones a neighbour of a good network."""
        draw = self._enqueued()
        taught = False
        for _ in range(DRAWS):
            if draw is not None:
                return draw
            drawn = self._ask()
            if drawn.priced.latency_ms > self._limit_ms(drawn.number):
                # One infeasible trial an evaluation teaches the constraint; more would drown the accuracies.
                self._reject(drawn, remember=not taught)
                taught = True
            elif drawn.key in self.ledger.done:
                self.ledger.mirror.tell(drawn.number, self.ledger.done[drawn.key].values)
            elif self.ledger.known(drawn.key):
                self._reject(drawn, remember=False)
            else:
                draw = drawn
        if draw is not None:
            return draw
        choices = self._new_neighbour()
        if choices is None:
            return None
        self.ledger.mirror.enqueue_trial(choices)
        return self._ask()

    def _enqueued(self) -> _Draw | None:
        """The next network that a dead worker left, a user enqueued or the search starts with."""
        self._adopt()
        lost, self.ledger.lost = self.ledger.lost, {}
        self.pending[:0] = [choices for key, choices in lost.items() if not self.ledger.known(key)]
        while self.pending:
            choices = self.pending.pop(0)
            self.ledger.mirror.enqueue_trial(choices)
            draw = self._ask()
            if draw.priced.latency_ms <= self.limits_ms[-1] and not self.ledger.known(draw.key):
                return draw
            self._reject(draw, remember=False)
        return None

    def _adopt(self) -> None:
        """Take over what users enqueued in the shared study."""
        for trial in list(self.ledger.waiting.values()):
            trial_id = trial._trial_id  # noqa: SLF001
            if self.ledger.shared.take(trial_id):
                choices: Choices = dict(trial.system_attrs.get("fixed_params", {}))
                options = {name: self.distributions[name].choices for name in choices if name in self.distributions}
                fits = all(choices[name] in offered for name, offered in options.items())
                if fits:
                    self.pending.insert(0, choices)
                self.ledger.fail(trial_id, ADOPTED if fits else REFUSED)

    def _limit_ms(self, number: int) -> float:
        return self.limits_ms[number % len(self.limits_ms)]

    def _ask(self) -> _Draw:
        trial = self.ledger.mirror.ask(dict(self.distributions))
        params: Choices = trial.params

        def choose(name: str, options: Sequence[Choice]) -> Choice:
            if name in params and params[name] in options:
                return params[name]
            # A decision that the largest network does not have.
            return cast("Choice", trial.suggest_categorical(name, options))

        priced = price(self.space, choose, self.latency)
        trial.set_constraint("latency", priced.latency_ms / self._limit_ms(trial.number) - 1)
        trial.set_user_attr(LATENCY, priced.latency_ms)
        key = network_key(self.space, priced.arch, priced.choices)
        trial.set_user_attr(DIGEST, key)
        return _Draw(trial.number, priced, key)

    def _new_neighbour(self) -> Choices | None:
        limit_ms = self.limits_ms[-1]
        ranked = sorted(self.ledger.done.values(), key=lambda trial: -trial.values[0])
        best = [record(self.space, replay(trial.params))[1] for trial in ranked[:PARENTS]]
        parents = best or [self.fastest.choices]
        for _ in range(NEIGHBOURS):
            near = neighbour(self.space, self.rng.choice(parents), self.latency, self.rng)
            if near.latency_ms > limit_ms:
                continue
            if not self.ledger.known(network_key(self.space, near.arch, near.choices)):
                return near.choices
            parents.append(near.choices)
        return None

    def _reject(self, draw: _Draw, *, remember: bool) -> None:
        """Finish a trial without evaluating it: pruned trials teach the samplers, failed ones do not."""
        state = TrialState.PRUNED if remember else TrialState.FAIL
        self.ledger.mirror.tell(draw.number, state=state)


def tell(progress: Progress, ledger: Ledger, limit_ms: float, trials: int) -> None:
    """Report how many networks are evaluated, and the best of them."""
    best = ledger.best(limit_ms)
    note = f"best {_shown(best.values[0])} at {best.user_attrs[LATENCY]:.4g} ms" if best else ""
    progress("search", min(ledger.evaluated(limit_ms), trials), trials, note)


def _shown(score: float) -> str:
    """An accuracy in per cent; what cannot be one as it is."""
    return f"{score:.1%}" if 0 <= score <= 1 else f"{score:.4g}"


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"accuracy is {value!r}, must be a finite number")
    return float(value)
