"""The demo's result on one screen and as JSON, from the same numbers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from navigation.demo.run import DemoResult
from navigation.demo.shown_ages import MAX_TOO_OLD_SHARE
from navigation.errors import AcquisitionError, ServiceError

DISCLAIMER = "Research software, not a medical device."


def as_json(result: DemoResult) -> dict[str, Any]:
    """The result as plain values for JSON; lengths in mm, volumes in ml, times in s unless the key names the unit."""
    return {
        "seed": result.settings.seed,
        "ct": _ct(result),
        "structures": _structures(result),
        "room": None if result.settings.room is None else result.settings.room.name,
        "registration": _registration(result),
        "stream": _stream(result),
        "seconds": {stage: round(seconds, 3) for stage, seconds in result.seconds.items()},
        "case": str(result.case_path),
    }


def _ct(result: DemoResult) -> dict[str, Any]:
    scan, segmentation = result.reconstruction.scan, result.reconstruction.segmentation
    return {
        "source": result.subject.description,
        "format": scan.source,
        "attribution": result.subject.attribution,
        "verdict": scan.verdict.level,
        "reasons": list(scan.verdict.reasons),
        "seen_in_training": segmentation.seen_in_training,
        "engine": segmentation.engine,
    }


def _structures(result: DemoResult) -> dict[str, Any]:
    return {
        name: {
            "volume_ml": round(extracted.surface.volume_ml, 1),
            "triangles": len(extracted.surface.triangles),
            "watertight": extracted.watertight,
            "cut_off_at": list(extracted.open_at_border),
        }
        for name, extracted in result.reconstruction.surfaces.items()
    }


def _registration(result: DemoResult) -> dict[str, Any]:
    surgery, verdict, truth = result.surgery, result.verdict, result.truth
    if surgery is None or verdict is None:
        return {"verdict": {"level": None, "reasons": [result.failure]}}
    expected = zip(surgery.expected.rms_mm, surgery.expected.p95_mm, strict=True)
    by_surface = surgery.by_surface
    return {
        "fre_rms_mm": surgery.by_landmarks.fre_rms_mm,
        "tre_mm": {
            name: {
                "true": None if truth is None else truth.tre_mm[name],
                "expected": float(rms_mm),
                "expected_p95": float(p95_mm),
                "true_landmarks_only": None if truth is None else truth.tre_landmarks_mm[name],
            }
            for name, (rms_mm, p95_mm) in zip(surgery.targets_ct, expected, strict=True)
        },
        "surface_residual_rms_mm": by_surface.residual_rms_mm,
        "surface_residual_p95_mm": by_surface.residual_p95_mm,
        "surface_points": len(by_surface.residuals_mm),
        "converged": by_surface.converged,
        "reason": by_surface.reason,
        "verdict": {"level": verdict.level, "reasons": list(verdict.reasons)},
        "stylus_tip_mm": {
            "true_error": None if truth is None else truth.tip_error_mm,
            "expected_error": surgery.pivot.expected_tip_error_rms_mm,
            "pivot_residual_rms": surgery.pivot.residual_rms_mm,
        },
    }


def _stream(result: DemoResult) -> dict[str, Any]:
    stream = result.stream
    p50, p99, p999 = np.percentile(stream.latency_ms, [50.0, 99.0, 99.9])
    return {
        "client": str(result.settings.headset),
        "rate_hz": stream.rate_hz,
        "batches_per_s": stream.batches_per_s,
        "valid_age_ms": dict(stream.ages.valid_age_ms),
        "valid_too_old": stream.ages.valid_too_old,
        "valid_share": dict(stream.ages.valid_share),
        "too_old_share": stream.ages.too_old_share,
        "too_old": stream.ages.too_old,
        "frames_dropped": stream.frames_dropped,
        "latency_ms": {
            "p50": float(p50),
            "p99": float(p99),
            "p999": float(p999),
            "max_while_joining": stream.joining_latency_max_ms,
        },
        "batches": stream.batches,
        "poses_lost": stream.poses_lost,
        "poses_checked": stream.poses_checked,
        "poses_wrong": stream.poses_wrong,
        "truth_error_rms_mm": stream.truth_error_rms_mm,
        "motion": None if stream.motion is None else asdict(stream.motion),
        "hidden_share": dict(stream.hidden),
        "surfaces_identical": stream.surfaces_identical,
        "surface_error_max_mm": stream.surface_error_max_mm,
        "surface_bytes": stream.surface_bytes,
        "surface_seconds": stream.surface_seconds,
        "scenario": [finding.as_json() for finding in stream.findings],
    }


def check_ages(result: DemoResult) -> None:
    """Checks that poses were young enough to be shown; otherwise the demo fails, whatever else went well.

    Raises:
        ServiceError: poses were too old to be shown, or none was ever valid.
    """
    if result.stream.ages.too_old:
        raise ServiceError(
            result.stream.ages.too_old,
            f"valid poses within their age limit, and poses too old for at most {MAX_TOO_OLD_SHARE:.0%} of the time",
            "end other programs on this machine, or give the pose process priority (docs/navigation/README.md, Age)",
        )


def check_registered(result: DemoResult) -> None:
    """Checks that a registration is in force; otherwise the demo fails: the patient was not shown.

    Raises:
        AcquisitionError: the devices of the room saw no surgery, or its registration was refused.
    """
    if result.failure:
        raise AcquisitionError(
            "a demo in which nothing was registered",
            "the steps of the surgery, seen by the room",
            "see the reason above",
        )
    if result.operation is not None and result.operation.accepted is None:
        raise AcquisitionError(
            f"a demo whose registration was refused: {'; '.join(result.operation.verdict.reasons)}",
            "a registration that is accepted",
            "measure again, closer to the camera; with another --seed in the simulated room",
        )


def render(result: DemoResult, pictures: list[str], console: Console) -> None:
    """Prints the result on one screen."""
    data = as_json(result)
    screen = Group(
        _ct_text(data["ct"]),
        _structures_table(data["structures"], result),
        *([] if result.surgery is None else [_tre_table(data["registration"])]),
        _verdict_text(data["registration"]["verdict"]),
        _stream_text(data["stream"]),
        *([_scenario_table(data["stream"]["scenario"])] if result.stream.findings else []),
        _closing_text(data, pictures),
    )
    console.print(Panel(screen, title="SurgNav demo", subtitle=DISCLAIMER))


def _ct_text(ct: dict[str, Any]) -> str:
    colour = "green" if ct["verdict"] == "good" else "yellow"
    reasons = f" ({escape('; '.join(ct['reasons']))})" if ct["reasons"] else ""
    seen = "\n[yellow]The network saw this scan in training: its result says nothing about other patients.[/]"
    attribution = f"\n{ct['attribution']}" if ct["attribution"] else ""
    return (
        f"[bold]CT[/] {escape(ct['source'])}: {escape(ct['format'])}, quality [{colour}]{ct['verdict']}[/]{reasons}"
        f"{attribution}{seen if ct['seen_in_training'] else ''}"
    )


def _structures_table(structures: dict[str, Any], result: DemoResult) -> Table:
    table = Table("structure", "ml", "triangles", "watertight", "cut off by the scan", title="Surfaces", expand=True)
    for name, row in structures.items():
        table.add_row(
            name,
            f"{row['volume_ml']:.0f}",
            f"{row['triangles']:,}",
            "yes" if row["watertight"] else "[red]no[/]",
            "yes" if row["cut_off_at"] else "no",
        )
    for name, reason in result.reconstruction.absent.items():
        table.add_row(name, "-", "-", "-", f"absent: {escape(reason)}")
    return table


def _tre_table(registration: dict[str, Any]) -> Table:
    tip = registration["stylus_tip_mm"]
    title = (
        f"Registration: FRE {registration['fre_rms_mm']:.2f} mm (no measure of accuracy), surface residual "
        f"{registration['surface_residual_rms_mm']:.2f} mm RMS, stylus tip true error {_mm(tip['true_error'])}"
    )
    table = Table("target", "expected TRE", "95 % below", "true TRE", "true, landmarks only", title=title, expand=True)
    for name, row in registration["tre_mm"].items():
        inside = "green" if row["true"] is None or row["true"] <= row["expected_p95"] else "yellow"
        table.add_row(
            name,
            f"{row['expected']:.2f} mm",
            f"{row['expected_p95']:.2f} mm",
            f"[{inside}]{_mm(row['true'])}[/]",
            _mm(row["true_landmarks_only"]),
        )
    return table


def _mm(length: float | None) -> str:
    return "not known" if length is None else f"{length:.2f} mm"


def _verdict_text(verdict: dict[str, Any]) -> str:
    colour = {"accept": "green", "check": "yellow"}.get(verdict["level"], "red")
    reasons = f": {escape('; '.join(verdict['reasons']))}" if verdict["reasons"] else ""
    return f"[bold]Verdict[/] [{colour}]{verdict['level'] or 'nothing registered'}[/]{reasons}"


def _stream_text(stream: dict[str, Any]) -> str:
    latency = stream["latency_ms"]
    wrong = "green" if not stream["poses_wrong"] and not stream["poses_lost"] else "red"
    same = "[green]identical[/]" if stream["surfaces_identical"] else "[red]NOT identical[/]"
    return (
        f"[bold]Stream[/] {stream['rate_hz']:.1f} Hz, {stream['batches']} batches, "
        f"[{wrong}]{stream['poses_lost']} lost, {stream['poses_wrong']} of {stream['poses_checked']} poses wrong[/]; "
        f"latency p50 {latency['p50']:.2f}, p99 {latency['p99']:.2f}, p99.9 {latency['p999']:.2f} ms "
        f"(while the client joined: up to {latency['max_while_joining']:.0f} ms)\n"
        f"{_ages_text(stream)}\n{_motion_text(stream['motion'])}"
        f"[bold]Surfaces at the client[/] {same} within {stream['surface_error_max_mm']:.4f} mm, "
        f"{stream['surface_bytes'] / 1e6:.2f} MB in {stream['surface_seconds'] * 1e3:.0f} ms"
    )


def _motion_text(motion: dict[str, float] | None) -> str:
    if motion is None:
        return ""
    return (
        f"[bold]Moving tip[/] at {motion['speed_mm_s']:.0f} mm/s, seen {motion['delay_ms']:.0f} ms after exposure: "
        f"{motion['last_seen_rms_mm']:.2f} mm off as last seen, {motion['predicted_rms_mm']:.2f} mm as predicted\n"
    )


def _scenario_table(findings: list[dict[str, Any]]) -> Table:
    """What the client was shown of the stylus on the patient while each event was on, beside the truth."""
    title = "Scenario: noticed or not, by what the client was shown of the stylus on the patient, against the truth"
    table = Table("event", "s", "what ought to be noticed", "what became of it", title=title, expand=True)
    for row in findings:
        colour = "red" if row["misleading_share"] else "green"
        end = "" if row["to_s"] is None else f"{row['to_s']:g}"
        table.add_row(
            row["kind"].replace("_", " "),
            f"{row['from_s']:g} to {end or 'the end'}",
            row["expected"] or "nothing: relations stay as they are",
            f"[{colour}]{escape(row['statement'])}[/]",
        )
    return table


def _ages_text(stream: dict[str, Any]) -> str:
    """The age of the poses that the client showed as valid, by its own clock, in words."""
    ages, shares = stream["valid_age_ms"], stream["valid_share"]
    colour = "red" if stream["too_old"] else "green"
    old = "none was shown as valid"
    if ages["max"] is not None:
        old = f"p50 {ages['p50']:.1f}, p99 {ages['p99']:.1f}, at most {ages['max']:.1f} ms"
    most, least = (choose(shares, key=shares.__getitem__) for choose in (max, min))
    return (
        f"[bold]Age when shown as valid[/] [{colour}]{old}[/]; valid for {100 * shares[most]:.0f} % of the time "
        f"({most}) to {100 * shares[least]:.0f} % ({least}), "
        f"[{colour}]too old for {100 * stream['too_old_share']:.1f} %[/]; {stream['frames_dropped']} frames dropped"
    )


def _closing_text(data: dict[str, Any], pictures: list[str]) -> str:
    seconds = ", ".join(f"{stage} {value:.1f}" for stage, value in data["seconds"].items())
    lines = [f"[bold]Seconds[/] {seconds}; in all {sum(data['seconds'].values()):.0f}", f"[bold]Case[/] {data['case']}"]
    return "\n".join([*lines, f"[bold]Pictures[/] {', '.join(pictures)}"] if pictures else lines)
