"""The command line: ``surgnav``. Commands stand in the order of a real case; heavy packages load only when used."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from navigation.commands.engine import engine_app
from navigation.commands.reconstruct import options
from navigation.terminal.json_files import write_json_file
from navigation.terminal.reporting import reporting

PREPARE, OPERATING = "Before the operation", "At the patient"
OPERATE, DEVELOP = "Try the whole path", "Networks and machines"

app = typer.Typer(
    name="surgnav",
    help="AR surgical navigation: CT to surfaces, registration, live poses to a headset. "
    "Research software, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point. Spinning OpenMP threads starve everything else on few cores, so they are told to sleep."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    app()


@app.command("inspect", rich_help_panel=PREPARE)
def inspect_command(
    path: Annotated[Path, typer.Argument(help="DICOM folder, or a file: NIfTI, NRRD, MetaImage, enhanced CT.")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the findings here.")] = None,
) -> None:
    """Lists every series: good, usable or refused, and why. Exit code 0; 3 if all are refused; 1 if unreadable."""
    from navigation.commands.inspect import render_inspection
    from reconstruction.ct.inspection import inspect, to_json

    with reporting(json_file=json_file) as (console, _):
        reports = inspect(path)
        render_inspection(reports, console)
        if json_file is not None:
            write_json_file(json_file, to_json(reports))
    if all(report.verdict.level == "refused" for report in reports):
        raise typer.Exit(3)


@app.command("reconstruct", rich_help_panel=PREPARE)
def reconstruct_command(
    ct: options.CtPath,
    case: options.NewCase,
    name: options.CaseName = "case",
    engine: options.Engine = None,
    copy_ct: options.CopyCt = False,
    series: options.Series = None,
    anonymize: options.Anonymize = False,
    labels: options.Labels = None,
    label_names: options.LabelNames = None,
    labels_on_ct_grid: options.LabelsOnCtGrid = False,
    triangles: options.Triangles = 100_000,
    acquisition: options.Acquisition = None,
    correct_hu: options.CorrectHu = False,
    json_file: options.JsonFile = None,
) -> None:
    """CT in, surfaces out: quality check, 3D U-Net or your labels, surfaces, case folder. All are suggestions."""
    from navigation.commands.reconstruct.command import GivenLabels, reconstruct_and_render
    from reconstruction.ct.choice import CtChoice
    from reconstruction.network.segmentation import SegmentationSettings
    from reconstruction.pipeline import ReconstructionSettings

    if (label_names is not None or labels_on_ct_grid) and labels is None:
        option = "--label-names" if label_names is not None else "--labels-on-ct-grid"
        raise typer.BadParameter(f"{option} belongs to --labels, which is missing")
    segmentation = SegmentationSettings(engine=engine)
    settings = ReconstructionSettings(
        segmentation=segmentation,
        max_triangles=triangles,
        copy_ct=copy_ct,
        choice=CtChoice(series=series, acquisition=acquisition, correct_hu=correct_hu),
        anonymize=anonymize,
    )
    given = None if labels is None else GivenLabels(labels, label_names, labels_on_ct_grid)
    with reporting(case=case, json_file=json_file) as (console, progress):
        document = reconstruct_and_render(ct, case, name, _now(), given, settings, progress, console)
        if json_file is not None:
            write_json_file(json_file, document)


@app.command("markers", rich_help_panel=PREPARE)
def markers_command(
    ct: Annotated[Path | None, typer.Argument(help="CT with balls on the skin; the case's own by default.")] = None,
    case: Annotated[
        Path | None, typer.Option("--case", help="Case whose planned landmarks they become; else they are only shown.")
    ] = None,
    diameter: Annotated[float | None, typer.Option(help="Diameter of the balls, in mm, where it is known.")] = None,
    expect: Annotated[
        int | None, typer.Option(min=1, help="How many there are; with more or fewer nothing is kept.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace landmarks made or changed by others; they are kept beside.")
    ] = False,
    series: options.Series = None,
    acquisition: options.Acquisition = None,
    correct_hu: options.CorrectHu = False,
    json_file: options.JsonFile = None,
) -> None:
    """Finds radio-opaque balls on the skin. Exit code 0; 3 if none, or not as many as expected; 1 on errors."""
    from navigation.commands.markers import MarkersRequest, run_markers
    from reconstruction.ct.choice import CtChoice

    request = MarkersRequest(
        ct=ct,
        choice=CtChoice(series=series, acquisition=acquisition, correct_hu=correct_hu),
        case=case,
        diameter_mm=diameter,
        expected=expect,
        replace=replace,
        json_file=json_file,
    )
    with reporting(case=case, json_file=json_file) as (console, progress):
        progress("looking for markers", 0.0)
        complete = run_markers(request, _now(), console)
    if not complete:
        raise typer.Exit(3)


@app.command("review", rich_help_panel=PREPARE)
def review_command(
    case: Annotated[Path, typer.Argument(help="Case folder.")],
    structure: Annotated[
        str | None, typer.Option(help="Structure to decide on; without it, the list is shown.")
    ] = None,
    decision: Annotated[str | None, typer.Option(help="approved, edited or rejected.")] = None,
    person: Annotated[str | None, typer.Option(help="Who decides, by name.")] = None,
    pictures: Annotated[bool, typer.Option("--pictures", help="Draw slices of --structure, or of all.")] = False,
    looked_at: Annotated[
        bool | None,
        typer.Option("--looked-at/--not-looked-at", help="Whether you looked at the pictures; asked for if left out."),
    ] = None,
) -> None:
    """Shows what was suggested and decided; records a named person's decision on a structure."""
    from navigation.commands.review import ReviewRequest, review

    request = ReviewRequest(
        case=case, structure=structure, decision=decision, person=person, pictures=pictures, looked_at=looked_at
    )
    ask = typer.confirm if sys.stdin.isatty() else None
    with reporting(live=False, case=case) as (console, _):
        review(request, _now(), console, ask)


