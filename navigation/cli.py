"""The command line: ``surgnav``. It registers the commands, in the order of a real case; each is in `commands`.

Command modules hold options and nothing heavy: the packages that do the work load only when a command runs.
"""

from __future__ import annotations

import os

import typer

from navigation.commands.accuracy.command import accuracy_command
from navigation.commands.calibrate.command import calibrate_app
from navigation.commands.case.command import case_app
from navigation.commands.demo import demo_command
from navigation.commands.doctor.command import doctor_command
from navigation.commands.engine import engine_app
from navigation.commands.inspect.command import inspect_command
from navigation.commands.keys.command import keys_app
from navigation.commands.markers.command import markers_command
from navigation.commands.models.command import models_app
from navigation.commands.networks import evaluate_command, train_command
from navigation.commands.plan.command import plan_command
from navigation.commands.reconstruct.command import reconstruct_command
from navigation.commands.recordings.command import export_command, replay_command
from navigation.commands.register.command import register_command
from navigation.commands.review.command import review_command
from navigation.commands.room.command import room_app
from navigation.commands.serve.command import serve_command
from navigation.commands.ultrasound.command import ultrasound_app

PREPARE, OPERATING = "Before the operation", "At the patient"
AFTERWARDS, TRY, DEVELOP = "After the operation", "Try the whole path", "Networks and machines"

app = typer.Typer(
    name="surgnav",
    help="AR surgical navigation: CT to surfaces, registration, live poses to a headset. "
    "Research software, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("inspect", rich_help_panel=PREPARE)(inspect_command)
app.command("reconstruct", rich_help_panel=PREPARE)(reconstruct_command)
app.command("markers", rich_help_panel=PREPARE)(markers_command)
app.command("review", rich_help_panel=PREPARE)(review_command)
app.command("plan", rich_help_panel=PREPARE)(plan_command)
app.command("register", rich_help_panel=OPERATING)(register_command)
app.command("accuracy", rich_help_panel=OPERATING)(accuracy_command)
app.command("serve", rich_help_panel=OPERATING)(serve_command)
app.command("replay", rich_help_panel=AFTERWARDS)(replay_command)
app.command("export", rich_help_panel=AFTERWARDS)(export_command)
app.command("demo", rich_help_panel=TRY)(demo_command)
app.command("train", rich_help_panel=DEVELOP)(train_command)
app.command("evaluate", rich_help_panel=DEVELOP)(evaluate_command)
app.command("doctor", rich_help_panel=DEVELOP)(doctor_command)
app.add_typer(case_app, name="case", rich_help_panel=AFTERWARDS)
app.add_typer(room_app, name="room", rich_help_panel=OPERATING)
app.add_typer(calibrate_app, name="calibrate", rich_help_panel=OPERATING)
app.add_typer(ultrasound_app, name="ultrasound", rich_help_panel=OPERATING)
app.add_typer(keys_app, name="keys", rich_help_panel=DEVELOP)
app.add_typer(models_app, name="models", rich_help_panel=DEVELOP)
app.add_typer(engine_app, name="engine", rich_help_panel=DEVELOP)


def main() -> None:
    """Entry point. Spinning OpenMP threads starve everything else on few cores, so they are told to sleep."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    app()
