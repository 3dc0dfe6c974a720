"""The training loop: resumable, deterministic for a given build of torch, CPU or GPU."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from geometry.extras import from_extra
from reconstruction.network.errors import TrainingConfigError
from reconstruction.network.export import load_checkpoint
from reconstruction.training.config import Schedule, TrainingConfig
from reconstruction.training.images.config import ImageTrainingConfig
from reconstruction.training.images.task import ImageTask
from reconstruction.training.read_config import read_config
from reconstruction.training.sample import Sample
from reconstruction.training.volume_task import VolumeTask

if TYPE_CHECKING:
    import torch

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
Progress = Callable[[int, int, float], None]


AnyConfig = TrainingConfig | ImageTrainingConfig


class TrainingTask(Protocol):
    """What the loop needs to know of the data: 3D volumes and 2D images each bring their own."""

    trained_on: tuple[str, ...]
    class_weights: tuple[float, ...] | None

    def network(self) -> torch.nn.Module:
        """A fresh network."""
        ...

    def draw(self, number: int) -> Sample:
        """Batch number n; the same number gives the same batch."""
        ...

    def validate(self, network: torch.nn.Module) -> dict[str, float]:
        """Mean Dice of each class over the validation data; empty without any."""
        ...

    def export(self, checkpoint: Path, description: Path) -> None:
        """Writes the checkpoint's averaged network as ONNX, with a description (JSON) beside it."""
        ...


@dataclass(frozen=True)
class TrainingResult:
    """What a training run left behind.

    Attributes:
        checkpoint: to resume from.
        weights: description of the exported network, for `reconstruction.network.weights.load_weights`.
        log: one JSON line an iteration.
        iterations: done in all, over every resumption.
        last_loss: loss of the last iteration; NaN where a resumed run had no iterations left.
        trained_on: fingerprints of the scans.
        validation_dice: class to mean Dice over the scans held out; empty without any.
    """

    checkpoint: Path
    weights: Path
    log: Path
    iterations: int
    last_loss: float
    trained_on: tuple[str, ...]
    validation_dice: dict[str, float]


def run_training(
    config: Path,
    out: Path,
    resume: bool = False,
    progress: Progress | None = None,
    data: Path | None = None,
) -> TrainingResult:
    """Trains the network that a training file describes, and exports it.

    Args:
        config: the training TOML.
        out: folder for the checkpoint and the log; made if missing.
        resume: continue from the checkpoint in `out`; without one, start.
        progress: called after each iteration with (iteration, iterations, loss).
        data: folder the TOML's paths lie under; the TOML's own folder if not given.

    Raises:
        TrainingConfigError: a fault in the TOML.
        TrainingDataError: scans or labels missing or not fitting.
    """
    settings = read_config(config)
    out.mkdir(parents=True, exist_ok=True)
    task = _task(settings, data or config.parent, config.parent)
    run = _Run(settings, task)
    if resume and (out / CHECKPOINT).exists():
        run.load(out / CHECKPOINT)
    _cut_log(out / LOG, run.iteration)
    loss = run.train(out, progress)
    description = out / f"{settings.name}.json"
    task.export(out / CHECKPOINT, description)
    dice = task.validate(run.averaged_network())
    return TrainingResult(out / CHECKPOINT, description, out / LOG, run.iteration, loss, task.trained_on, dice)


def _task(settings: AnyConfig, data: Path, beside: Path) -> TrainingTask:
    if isinstance(settings, ImageTrainingConfig):
        return ImageTask(settings, data, beside)
    return VolumeTask(settings, data)


def _cut_log(log: Path, iterations: int) -> None:
    """Iterations after the checkpoint are done again, and must not stand in the log twice."""
    lines = log.read_text("utf-8").splitlines(keepends=True) if log.exists() else []
    log.write_text("".join(lines[:iterations]), "utf-8")