LandmarkKindOption = Annotated[
    Literal["bone", "skin_marker", "bare_skin"] | None,
    typer.Option(help="What landmarks are, where the plan does not say it; on the skin, bare_skin by default."),
]
AcceptIfOption = Annotated[
    Literal["accept", "check"] | None,
    typer.Option(help="Recorded: put it in force if the verdict is this; 'check' means that you consent to it."),
]


@app.command("register", rich_help_panel=OPERATING)
def register_command(
    case: Annotated[Path, typer.Argument(help="Case folder.")],
    person: Annotated[str, typer.Option(help="Who registers and decides, by name.")],
    surface: Annotated[str | None, typer.Option(help="Approved surface that is swept; the skin by default.")] = None,
    landmarks: Annotated[
        Path | None, typer.Option(help="Planned landmarks in the CT: .mrk.json or JSON; the case's own by default.")
    ] = None,
    targets: Annotated[Path | None, typer.Option(help="Planned targets; the case's own by default.")] = None,
    touched: Annotated[Path | None, typer.Option(help="Recorded: JSON of touched landmarks in 'reference'.")] = None,
    sweep: Annotated[Path | None, typer.Option(help="Recorded: CSV or PLY of swept points in 'reference'.")] = None,
    landmark_kind: LandmarkKindOption = None,
    tracker: Annotated[str | None, typer.Option(help="Live: the tracker; 'simulated' rehearses it.")] = None,
    seed: Annotated[int, typer.Option(help="Decides the simulated tracker's pose, noise and hand.")] = 1,
    accept_if: AcceptIfOption = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the numbers here.")] = None,
) -> None:
    """CT to patient, live or from recorded points. Exit code 0; 3 if refused or nothing is in force; 1 on errors."""
    from navigation.commands.register.command import RegisterRequest, run_register
    from navigation.commands.register.keyboard import open_keys

    request = RegisterRequest(
        case=case,
        person=person,
        surface=surface,
        landmarks=landmarks,
        targets=targets,
        touched=touched,
        sweep=sweep,
        landmark_kind=landmark_kind,
        tracker=tracker,
        seed=seed,
        accept_if=accept_if,
        json_file=json_file,
    )
    with reporting(live=False, case=case, json_file=json_file) as (console, _):
        registered = run_register(request, _now, console, open_keys)
    if not registered:
        raise typer.Exit(3)


