"""The training file: a small TOML that describes labelled CT in any folder layout, and how to train on it.

`first_network.toml` beside this file is a complete example, with comments.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reconstruction.network.classes import CLASS_INDEX, CLASSES, Anatomy
from reconstruction.network.errors import WeightsError
from reconstruction.network.export import anatomy_of

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Strict):
    """One collection of labelled scans with one layout and one licence.

    `images` and `labels` are globs under the data folder. In `labels`, ``{folder}`` stands for the image's folder and
    ``{stem}`` for its name without suffixes. One label file holds numbered labels, named by `names_csv` or `names`;
    several label files for one image are masks, one a structure, each named by its file name.

    Kinds: "labelled" as above. "label_map": `images` are label maps without CT, from which CTs are synthesised;
    `bone_ct` is a CT on a map's grid that shows only its dense bone (optional), and `trusted_mm` says how far around
    the labels the map is complete, where it is not complete everywhere.
    """

    name: str
    kind: Literal["labelled", "label_map"] = "labelled"
    images: str
    labels: str | None = None
    bone_ct: str | None = None
    trusted_mm: Positive | None = None
    names_csv: str | None = None
    csv_id: str = "id"
    csv_name: str = "name"
    names: dict[int, str] = Field(default_factory=dict)
    validation: tuple[str, ...] = ()
    licence: str
    attribution: str
    labelled_by: str
    weight: Annotated[int, Field(gt=0)] = 1

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Source:
        if (self.labels is None) == (self.kind == "labelled"):
            raise ValueError(f"labels {self.labels!r} for the kind {self.kind!r}: only 'labelled' has them, and must")
        if self.kind != "label_map" and (self.bone_ct is not None or self.trusted_mm is not None):
            raise ValueError(f"bone_ct and trusted_mm are for a 'label_map', not for {self.kind!r}")
        return self


class BoneRefinement(Strict):
    """Unlabelled voxels at least this dense and this near to labelled bone count as bone.

    Labels made on a 1.5 mm grid cut the cortex short; the refined border lies where the bone's density ends.
    """

    above_hu: float = 180.0
    within_mm: float = 3.0


class NetworkConfig(Strict):
    """The network: its grid, its layers, and what it separates.

    `classes` start with outside and body. `offsets_of` are the classes whose labels are things one by one: the network
    regresses where the centre of each lies. `offsets_mm` is one unit of these outputs.
    """

    dimensions: Literal[3] = 3
    classes: tuple[str, ...] = CLASSES
    offsets_of: tuple[str, ...] = ()
    offsets_mm: Positive = 100.0
    spacing_mm: Positive = 2.0
    channels: tuple[int, ...] = (16, 32, 64, 128, 160)
    window: tuple[int, int, int] = (96, 112, 128)

    @model_validator(mode="after")
    def _window_fits(self) -> NetworkConfig:
        step = 2 ** (len(self.channels) - 1)
        if len(self.channels) < 2 or any(n < 2 * step or n % step for n in self.window):
            raise ValueError(f"window {self.window} must be multiples of {step}, at least {2 * step} each")
        if not set(self.offsets_of) <= set(self.classes):
            raise ValueError(f"offsets_of {list(self.offsets_of)} must be among the classes")
        return self


class Schedule(Strict):
    """How long and how fast: warm-up, constant rate, linear decay; from `restart_at` on a second linear decay.

    A restart (Loshchilov and Hutter 2017) continues a finished run for longer without redoing it.
    """

    iterations: Annotated[int, Field(gt=0)] = 2000
    learning_rate: Positive = 1.5e-3
    weight_decay: float = 1e-4
    warm_up: int = 50
    decay_from: Fraction = 0.75
    restart_at: Annotated[int, Field(gt=0)] | None = None
    batch: Annotated[int, Field(gt=0)] = 1
    average_over: Annotated[int, Field(gt=0)] = 200
    checkpoint_every: Annotated[int, Field(gt=0)] = 100
    bfloat16: bool = True
    workers: Annotated[int, Field(ge=0)] = 0
    balanced: bool = False
    seed: int = 1


class Augmentation(Strict):
    """How often and how far samples are changed. There are no flips: the liver has a side."""

    mixed_contrast: Fraction = 0.35
    synthetic_contrast: Fraction = 0.3
    affine: Fraction = 0.8
    rotate_deg: float = 15.0
    scale: Fraction = 0.2
    shear: Fraction = 0.05
    elastic: Fraction = 0.3
    elastic_mm: float = 10.0
    gamma: Fraction = 0.2
    noise: Fraction = 0.4
    noise_hu: float = 60.0
    bias: Fraction = 0.15
    blur: Fraction = 0.2
    low_resolution: Fraction = 0.2


class TrainingConfig(Strict):
    """All of it; `start_from` names a shipped network of the same layers whose parameters the training starts with."""

    name: str
    start_from: str | None = None
    source: tuple[Source, ...] = Field(min_length=1)
    structures: dict[str, tuple[str, ...]]
    anatomy: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    bone_refinement: BoneRefinement | None = None
    network: NetworkConfig = NetworkConfig()
    schedule: Schedule = Schedule()
    augmentation: Augmentation = Augmentation()

    @model_validator(mode="after")
    def _all_structures(self) -> TrainingConfig:
        wanted = [name for name in self.network.classes if name not in ("outside", "body")]
        missing = [name for name in wanted if not self.structures.get(name)]
        if missing or set(self.structures) - set(wanted):
            raise ValueError(f"[structures] must name labels of each of {', '.join(wanted)}, and of nothing else")
        try:
            anatomy_of(self.model_dump(mode="json"))
        except WeightsError as error:
            raise ValueError(error.came) from error
        return self

    @property
    def meaning(self) -> Anatomy:
        """What the network's classes stand for: each a structure of its own, or as `anatomy` says."""
        return anatomy_of(self.model_dump(mode="json"))

    def class_of(self, label_name: str) -> int:
        """The class index of a label by its name; unnamed tissue is body."""
        from fnmatch import fnmatchcase

        for structure, patterns in self.structures.items():
            if any(fnmatchcase(label_name.lower(), p.lower()) for p in patterns):
                return self.network.classes.index(structure)
        return CLASS_INDEX["body"]
