"""A CT to surfaces in a case, by the network or from somebody's labels, shown on the screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rich.console import Console

from navigation.clock import MonotonicClock
from navigation.commands.models.folders import open_registry, own_network
from navigation.commands.reconstruct.command import ReconstructRequest
from navigation.commands.reconstruct.labels_screen import render_label_reconstruction
from navigation.commands.reconstruct.numbers import by_network_as_json, from_labels_as_json
from navigation.commands.reconstruct.screen import render_reconstruction
from reconstruction.guests.errors import ModelError
from reconstruction.guests.kinds import open_guest
from reconstruction.network.weights import load_weights
from reconstruction.pipeline import (
    LabelReconstruction,
    reconstruct,
    reconstruct_from_labels,
    reconstruct_with_guest,
)


def reconstruct_and_render(
    request: ReconstructRequest, time: str, progress: Callable[[str, float], None], console: Console
) -> dict[str, Any]:
    """Makes the case, prints what is in it, and returns it as plain JSON values.

    Args:
        time: ISO 8601 with a time zone.
    """
    weights = None if request.model is None else own_network(request.model)
    if request.labels is not None or (request.model is not None and weights is None):
        if request.also:
            given = request.model or "given labels"
            raise ModelError(f"--also {request.also[0]} with {given}", "networks of our own format", "leave it out")
        taken = _from_others(request, time, progress)
        render_label_reconstruction(taken, request.case, console)
        return from_labels_as_json(taken, request.case)
    if request.also:
        weights = (weights or load_weights()).offering(request.also)
    made = reconstruct(
        request.ct,
        request.case,
        name=request.name,
        time=time,
        clock=MonotonicClock(),
        settings=replace(request.settings(), weights=weights),
        progress=progress,
    )
    render_reconstruction(made, request.case, console)
    return by_network_as_json(made, request.case)


def _from_others(request: ReconstructRequest, time: str, progress: Callable[[str, float], None]) -> LabelReconstruction:
    """From somebody's segmentation, or somebody's network."""
    clock, settings, name = MonotonicClock(), request.settings(), request.name
    if request.labels is None:
        guest = open_guest(open_registry().card(str(request.model)))
        return reconstruct_with_guest(
            request.ct, request.case, guest, name=name, time=time, clock=clock, settings=settings, progress=progress
        )
    return reconstruct_from_labels(
        request.ct,
        request.labels,
        request.case,
        name=name,
        time=time,
        clock=clock,
        names_csv=request.label_names,
        on_ct_grid=request.labels_on_ct_grid,
        settings=settings,
        progress=progress,
    )
