"""The loop that every training shares: steps, checkpoints, log, averaged weights, validation; goes on where it was.

A recipe brings a `Task`; the loop knows nothing of trackers.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from stm_tracker_ros.core.errors import CheckpointError, ConfigError, StmTrackerError, TrainingError
from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.parts import precision
from stm_tracker_ros.trackers import checkpoint
from stm_tracker_ros.training.config import LoopConfig
from stm_tracker_ros.training.loading import told_as_raised
from stm_tracker_ros.training.run_files import CONFIG, LAST, LOG, LOOP_FILES, NEXT

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
Weights = Mapping[str, Tensor]
Validate = Callable[[Weights], Mapping[str, float]]
logger = logging.getLogger(__name__)


class Task(Protocol):
    """What is trained, on what, and how it is validated.

    steps: the last step. The loop moves network and batches to its device and runs `loss_terms` under autocast.
    """

    steps: int

    @property
    def network(self) -> nn.Module:
        """What is trained, in place."""
        ...

    def optimiser(self) -> torch.optim.Optimizer:
        """Over all parameters that are ever trained; groups and their order stay the same for the whole training."""
        ...

    def rates(self, step: int) -> Sequence[float]:
        """Learning rate of each of the optimiser's groups; 0 freezes a group: it gets no gradient."""
        ...

    def batches(self, step: int) -> Iterable[Sequence[Tensor]]:
        """The batches of `step` and all steps after it."""
        ...

    def loss_terms(self, batch: Sequence[Tensor]) -> tuple[Tensor, Mapping[str, Tensor]]:
        """What to minimise, and its terms (scalars, for the log; NaN where a batch cannot say)."""
        ...