@app.command("serve", rich_help_panel=OPERATE)
def serve_command(
    case: Annotated[Path, typer.Argument(help="Case folder: what is approved and in force in it is streamed.")],
    tracker: Annotated[str, typer.Option(help="The tracker; 'simulated' rehearses.")],
    seed: Annotated[int, typer.Option(help="Decides the simulated room; as in 'surgnav register'.")] = 1,
    bind: Annotated[
        str, typer.Option(help="Address to bind; '*' for all. Other than loopback: with keys.")
    ] = "127.0.0.1",
    ports: Annotated[tuple[int, int, int], typer.Option(help="Poses, surfaces, control; 0: a free one.")] = (
        5570,
        5571,
        5572,
    ),
    keys: Annotated[Path | None, typer.Option(help="Folder of the server's keys ('surgnav keys').")] = None,
    decider: Annotated[list[str] | None, typer.Option(help="Who may decide from a headset, by name.")] = None,
    research: Annotated[bool, typer.Option("--research", help="Offer suggested surfaces too, and say so.")] = False,
) -> None:
    """Streams a case to headsets until Ctrl-C."""
    from navigation.terminal.patience import saying
    from navigation.terminal.stopping import stop_requested

    with reporting(live=False, case=case) as (console, _), stop_requested() as should_stop:
        with saying(console.print, "loading the program"):  # on a busy machine half a minute
            from navigation.commands.serve import ServeRequest, serve
        request = ServeRequest(
            case=case,
            tracker=tracker,
            seed=seed,
            bind=bind,
            ports=ports,
            keys=keys,
            deciders=frozenset(decider or ()),
            research=research,
        )
        serve(request, console, should_stop)


@app.command("demo", rich_help_panel=OPERATE)
def demo_command(
    ct: Annotated[Path | None, typer.Option(help="Your own CT: DICOM folder or NIfTI file.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Use the procedural phantom; no download.")] = False,
    seed: Annotated[int, typer.Option(help="Decides pose, noise and the surgeon's hand.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for case and pictures.")] = Path("out/demo"),
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the numbers here.")] = None,
    stream_s: Annotated[float, typer.Option(help="Seconds of streaming.")] = 20.0,
    client: Annotated[str, typer.Option(help="The headset: python, csharp (.NET 8) or csharp-mono.")] = "python",
) -> None:
    """The whole path on a simulated patient: CT, surfaces, registration, stream to a client, scored."""
    from navigation.clock import MonotonicClock
    from navigation.demo.headset_program import Headset
    from navigation.demo.pictures import draw_album
    from navigation.demo.report import as_json, check_ages, render
    from navigation.demo.run import DemoSettings, run_demo

    if client not in set(Headset):
        raise typer.BadParameter(f"'{client}': one of {', '.join(Headset)}", param_hint="--client")
    settings = DemoSettings(out=out, ct=ct, offline=offline, seed=seed, stream_s=stream_s, headset=Headset(client))
    with reporting(json_file=json_file) as (console, progress):

        def warn(text: str) -> None:
            console.print(text, style="yellow", markup=False, highlight=False)

        result = run_demo(settings, MonotonicClock(), _now(), progress, warn)
        pictures = draw_album(result, out, warn)
        render(result, [str(path) for path in pictures], console)
        if json_file is not None:
            write_json_file(json_file, as_json(result))
        check_ages(result)