class _Run:
    """State of a training run: network, its running average, optimiser, iteration."""

    def __init__(self, config: AnyConfig, task: TrainingTask) -> None:
        with from_extra("training"):
            import torch

        schedule = config.schedule
        torch.manual_seed(schedule.seed)
        self.config, self.task, self.iteration = config, task, 0
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        planar = config.network.dimensions == 2
        self.memory_format = torch.channels_last if planar else torch.channels_last_3d
        network = task.network().to(self.device, memory_format=self.memory_format)
        self.network = network
        self.average = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
        )
        self.loss_function = soft_dice_cross_entropy(task.class_weights).to(self.device)

    def train(self, out: Path, progress: Progress | None) -> float:
        schedule, loss = self.config.schedule, float("nan")
        self.network.train()
        with (out / LOG).open("a", encoding="utf-8") as log:
            for sample in self._samples():
                loss = self.step(sample)
                self.iteration += 1
                log.write(json.dumps({"iteration": self.iteration, "loss": round(loss, 5)}) + "\n")
                if self.iteration % schedule.checkpoint_every == 0 or self.iteration == schedule.iterations:
                    log.flush()
                    self.save(out / CHECKPOINT)
                if progress is not None:
                    progress(self.iteration, schedule.iterations, loss)
        return loss

    def _samples(self) -> Iterator[Sample]:
        """The samples from here on; drawn ahead by another process where the training file asks for one."""
        numbers = range(self.iteration, self.config.schedule.iterations)
        if not self.config.schedule.workers:
            return map(self.task.draw, numbers)
        with from_extra("training"):
            from torch.utils.data import DataLoader

        loader = DataLoader(
            Drawn(self.task), batch_size=None, sampler=numbers, num_workers=self.config.schedule.workers
        )
        return iter(loader)

    def step(self, sample: Sample) -> float:
        with from_extra("training"):
            import torch

        schedule = self.config.schedule
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.iteration, schedule)
        inputs = sample.inputs.to(self.device, memory_format=self.memory_format)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=schedule.bfloat16):
            logits = self.network(inputs)
        outputs, classes = logits.float(), sample.fractions.shape[1]
        loss = self.loss_function(*where_known(outputs[:, :classes], sample, self.device))
        if sample.offsets is not None and sample.on_thing is not None:
            loss = loss + offset_loss(outputs[:, classes:], sample.offsets, sample.on_thing)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        decay = min(1 - 1 / schedule.average_over, (self.iteration + 1) / (self.iteration + 10))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - decay)
                else:  # batch normalisation counts its batches
                    self.average[name].copy_(value)
        return float(loss.detach())

    def averaged_network(self) -> torch.nn.Module:
        network = self.task.network()
        network.load_state_dict(self.average)
        return network.eval()

    def save(self, path: Path) -> None:
        with from_extra("training"):
            import torch

        state = {
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "iteration": self.iteration,
            "config": self.config.model_dump(mode="json"),
            "trained_on": list(self.task.trained_on),
        }
        temporary = path.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(path)

    def load(self, path: Path) -> None:
        state = load_checkpoint(path)
        network = self.config.network.model_dump(mode="json")
        if state["config"]["network"] != network:
            raise TrainingConfigError(
                f"a checkpoint of another network, {state['config']['network']}",
                f"the network {network}",
                "start without the checkpoint",
            )
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average = {name: value.to(self.device) for name, value in state["average"].items()}
        self.iteration = int(state["iteration"])


def learning_rate(iteration: int, schedule: Schedule) -> float:
    """Warm-up, constant, then linear to a hundredth; from a restart on linear again, from the full rate."""
    warm = min(1.0, (iteration + 1) / max(1, schedule.warm_up))
    end = schedule.restart_at or schedule.iterations
    start = schedule.decay_from * end
    if iteration >= end:
        start, end = end, schedule.iterations
    left = (end - iteration) / max(1.0, end - start)
    return schedule.learning_rate * warm * max(0.01, min(1.0, left))


class Drawn:
    """Samples by number, for torch's loader."""

    def __init__(self, task: TrainingTask) -> None:
        self._task = task

    def __getitem__(self, number: int) -> Sample:
        return self._task.draw(number)


def offset_loss(outputs: torch.Tensor, offsets: torch.Tensor, on_thing: torch.Tensor) -> torch.Tensor:
    """Smooth L1 on the things only: elsewhere no centre is right or wrong."""
    with from_extra("training"):
        import torch

    here = on_thing.to(outputs.device).expand_as(outputs)
    if not here.any():
        return outputs.sum() * 0
    return 2 * torch.nn.functional.smooth_l1_loss(outputs[here], offsets.to(outputs.device)[here], beta=0.05)


def where_known(logits: torch.Tensor, sample: Sample, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and fractions for the loss: what is not known is a sure first class in both, which costs nothing."""
    with from_extra("training"):
        import torch

    fractions = sample.fractions.to(device)
    if sample.known is None:
        return logits, fractions
    nothing = torch.zeros_like(fractions)
    nothing[:, 0] = 1
    known = sample.known.to(device)
    return torch.where(known, logits, 20 * nothing), torch.where(known, fractions, nothing)


def soft_dice_cross_entropy(class_weights: Sequence[float] | None = None) -> Any:
    """Dice plus cross-entropy on fractions; squared denominators, as only then p = t is the best Dice for a soft t.

    Weights count in the cross-entropy: many classes share what little of a window is not soft tissue or air.
    """
    with from_extra("training"):
        import torch
        from monai.losses import DiceCELoss

    loss = DiceCELoss(softmax=True, squared_pred=True, smooth_nr=1e-2, smooth_dr=1e-2)
    if class_weights is not None:
        loss.cross_entropy = torch.nn.CrossEntropyLoss(weight=torch.tensor(class_weights))
    return loss