class Loop:
    """One training run in one folder: `last.pt` to go on from, `log.jsonl` to look at."""

    def __init__(self, task: Task, out: Path, config: LoopConfig, device: torch.device) -> None:
        """Raises ConfigError, CheckpointError where `out` holds a run of another network, and DataError where it holds
        files of these names that no run wrote.
        """
        if config.precision == "fp16" and device.type == "cpu":
            raise ConfigError("precision is 'fp16'; allowed on a CPU are fp32 and bf16")
        if config.precision not in precision.available(device):
            logger.warning("%s is not fast in %s: precision=fp32 is much quicker here", device, config.precision)
        self.task, self.out, self.config, self.device = task, out, config, device
        self.files = OutputFolder(out).check(LOOP_FILES).make()
        self.network = task.network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = task.optimiser()
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "fp16")
        self.average = self._present() if config.average else {}
        self.step, self.seconds = 0, 0.0
        self.noted: dict[str, list[float]] = {}
        self._log_file: BinaryIO | None = None
        if (out / LAST).exists():
            self._resume()

    @property
    def weights(self) -> Weights:
        """The averaged weights, or the present ones where the recipe takes no average."""
        return self.average or self.network.state_dict()

    def run(self, validate: Validate | None = None, trained: Callable[[], None] = lambda: None) -> None:
        """Train until the last step; writes a checkpoint every few minutes and at the end.

        validate: gets the weights, gives figures for the log; called every few minutes and at the end. One that fails
        is warned of. trained: called after the last step, before the last validation. Raises TrainingError where the
        loss is no longer a number; the checkpoint is the last one that was sound.
        """
        settings = json.dumps(self.config, default=vars, indent=1)
        self._warn_of_changes(json.loads(settings))
        self.files.write(CONFIG, settings.encode("ascii"))
        if (self.out / LOG).exists():
            self.files.write(LOG, self._rows_so_far())
        with self.files.continued(LOG) as self._log_file:
            self._train(validate)
            trained()
            if validate and self.config.validate_minutes:
                self._validate(validate)

    def _present(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.network.state_dict().items()}

    def _warn_of_changes(self, settings: Mapping[str, Any]) -> None:
        """Say where a run goes on by other settings than before: `config.json` will have the new ones alone."""
        if not self.step or not (self.out / CONFIG).exists():
            return
        before = json.loads((self.out / CONFIG).read_text(encoding="ascii"))
        odd = [name for name in {**before, **settings} if before.get(name) != settings.get(name)]
        if odd:
            changed = ", ".join(f"{name} {before.get(name)!r} -> {settings.get(name)!r}" for name in sorted(odd))
            logger.warning("from step %d on with other settings than before: %s", self.step, changed)
            if "start_from" in odd:
                logger.warning("start_from is not looked at: %s has the weights", self.out / LAST)

    def _rows_so_far(self) -> bytes:
        """The log up to the checkpoint: what a run did after it is done again."""
        rows = []
        for line in (self.out / LOG).read_bytes().splitlines(keepends=True):
            with suppress(ValueError):  # the row in which it was killed
                rows += [line] if json.loads(line)["step"] <= self.step else []
        return b"".join(rows)

    def _train(self, validate: Validate | None) -> None:
        self.network.train()
        saved = validated = time.monotonic()
        with tqdm(total=self.task.steps, initial=self.step, desc="train", mininterval=5) as progress:
            batches = iter(self.task.batches(self.step))
            while self.step < self.task.steps:
                with told_as_raised():
                    batch = next(batches)
                self._timed_step(batch)
                progress.update()
                now = time.monotonic()
                if now - saved > 60 * self.config.checkpoint_minutes:
                    self.save()
                    saved = now
                if validate and now - validated > 60 * self.config.validate_minutes > 0:
                    self._validate(validate)
                    validated = time.monotonic()
        self.save()

    def _timed_step(self, batch: Sequence[Tensor]) -> None:
        start = time.monotonic()
        self._train_step([part.to(self.device, non_blocking=True) for part in batch])
        self.seconds += time.monotonic() - start
        self.step += 1
        if self.step % self.config.log_steps == 0 or self.step == self.task.steps:
            self._log_terms()

    def _train_step(self, batch: Sequence[Tensor]) -> None:
        self._set_rates()
        with torch.autocast(self.device.type, DTYPES[self.config.precision], self.config.precision != "fp32"):
            total, terms = self.task.loss_terms(batch)
        self._note(total, terms)
        self.optimiser.zero_grad()
        self.scaler.scale(total).backward()
        if self.config.clip:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self._update_average()

    def _set_rates(self) -> None:
        for group, rate in zip(self.optimiser.param_groups, self.task.rates(self.step), strict=True):
            group["lr"] = rate
            for parameter in group["params"]:
                parameter.requires_grad_(rate > 0)

    def _note(self, total: Tensor, terms: Mapping[str, Tensor]) -> None:
        """Keep the terms for the next row of the log; a loss that is no number ends the run before it does harm.

        A term that is NaN was not to be had from this batch, as an overlap where there are no boxes.
        """
        if not math.isfinite(total.item()):
            raise TrainingError(f"the loss is {total.item()} at step {self.step}; try a lower rate or precision=fp32")
        for name, value in terms.items():
            if not math.isnan(value.item()):
                self.noted.setdefault(name, []).append(value.item())

    def _update_average(self) -> None:
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        for name, value in self.network.state_dict().items() if self.average else ():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def _validate(self, validate: Validate) -> None:
        try:
            figures = validate(self.weights)
        except StmTrackerError as error:
            logger.warning("step %d has no validation, which costs the training nothing: %s", self.step, error)
            return
        self._log({f"validation_{name}": value for name, value in figures.items()})

    def save(self) -> None:
        """Write `last.pt`, whole or not at all."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        with self.files.new(NEXT) as file:
            torch.save(state, file)
        self.files.replace(NEXT, LAST)

    def _resume(self) -> None:
        state = torch.load(self.out / LAST, map_location=self.device, weights_only=True)
        weights = checkpoint.present_names(state["network"])
        if wrong := checkpoint.misfit(self.network.state_dict(), weights):
            raise CheckpointError(
                f"{self.out / LAST} is of another network: {wrong}; go on with the settings of its run, or give --out "
                "a new folder"
            )
        self.network.load_state_dict(weights)
        if self.config.average:
            self.average = checkpoint.present_names(state["average"]) or self._present()
        self._resume_optimiser(state["optimiser"])
        self.scaler.load_state_dict(state.get("scaler", {}) or self.scaler.state_dict())
        self.step, self.seconds = state["step"], state["seconds"]
        logger.info("going on from step %d", self.step)

    def _resume_optimiser(self, state: dict[str, Any]) -> None:
        try:
            self.optimiser.load_state_dict(state)
        except ValueError as error:
            raise CheckpointError(
                f"{self.out / LAST} was trained in other parts ({error}); go on with the settings of its run, or start "
                "a new one from it by start_from"
            ) from None

    def _log_terms(self) -> None:
        """The terms' means since the last row, and the rate of the first group."""
        means = {name: round(sum(values) / len(values), 4) for name, values in self.noted.items()}
        self._log({**means, "rate": self.optimiser.param_groups[0]["lr"]})
        self.noted = {}

    def _log(self, row: Mapping[str, float]) -> None:
        row = {"step": self.step, "minutes": round(self.seconds / 60, 2), **row}
        assert self._log_file is not None, "rows are written while it runs"
        self._log_file.write((json.dumps(row) + "\n").encode("ascii"))
        self._log_file.flush()