@app.command("train", rich_help_panel=DEVELOP)
def train_command(
    config: Annotated[Path, typer.Argument(help="TOML that describes data and training.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and the exported network.")] = Path("out/train"),
    data: Annotated[
        Path | None, typer.Option(help="Folder that the TOML's paths lie under; by default its own.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")] = False,
) -> None:
    """Trains a U-Net on labelled CT, or on images with masks; the TOML says which."""
    from reconstruction.training.train import run_training

    with reporting() as (console, progress):

        def show(iteration: int, iterations: int, loss: float) -> None:
            progress(f"iteration {iteration} of {iterations}, loss {loss:.4f}", iteration / iterations)

        trained = run_training(config, out, resume=resume, progress=show, data=data)
        console.print(trained)


@app.command("evaluate", rich_help_panel=DEVELOP)
def evaluate_command(
    ct: Annotated[Path, typer.Argument(help="DICOM folder of the CT.")],
    masks: Annotated[
        Path, typer.Argument(help="Folder of DICOM mask series, one folder a mask, named as 3D-IRCADb's.")
    ],
) -> None:
    """Dice and surface distance of the shipped network against masks by experts."""
    from reconstruction.training.evaluate import evaluate_dicom_masks

    with reporting() as (console, progress):
        result = evaluate_dicom_masks(ct, masks, progress=lambda share: progress("segment", 0.99 * share))
        console.print(result.table(), highlight=False)


@app.command("doctor", rich_help_panel=DEVELOP)
def doctor_command(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the findings here.")] = None,
) -> None:
    """Says what this machine has and can do: versions, GPU, engines, ports, disk, clock, rendering."""
    from navigation.doctor import examine, render

    with reporting(json_file=json_file) as (console, _):
        report = examine()
        render(report, console)
        if json_file is not None:
            write_json_file(json_file, report.to_json())


keys_app = typer.Typer(help="Keys of the wire: who may connect from outside this machine.", no_args_is_help=True)
app.add_typer(keys_app, name="keys", rich_help_panel=DEVELOP)
app.add_typer(engine_app, name="engine", rich_help_panel=DEVELOP)
KeyFolder = Annotated[
    Path | None, typer.Option("--folder", help="Where keys live; surgnav/keys in XDG_CONFIG_HOME by default.")
]


@keys_app.command("new")
def keys_new_command(folder: KeyFolder = None) -> None:
    """Makes the server's key pair; never overwrites one."""
    from navigation.commands.keys import key_folder, new_keys

    with reporting(live=False) as (console, _):
        new_keys(folder or key_folder(), console)


@keys_app.command("enroll")
def keys_enroll_command(
    name: Annotated[str, typer.Argument(help="The client's name: letters, digits, '_', '.', '-'.")],
    host: Annotated[list[str], typer.Option(help="Address of this server as the client sees it; may be repeated.")],
    poses: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the pose socket.")] = 5570,
    surfaces: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the surface socket.")] = 5571,
    control: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the control socket.")] = 5572,
    public_key: Annotated[
        str | None, typer.Option("--public-key", help="The client's own key, 40 characters of Z85; else one is made.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="The key is refused after so many days.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the enrolment text here too (mode 0600).")] = None,
    png: Annotated[Path | None, typer.Option(help="Write the QR code here too (mode 0600).")] = None,
    folder: KeyFolder = None,
) -> None:
    """Allows a client in, and shows what it needs as a QR code."""
    from navigation.commands.keys import Address, enroll, key_folder

    address = Address(hosts=tuple(host), poses=poses, surfaces=surfaces, control=control)
    with reporting(live=False) as (console, _):
        enroll(folder or key_folder(), name, address, console, public_key, days, out, png)


@keys_app.command("list")
def keys_list_command(folder: KeyFolder = None) -> None:
    """Shows who may connect, and who may not any more."""
    from navigation.commands.keys import key_folder, list_clients

    with reporting(live=False) as (console, _):
        list_clients(folder or key_folder(), console)


@keys_app.command("revoke")
def keys_revoke_command(
    name: Annotated[str, typer.Argument(help="The client's name.")], folder: KeyFolder = None
) -> None:
    """Takes a client's right away for good; a running server puts it out at once."""
    from navigation.commands.keys import key_folder, revoke

    with reporting(live=False) as (console, _):
        revoke(folder or key_folder(), name, console)


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
