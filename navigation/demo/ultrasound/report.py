"""The result of the ultrasound demo on one screen and as JSON, from the same numbers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from navigation.demo.report import DISCLAIMER
from navigation.demo.ultrasound.contours import ContourErrors
from navigation.demo.ultrasound.distances import STRUCTURE, DistanceCheck
from navigation.demo.ultrasound.growing import GrownSurface
from navigation.demo.ultrasound.registering import KNOCK_DEG, KNOCK_MM, Registered
from navigation.demo.ultrasound.run import UltrasoundDemoResult
from navigation.errors import AcquisitionError


def as_json(result: UltrasoundDemoResult) -> dict[str, Any]:
    """The result as plain values for JSON; lengths in mm, times in s unless the key names the unit."""
    probe, live = result.probe, result.live
    found = sum(bool(frame.placed.result.contours) for frame in result.frames)
    p50, p99 = np.percentile(live.latency_ms, [50.0, 99.0])
    return {
        "seed": result.settings.seed,
        "ct": result.description,
        "probe": {
            "expected_error_rms_mm": None if (said := probe.spatial.expected_error) is None else said.value,
            "lag_ms": 1e3 * probe.lag_s,
            "lag_sd_ms": None if probe.lag_sd_s is None else 1e3 * probe.lag_sd_s,
        },
        "knock": {"mm": KNOCK_MM, "deg": KNOCK_DEG},
        "before": _registered(result.before),
        "after": _registered(result.after),
        "sweep": {
            "frames": len(result.frames),
            "with_bone": found,
            "contours_before": _contours(result.contours_before),
            "contours_after": _contours(result.contours_after),
        },
        "live": {
            "frames": live.frames,
            "rate_hz": live.rate_hz,
            "latency_ms": {"p50": float(p50), "p99": float(p99)},
            "placed_share": live.placed,
            "image_mean_mm": float(np.mean(live.image_mm)) if len(live.image_mm) else None,
            "within_p95_share": live.within,
            "contours_before": _contours(live.before),
            "contours_after": _contours(live.after),
            "reasons": list(live.reasons),
            "to_structure": _distances(live.to_structure),
            "sweep": _grown(live.grown),
        },
        "seconds": {stage: round(seconds, 3) for stage, seconds in result.seconds.items()},
        "case": str(result.case_path),
    }


def _registered(registered: Registered) -> dict[str, Any]:
    return {
        "verdict": {"level": registered.verdict.level, "reasons": list(registered.verdict.reasons)},
        "tre_mm": {
            name: {"true": true_mm, "expected_p95": registered.expected_p95_mm[name]}
            for name, true_mm in registered.true_mm.items()
        },
    }


def _distances(found: DistanceCheck | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "frames": len(found.shown_mm),
        "shown_mean_mm": float(found.shown_mm.mean()),
        "true_mean_mm": float(found.true_mm.mean()),
        "off_mean_mm": found.off_mm,
        "within_p95_share": found.within,
    }


def _grown(grown: GrownSurface) -> dict[str, Any]:
    """The surface of the sweep at the headset: when each came, how much of the true bone it shows, and how far off."""
    rows = zip(grown.since_s.tolist(), grown.surfaces_ct, strict=True)
    return {
        "approval": list(grown.approvals),
        "surfaces": [
            {
                "since_s": round(since_s, 2),
                "triangles": len(surface.triangles),
                "bone_covered": grown.covered(surface),
                "median_mm": grown.off_mm(surface),
            }
            for since_s, surface in rows
        ],
    }


def _contours(errors: ContourErrors | None) -> dict[str, Any] | None:
    return None if errors is None else asdict(errors)


def check_shown(result: UltrasoundDemoResult) -> None:
    """Checks that the headset was given bone where it is; otherwise the demo fails, whatever else went well.

    Raises:
        AcquisitionError: no contours in the patient came, or the renewal made nothing better.
    """
    before, after = result.before.true_mm, result.after.true_mm
    if result.live.after is None or max(after.values()) >= max(before.values()):
        raise AcquisitionError(
            f"contours of {result.live.frames} frames at the headset, an error of {max(after.values()):.1f} mm after "
            f"the renewal and {max(before.values()):.1f} mm before",
            "contours in the patient, and a renewal that makes it smaller",
            "see the reasons above, or end other programs on this machine",
        )


def render(result: UltrasoundDemoResult, pictures: list[str], console: Console) -> None:
    """Prints the result on one screen."""
    data = as_json(result)
    screen = Group(
        _probe_text(data),
        _tre_table(data),
        _verdict_text(data["after"]["verdict"]),
        _contour_table(data),
        _live_text(data["live"]),
        _closing_text(data, pictures),
    )
    console.print(Panel(screen, title="SurgNav demo with ultrasound", subtitle=DISCLAIMER))


def _probe_text(data: dict[str, Any]) -> str:
    probe, knock = data["probe"], data["knock"]
    return (
        f"[bold]Patient[/] {escape(data['ct'])}, lying on the belly\n"
        f"[bold]Probe[/] calibrated in the room to {probe['expected_error_rms_mm']:.2f} mm RMS in the middle of its "
        f"image, lag {probe['lag_ms']:.1f} ms (± {probe['lag_sd_ms']:.1f} ms)\n"
        f"[bold]Then[/] somebody knocks against the reference: by {knock['mm']:g} mm and {knock['deg']:g} degrees"
    )


def _tre_table(data: dict[str, Any]) -> Table:
    swept = data["sweep"]
    title = f"Registration renewed by a sweep: bone in {swept['with_bone']} of {swept['frames']} images"
    table = Table("target", "true TRE after the knock", "renewed: 95 % below", "true TRE", title=title, expand=True)
    for name, row in data["after"]["tre_mm"].items():
        colour = "green" if row["true"] <= row["expected_p95"] else "yellow"
        before_mm = data["before"]["tre_mm"][name]["true"]
        table.add_row(
            name, f"{before_mm:.2f} mm", f"{row['expected_p95']:.2f} mm", f"[{colour}]{row['true']:.2f} mm[/]"
        )
    return table


def _verdict_text(verdict: dict[str, Any]) -> str:
    reasons = f": {escape('; '.join(verdict['reasons']))}" if verdict["reasons"] else ""
    return (
        f"[bold]Proposed[/] with the verdict [yellow]{verdict['level']}[/]{reasons}. Accepted by the simulated surgeon."
    )


def _contour_table(data: dict[str, Any]) -> Table:
    title = "Contours of bone against the true bone, in the patient"
    table = Table("", "points", "median", "95 % below", "on no bone", title=title, expand=True)
    rows = {
        "sweep, old registration": data["sweep"]["contours_before"],
        "sweep, renewed": data["sweep"]["contours_after"],
        "headset, old registration": data["live"]["contours_before"],
        "headset, renewed": data["live"]["contours_after"],
    }
    for name, row in rows.items():
        numbers = ("-", "-", "-", "-")
        if row is not None:
            numbers = (
                f"{row['points']:,}",
                f"{row['median_mm']:.2f} mm",
                f"{row['p95_mm']:.2f} mm",
                f"{row['not_bone']:.0%}",
            )
        table.add_row(name, *numbers)
    return table


def _live_text(live: dict[str, Any]) -> str:
    mean = "not known" if live["image_mean_mm"] is None else f"{live['image_mean_mm']:.2f} mm"
    reasons = f" (else: {escape('; '.join(live['reasons'][:2]))})" if live["reasons"] else ""
    return (
        f"[bold]Live[/] {live['frames']} images decoded at the headset, {live['rate_hz']:.1f} a second, "
        f"{live['latency_ms']['p50']:.0f} ms (p99 {live['latency_ms']['p99']:.0f} ms) after the sensor's stamp; "
        f"{live['placed_share']:.0%} placed in the patient{reasons}\n"
        f"[bold]Images[/] {mean} off in the mean after the renewal; {live['within_p95_share']:.0%} wholly within their "
        f"expected 95 %\n{_distance_text(live['to_structure'])}\n{_sweep_text(live['sweep']['surfaces'])}"
    )


def _distance_text(found: dict[str, Any] | None) -> str:
    if found is None:
        return f"[bold]Distance[/] of bone from the planned {STRUCTURE}: never within reach"
    return (
        f"[bold]Distance[/] of bone from the planned {STRUCTURE}, {found['frames']} images after the renewal: shown "
        f"{found['shown_mean_mm']:.1f} mm in the mean, truly {found['true_mean_mm']:.1f} mm; off by "
        f"{found['off_mean_mm']:.2f} mm, {found['within_p95_share']:.0%} within their stated 95 %"
    )


def _sweep_text(surfaces: list[dict[str, Any]]) -> str:
    if not surfaces:
        return "[bold]Sweep[/] no surface of it came"
    first, last = surfaces[0], surfaces[-1]
    return (
        f"[bold]Sweep[/] its surface came {len(surfaces)} times, not approved: from {first['bone_covered']:.0%} to "
        f"{last['bone_covered']:.0%} of the bone that beams met, {last['median_mm']:.2f} mm off (median)"
    )


def _closing_text(data: dict[str, Any], pictures: list[str]) -> str:
    seconds = ", ".join(f"{stage} {value:.1f}" for stage, value in data["seconds"].items())
    return (
        f"[bold]Seconds[/] {seconds}; in all {sum(data['seconds'].values()):.0f}\n[bold]Case[/] {data['case']}\n"
        f"[bold]Pictures[/] {', '.join(pictures)}"
    )
