"""The loop of NetAdapt (arXiv 1804.03230): narrow one width a move until the latency budget is met."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from nas.arch import Arch, digest
from nas.errors import InfeasibleError, InputError, TooManyFailuresError
from nas.net import Network
from nas.netadapt.checkpoint import Move, Saved, load, save
from nas.netadapt.importance import Calibration, Importance, Weigh, Weighing, strongest, weigher
from nas.netadapt.moves import Latency, Prepare, Proposal, narrowest, propose, require_reachable
from nas.netadapt.narrowing import narrow
from nas.progress import Progress, silent

Score = Callable[[Network], float]  # validation accuracy in [0, 1]; may recalibrate the network it is given
Tune = Callable[[Network, int], Network]  # train for so many steps


class Rule(StrEnum):
    """Which of the scored proposals becomes the move."""

    PER_MS = "per_ms"  # least accuracy lost per ms saved (MobileNetV3)
    ACCURACY = "accuracy"  # highest accuracy (NetAdapt)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrimSettings:
    """How to trim.

    Attributes:
        grain: Widths are narrowed to multiples of it; a run takes its target's.
        step: Least saving of a move, as a share of the latency before trimming.
        tolerance: Moves that end more than this share below the budget are avoided.
        rule: How the move is chosen.
        importance: Which filters of a narrowed width stay: the weightiest in this way.
        shortlist: Score only so many proposals of a move, those that remove the least importance per ms saved;
            0 scores all.
        tune_top: Train the best so many proposals before the move is chosen; 0 trains none.
        tune_steps: For so many steps each.
        tune_lr: Peak learning rate of that; that of a whole training undoes more than so few steps mend.

    Raises:
        InputError: A value is out of range.
    """

    grain: int = 8
    step: float = 0.01
    tolerance: float = 0.01
    rule: Rule = Rule.PER_MS
    importance: Weighing = Weighing.L2
    shortlist: int = 0
    tune_top: int = 0
    tune_steps: int = 0
    tune_lr: float = 0.01

    def __post_init__(self) -> None:
        if self.grain < 1 or not (0 < self.step < 1) or not (0 <= self.tolerance < 1):
            raise InputError(f"{self}: grain must be at least 1, step and tolerance shares below 1")
        if not 0 < self.tune_lr < math.inf:
            raise InputError(f"tune_lr={self.tune_lr:g} must be a positive number")
        if min(self.shortlist, self.tune_top, self.tune_steps) < 0:
            raise InputError(f"{self}: shortlist, tune_top and tune_steps must not be negative")
        if self.tune_top and not self.tune_steps:
            raise InputError(f"tune_steps={self.tune_steps} must be at least 1 where tune_top={self.tune_top}")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrimResult:
    """The trimmed network, the moves that led to it, and how many proposals had no numeric score or loss."""

    network: Network
    moves: tuple[Move, ...]
    dropped: int


def trim(
    network: Network,
    latency: Latency,
    *,
    budget_ms: float,
    settings: TrimSettings,
    score: Score,
    calibration: Calibration | None = None,
    tune: Tune | None = None,
    prepare: Prepare | None = None,
    folder: Path | None = None,
    workers: int = 1,
    progress: Progress = silent,
) -> TrimResult:
    """Narrow a network until its latency is within the budget; within it already, no move is made.

    Args:
        network: Trained, with running statistics; left as it is.
        latency: Milliseconds of an architecture.
        budget_ms: The budget, ms.
        settings: How to trim.
        score: Accuracy of a network; called by `workers` threads at once.
        calibration: Images for `settings.importance` (see `weigher`).
        tune: Needed when `settings.tune_top` is not 0.
        prepare: Called with the networks of a round before they are priced, to measure what the table lacks.
        folder: Checkpoint after every move; the same call goes on from it.
        workers: Proposals that are narrowed and scored side by side, in threads; the result is the same for any.
        progress: Told after every move: percent of the excess latency removed.

    Raises:
        InfeasibleError: The budget cannot be met by narrowing; the text names the latency that can.
        InputError: A setting is out of range, or the folder holds a trimming of other settings.
        StorageError: The checkpoint cannot be written.
        TooManyFailuresError: No proposal of a move has a numeric score and loss.
    """
    if not (math.isfinite(budget_ms) and budget_ms > 0):
        raise InputError(f"budget_ms={budget_ms} must be a positive number")
    if workers < 1:
        raise InputError(f"workers={workers} must be at least 1")
    if settings.tune_top and tune is None:
        raise InputError(f"tune_top={settings.tune_top} needs a way to tune")
    if prepare:
        prepare([network.arch, *narrowest(network.arch, grain=settings.grain)])
    trimmer = _Trimmer(
        seed=network.arch,
        seed_ms=latency(network.arch),
        latency=latency,
        budget_ms=budget_ms,
        settings=settings,
        score=score,
        weigh=weigher(settings.importance, calibration),
        tune=tune,
        prepare=prepare,
        workers=workers,
    )
    return trimmer.run(network, folder, progress)


@dataclass(frozen=True, kw_only=True, slots=True)
class _State:
    """Where the trimming stands."""

    network: Network
    accuracy: float
    latency_ms: float
    moves: tuple[Move, ...]
    dropped: int


@dataclass(frozen=True, slots=True)
class _Scored:
    proposal: Proposal
    network: Network
    accuracy: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Trimmer:
    seed: Arch
    seed_ms: float
    latency: Latency
    budget_ms: float
    settings: TrimSettings
    score: Score
    weigh: Weigh
    tune: Tune | None
    prepare: Prepare | None
    workers: int

    def run(self, network: Network, folder: Path | None, progress: Progress) -> TrimResult:
        """Move until the budget is met, from the folder's checkpoint where there is one."""
        if self.seed_ms <= self.budget_ms:
            return TrimResult(network=network, moves=(), dropped=0)
        require_reachable(self.seed, self.latency, budget_ms=self.budget_ms, grain=self.settings.grain)
        line = f"network {digest(self.seed)}, budget {self.budget_ms:g} ms, {self.settings}"
        found = load(folder, settings=line) if folder else None
        state = self._resumed(found, network) if found else self._begin(network)
        while state.latency_ms > self.budget_ms:
            state = self._move(state)
            if folder:
                save(folder, state.network, state.moves, dropped=state.dropped, settings=line)
            done = (self.seed_ms - state.latency_ms) / (self.seed_ms - self.budget_ms)
            note = f"{state.latency_ms:.4g} ms, {state.accuracy:.1%}"
            progress("trim", min(100, round(100 * done)), 100, note)
        return TrimResult(network=state.network, moves=state.moves, dropped=state.dropped)

    def _begin(self, network: Network) -> _State:
        own = narrow(network, network.arch, {})
        accuracy = self.score(own)
        if not math.isfinite(accuracy):
            raise TooManyFailuresError(f"the network to trim scores {accuracy}; train it first")
        return _State(network=own, accuracy=accuracy, latency_ms=self.seed_ms, moves=(), dropped=0)

    def _resumed(self, saved: Saved, network: Network) -> _State:
        device = next(network.parameters()).device
        return _State(
            network=saved.network.to(device).eval(),
            accuracy=saved.moves[-1].accuracy_after,
            latency_ms=self.latency(saved.network.arch),
            moves=saved.moves,
            dropped=saved.dropped,
        )

    def _move(self, state: _State) -> _State:
        weights = self.weigh(state.network)
        chosen, dropped = self._chosen(state, self._proposals(state), weights)
        before, after = state.network.arch, chosen.proposal
        move = Move(
            width=after.width,
            channels_before=before.widths[after.width],
            channels_after=after.channels,
            saved_ms=state.latency_ms - after.latency_ms,
            accuracy_before=state.accuracy,
            accuracy_after=chosen.accuracy,
            latency_ms=after.latency_ms,
        )
        return _State(
            network=chosen.network,
            accuracy=chosen.accuracy,
            latency_ms=after.latency_ms,
            moves=(*state.moves, move),
            dropped=state.dropped + dropped,
        )

    def _proposals(self, state: _State) -> Sequence[Proposal]:
        """Savings of one step, or of what is left to save when that is less."""
        saving_ms = min(self.settings.step * self.seed_ms, state.latency_ms - self.budget_ms)
        proposals = propose(
            self.seed,
            state.network.arch,
            saving_ms=saving_ms,
            latency=self.latency,
            grain=self.settings.grain,
            prepare=self.prepare,
        )
        if not proposals:
            raise InfeasibleError(
                f"trimming ends at {state.latency_ms:.4g} ms, above budget_ms={self.budget_ms:g}: no narrower width is "
                f"faster; raise the budget or start from a faster network"
            )
        return proposals

    def _chosen(self, state: _State, proposals: Sequence[Proposal], weights: Importance) -> tuple[_Scored, int]:
        """The proposal to take, one that ends far below the budget only for want of others; and how many dropped out.

        Raises:
            TooManyFailuresError: All of them did.
        """
        floor_ms = (1 - self.settings.tolerance) * self.budget_ms
        far = [proposal for proposal in proposals if proposal.latency_ms < floor_ms]
        near = [proposal for proposal in proposals if proposal.latency_ms >= floor_ms]
        dropped = 0
        for some in (near, far):
            found, failed = self._best(state, self._listed(state, some, weights), weights)
            dropped += failed
            if found:
                return found, dropped
        raise TooManyFailuresError(
            f"none of {len(proposals)} proposals to trim has a numeric score and loss; lower the learning rate, "
            f"or trim a network that is trained"
        )

    def _listed(self, state: _State, proposals: Sequence[Proposal], weights: Importance) -> Sequence[Proposal]:
        """The shortlist: those that remove the least importance per ms saved."""

        def removed_per_ms(proposal: Proposal) -> float:
            own = weights[proposal.width]
            whole = float(own.sum())
            removed = whole - float(own[strongest(own, proposal.channels)].sum())
            return (removed / whole if whole else 0.0) / (state.latency_ms - proposal.latency_ms)

        return sorted(proposals, key=removed_per_ms)[: self.settings.shortlist or None]

    def _best(self, state: _State, proposals: Sequence[Proposal], weights: Importance) -> tuple[_Scored | None, int]:
        """The best of some proposals, and how many had no numeric score or no numeric loss."""
        leading: list[_Scored] = []
        dropped = 0
        for scored in self._scored(state, proposals, weights):
            if math.isfinite(scored.accuracy):
                leading = self._ranked(state, [*leading, scored])
                leading = leading[: max(1, self.settings.tune_top)]
            else:
                dropped += 1
        tuned = [self._tuned(scored) for scored in leading]
        found = [scored for scored in tuned if scored is not None]
        return (self._ranked(state, found)[0] if found else None), dropped + len(tuned) - len(found)

    def _scored(self, state: _State, proposals: Sequence[Proposal], weights: Importance) -> Iterator[_Scored]:
        """Proposals narrowed and scored, in order; no more than `workers` networks at a time."""

        def attempt(proposal: Proposal) -> _Scored:
            network = narrow(state.network, proposal.arch, weights)
            return _Scored(proposal, network, self.score(network))

        if self.workers == 1:
            yield from map(attempt, proposals)
            return
        with ThreadPoolExecutor(self.workers) as pool:
            for start in range(0, len(proposals), self.workers):
                yield from pool.map(attempt, proposals[start : start + self.workers])

    def _ranked(self, state: _State, scored: Sequence[_Scored]) -> list[_Scored]:
        def merit(one: _Scored) -> float:
            gained = one.accuracy - state.accuracy
            if self.settings.rule is Rule.ACCURACY:
                return gained
            return gained / (state.latency_ms - one.proposal.latency_ms)

        return sorted(scored, key=merit, reverse=True)

    def _tuned(self, scored: _Scored) -> _Scored | None:
        """Train a proposal, which stays as it was where that gives no better score; None where training fails."""
        if self.tune is None or not self.settings.tune_top:
            return scored
        try:
            network = self.tune(copy.deepcopy(scored.network), self.settings.tune_steps)
        except TooManyFailuresError:
            return None
        accuracy = self.score(network)
        return replace(scored, network=network, accuracy=accuracy) if accuracy > scored.accuracy else scored
