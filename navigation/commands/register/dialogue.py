"""The live session: one key, one step, and after each what comes next. Nothing is lost by a wrong key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from case.levels import CHECK
from case.manifest import RegistrationStep, Signature
from geometry import SurgNavError
from geometry.points import Floats
from navigation.acquisition.collect import AcquisitionSettings
from navigation.acquisition.stylus import Stylus
from navigation.commands.register.headset import TOUCHED, TouchesAtHeadset
from navigation.commands.register.keyboard import Keys
from navigation.commands.register.resumption import ASSUMED, find_offer, tip_problem
from navigation.commands.register.screens import (
    plain,
    show_attempt,
    show_history,
    show_keys,
    show_session,
    swept_text,
    touch_text,
    verdict_text,
)
from navigation.commands.register.session_file import FOLDER, KeptSession, SessionFile, take_off_torn_line
from registration.errors import RegisteringError
from registration.record.advice import advise
from registration.record.attempt import Attempt
from registration.record.attempts import attempt_ids, keep_attempt, load_attempt, record, verdict_of, verifications
from registration.record.history import history
from registration.record.in_force import in_force, put_in_force
from registration.record.plan import RegistrationPlan
from registration.record.verify import kind_of, on_skin, record_verification, verify_again, verify_planned
from registration.register import register, swept_area_cm2
from registration.uncertainty.mobility import KIND_WORDS
from registration.verdict.verification import Verification, verify_surface

KEYS = {
    "t": "touch: hold the tip still on the landmark that is asked for, then press",
    "s": "skip this landmark; it stays free to verify with",
    "r": "redo a landmark: r, its number, Enter",
    "w": f"sweep: draw the tip over the surface for {AcquisitionSettings.sweep_s:.0f} s; again for another piece",
    "c": "compute the registration; without any landmark, from the sweep alone",
    "v": "verify: v, number of a landmark (a used one tells whether the reference moved; 0: the surface), Enter",
    "a": "accept the registration: it goes into force",
    "u": "undo the last step",
    "n": "new: register again; the old attempts stay in the case",
    "i": "information: the whole registration again",
    "h": "history of all attempts",
    "b": "back to an older attempt: b, its number, Enter",
    "x": "withdraw the registration in force",
    "p": "pivot the stylus again",
    "?": "these keys",
    "q": "quit; every touch and sweep is in the case, and offered again at the next start",
}


class Dialogue:
    """Talks with one person at one patient.

    Args:
        person: who decides; named in everything that is kept.
        now: tells the time, ISO 8601 with a time zone.
        room: what tells this place of the reference from others, such as the seed of a rehearsal.
        headset: landmarks that are touched there; None where the room takes none.
    """

    def __init__(
        self,
        plan: RegistrationPlan,
        stylus: Stylus,
        person: str,
        now: Callable[[], str],
        console: Console,
        keys: Keys,
        room: str = "",
        headset: TouchesAtHeadset | None = None,
    ) -> None:
        self._plan = plan
        self._stylus = stylus
        self._person = person
        self._now = now
        self._console = console
        self._keys = keys
        self._headset = headset
        self._session = KeptSession(plan.landmarks_ct, plan.targets_ct)
        self._rests_on = plan.rests_on(f"{stylus.name} {room}".strip())
        self._begin_file()
        self._steps: dict[str, Callable[[], None]] = {
            "t": self._touch,
            "s": self._skip,
            "r": self._redo,
            "w": self._sweep,
            "c": self._compute,
            "v": self._verify,
            "a": self._accept,
            "u": self._undo,
            "n": self._start_over,
            "i": lambda: self._show(self._current()),
            "h": lambda: show_history(history(plan.case), console),
            "b": self._back,
            "x": self._withdraw,
            "p": self._pivot,
            "?": lambda: show_keys(KEYS, console),
            TOUCHED: self._take_from_headset,
        }

    def run(self) -> bool:
        """Until the person quits, or the keys end. True if a registration is in force then."""
        for doubt in self._plan.doubts.values():
            self._say(f"[yellow]{plain(doubt)}[/]")
        if self._stylus.T_stylus_tip is None:
            self._attempt_step(self._pivot)
        else:
            known_mm = self._stylus.tip_error_rms_mm or 0.0
            self._say(f"The tip is calibrated, to {known_mm:.2f} mm RMS; [bold]p[/] pivots it again.")
            self._keep_pivot()
        if not self._offer_kept():
            return self._close()
        show_session(self._session, self._console)
        while True:
            self._console.print(self._prompt(), highlight=False)
            key = self._keys.next() if self._headset is None else self._headset.next_step()
            if key in (None, "q"):
                break
            step = self._steps.get(key)
            if step is None:
                self._say(f"[yellow]no step for the key {plain(repr(key))}; ? lists them[/]")
            else:
                self._attempt_step(step)
        return self._close()

    def _attempt_step(self, step: Callable[[], None]) -> None:
        """A refusal is said, and the session goes on as it was."""
        try:
            step()
        except SurgNavError as error:
            self._say(f"[red]{plain(error.came)}[/]\n  expected: {plain(error.allowed)}\n  fix: {plain(error.action)}")

    def _prompt(self) -> str:
        session = self._session
        if session.stage == "computed":
            said = "[bold]v[/] verify   [bold]a[/] accept   [bold]w[/] sweep more   [bold]n[/] anew"
        elif session.asked is not None:
            number = list(session.landmarks_ct).index(session.asked) + 1
            where = f"{number} of {len(session.landmarks_ct)}"
            said = f"hold the tip on [bold]{plain(session.asked)}[/] ({where}): [bold]t[/] touch   [bold]s[/] skip"
        elif session.stage == "sweep":
            said = f"draw the tip over the [bold]{plain(self._plan.structure)}[/]: [bold]w[/] sweep"
        else:
            said = "[bold]c[/] compute   [bold]w[/] sweep more"
        return f"> {said}   [bold]u[/] undo   [bold]?[/] keys   [bold]q[/] quit"

    # ----------------------------------------------------------------------------------------------- what was measured

    def _begin_file(self, path: Path | None = None) -> None:
        began = {"person": self._person, **self._rests_on}
        self._session.file = SessionFile(self._plan.case.root / FOLDER, began, self._now, path)

    def _offer_kept(self) -> bool:
        """Asks whether to go on with what an earlier session measured. False if the person leaves instead."""
        offer = find_offer(self._plan.case.root / FOLDER, self._rests_on, self._session, self._now())
        if offer is None:
            return True
        tip, error_mm = self._stylus.T_stylus_tip, self._stylus.tip_error_rms_mm
        problem = offer.problem
        if tip is not None:
            problem = problem or tip_problem(offer.kept, tip.translation_mm, error_mm or 0.0)
        if problem:
            where = f"kept in {offer.kept.path.name}, but cannot be gone on with"
            self._say(f"[yellow]{plain(offer.what)} are {where}: {plain(problem)}[/]")
            return True
        self._say(f"[bold]{plain(offer.what)} are kept: go on with them?[/] [bold]y[/] yes   [bold]n[/] no")
        self._say(f"  {ASSUMED}.")
        while (key := self._keys.next()) not in ("y", "n"):
            if key in (None, "q"):
                return False
            self._say("[yellow]y or n; q leaves, and asks again the next time[/]")
        take_off_torn_line(offer.kept.path)
        self._begin_file(offer.kept.path)
        file = self._session.file
        if key == "y":
            self._session.file = None
            offer.kept.replay(self._session)
            self._session.file = file
            self._keep_beside({"step": "resumed", "person": self._person})
            self._keep_pivot()
        else:
            self._keep_beside({"step": "declined", "person": self._person})
            self._begin_file()
            self._keep_pivot()
        return True

    def _keep_pivot(self) -> None:
        T_stylus_tip, error_mm = self._stylus.T_stylus_tip, self._stylus.tip_error_rms_mm
        if T_stylus_tip is not None:
            tip_mm = T_stylus_tip.translation_mm.tolist()
            self._keep_beside({"step": "pivot", "tip_stylus_mm": tip_mm, "tip_error_rms_mm": error_mm})

    def _keep_beside(self, event: dict[str, Any]) -> None:
        if self._session.file is not None:
            self._session.file.wait(event)

    # ------------------------------------------------------------------------------------------------------ measuring

    def _pivot(self) -> None:
        self._say("Pivot: put the tip into the divot and tilt the stylus about it, to all sides.")
        found = self._stylus.calibrate()
        self._say(
            f"[green]✓[/] tip known to {found.expected_tip_error_rms_mm:.2f} mm RMS "
            f"(residual {found.residual_rms_mm:.2f} mm)"
        )
        self._keep_pivot()

    def _touch(self) -> None:
        name = self._session.asked
        if name is None:
            raise RegisteringError(
                "no landmark left to touch", "one that was not touched", "redo one: r and its number"
            )
        touch = self._stylus.touch(self._session.landmarks_ct[name])
        self._session.touch(name, touch)
        self._say(f"[green]✓[/] {plain(name)}: {touch.n_frames} frames, spread {touch.spread_rms_mm:.2f} mm")

    def _take_from_headset(self) -> None:
        if self._headset is not None:
            self._say(self._headset.keep(self._session))

    def _skip(self) -> None:
        name = self._session.asked
        if name is None:
            raise RegisteringError("no landmark to skip", "one that is asked for", "sweep, or compute")
        self._session.skip(name)
        self._say(f"{plain(name)} is left out: it can verify the registration later")

    def _redo(self) -> None:
        name = self._number(list(self._session.landmarks_ct), "landmark")
        self._session.redo(name)
        show_session(self._session, self._console)

    def _sweep(self) -> None:
        with self._console.status("sweep") as status:

            def watch(points: Floats, hidden: str) -> None:
                text = f"sweep: {len(points):,} points over {swept_area_cm2(points):.0f} cm²"
                status.update(text + (f" [red]{plain(hidden)}[/]" if hidden else ""))

            swept = self._stylus.sweep(watch)
        self._session.sweep(swept.points_reference_mm)
        self._say(f"[green]✓[/] {len(swept.points_reference_mm):,} points, {swept.n_lost} frames lost")
        self._say(swept_text(self._session))

    def _undo(self) -> None:
        undone = self._session.undo()
        if undone.step == "accepted":
            self._withdraw()
        elif undone.step == "computed" and undone.attempt is not None:
            self._record(load_attempt(self._plan.case, undone.attempt), "undone")
        self._say(f"taken back: {plain(undone.done)}")
        show_session(self._session, self._console)

    def _start_over(self) -> None:
        self._session.start_over()
        self._say("A new registration. The old ones stay in the case, and the one in force stays in force.")
        show_session(self._session, self._console)

    # -------------------------------------------------------------------------------------------------------- judging

    def _compute(self) -> None:
        plan, tip_mm = self._plan, self._stylus.tip_error_rms_mm
        measured = self._session.measured()
        measured = replace(measured, tip_error_rms_mm=tip_mm, doubts=plan.doubts, kinds=plan.kinds)
        with self._console.status("computing"):
            outcome = register(measured, plan.surface, plan.assumptions, plan.field)
            stylus = self._stylus
            by = plan.circumstances(self._person, self._now(), stylus.name, tip_mm, measured.start, stylus.instruments)
            attempt = keep_attempt(plan.case, measured, outcome, plan.assumptions, by)
        self._session.computed(attempt.id)
        self._show(attempt)

    def _verify(self) -> None:
        attempt, session, plan = self._current(), self._session, self._plan
        if attempt.result is None:
            raise RegisteringError(f"'{attempt.id}', which failed", "a registration", "register again")
        used = attempt.used_landmarks_ct()
        name = self._landmark_to_verify(attempt, used)
        tip_error_mm = self._stylus.tip_error_rms_mm
        found: Verification
        if name:
            place = session.landmarks_ct[name]
            touched = self._stylus.touch(place).point_reference_mm
            if name in used:
                found = verify_again(attempt, name, touched, plan.assumptions)
            else:
                found = verify_planned(attempt, name, place, touched, plan.assumptions, tip_error_mm)
        else:
            pose, touched = attempt.result.pose, self._stylus.touch_surface().point_reference_mm
            found = verify_surface(
                pose.transform(),
                pose.uncertainty(),
                plan.field,
                touched,
                plan.assumptions.verification,
                tool_covariance_reference_mm2=self._stylus.tip_covariance_mm2,
                on_skin=on_skin(attempt),
            )
        record_verification(plan.case, attempt, found, Signature(self._person, self._now()), self._stylus.instruments)
        self._say(touch_text(found, attempt.findings.rests_on_skin))
        self._say(verdict_text(verdict_of(plan.case, attempt)))

    def _landmark_to_verify(self, attempt: Attempt, used: Mapping[str, Floats]) -> str:
        """By its number in the plan, which stays whatever was used; empty for anywhere on the surface."""
        for number, name in enumerate(self._session.landmarks_ct, start=1):
            what = "used: tells whether the reference moved" if name in used else KIND_WORDS[kind_of(attempt, name)]
            self._say(f"  {number}  {plain(name)} [dim]({what})[/]")
        self._say("  0  anywhere on the surface")
        return self._number(list(self._session.landmarks_ct), "landmark", zero="")

    def _accept(self) -> None:
        self._put_in_force(self._current())

    def _back(self) -> None:
        case = self._plan.case
        show_history(history(case), self._console)
        self._put_in_force(load_attempt(case, self._number(list(attempt_ids(case)), "attempt")))

    def _put_in_force(self, attempt: Attempt) -> None:
        verdict = verdict_of(self._plan.case, attempt)
        consent = False
        if verdict.level == CHECK:
            self._say(verdict_text(verdict))
            self._say(f"{plain(self._person)}, do you consent all the same, knowing these reasons? [bold]y[/] yes")
            consent = self._keys.next() == "y"
        accepted = put_in_force(self._plan.case, attempt, self._person, self._now(), consent=consent)
        self._session.accepted(attempt.id)
        self._say(f"[green]✓[/] {accepted.registration_id} is in force, accepted by {plain(accepted.accepted_by)}")

    def _withdraw(self) -> None:
        active = self._plan.case.active_registration()
        if active is None:
            raise RegisteringError("nothing in force", "a registration in force", "accept one first")
        self._record(load_attempt(self._plan.case, active.registration), "withdrawn")
        self._say(f"{active.registration} is withdrawn: nothing is in force now; b goes back to an older one")

    # -------------------------------------------------------------------------------------------------------- helpers

    def _current(self) -> Attempt:
        """The attempt made from the measurements as they are."""
        if self._session.now.attempt is None:
            raise RegisteringError("measurements without a registration", "a computed one", "compute it first: c")
        return load_attempt(self._plan.case, self._session.now.attempt)

    def _show(self, attempt: Attempt) -> None:
        case = self._plan.case
        verdict = verdict_of(case, attempt)
        touches = verifications(case, attempt.id)
        repeated = any(touch.kind == "repeat" for touch in touches)
        advice = advise(attempt, verdict, self._plan.landmarks_ct, repeated=repeated)
        show_attempt(attempt, verdict, touches, advice, self._console)

    def _record(self, attempt: Attempt, step: RegistrationStep) -> None:
        record(self._plan.case, attempt, step, self._person, self._now())

    def _number(self, names: list[str], what: str, zero: str | None = None) -> str:
        """One of `names` by its number, counted from 1; 0 is `zero`, where there is one."""
        said = self._keys.line()
        lowest = 1 if zero is None else 0
        if not said.isdecimal() or not lowest <= int(said) <= len(names):
            raise RegisteringError(f"{said!r} as the number of a {what}", f"{lowest} to {len(names)}", "try again")
        return names[int(said) - 1] if int(said) else str(zero)

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False)

    def _close(self) -> bool:
        try:
            accepted = in_force(self._plan.case)
        except SurgNavError as error:
            self._say(f"[red]Nothing is in force: {plain(error.came)}[/]")
            return False
        if accepted is None:
            self._say("[yellow]Nothing is in force: no registration was accepted.[/]")
            return False
        self._say(f"In force: {accepted.registration_id}, {accepted.level}, by {plain(accepted.accepted_by)}.")
        return True
