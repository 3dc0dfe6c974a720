"""The commands ``surgnav calibrate ...``; each is in a module of its name, with its options."""

from __future__ import annotations

import typer

from navigation.commands.calibrate.camera import camera_command
from navigation.commands.calibrate.check import check_command
from navigation.commands.calibrate.hand_eye.command import hand_eye_command
from navigation.commands.calibrate.headset.command import headset_command
from navigation.commands.calibrate.list import list_command
from navigation.commands.calibrate.probe.command import probe_command
from navigation.commands.calibrate.probe.time import probe_time_command
from navigation.commands.calibrate.tool.geometry import geometry_command
from navigation.commands.calibrate.tool.pivot import pivot_command
from navigation.commands.calibrate.tool.spin import spin_command
from navigation.commands.calibrate.tool.template import template_command

calibrate_app = typer.Typer(
    help="Instruments and their errors: live at your devices, or from recordings.", no_args_is_help=True
)
calibrate_app.command("camera")(camera_command)
calibrate_app.command("check")(check_command)
calibrate_app.command("list")(list_command)
calibrate_app.command("pivot")(pivot_command)
calibrate_app.command("hand-eye")(hand_eye_command)
calibrate_app.command("headset")(headset_command)
calibrate_app.command("spin")(spin_command)
calibrate_app.command("geometry")(geometry_command)
calibrate_app.command("template")(template_command)
calibrate_app.command("probe")(probe_command)
calibrate_app.command("probe-time")(probe_time_command)
