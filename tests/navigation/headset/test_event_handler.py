"""What is done at a headset, done in the case: over the real service, its pose process and the reference client."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from case.case import Case
from case.manifest import Signature
from geometry import Transform
from geometry.frames import CT, REFERENCE, STYLUS
from navigation.errors import ServiceError
from navigation.headset import case_work
from navigation.live.pose_graph import PATIENT, CalibratedTip, PoseGraph
from navigation.live.service import NavigationService
from navigation.simulation.operating_room import simulated_device
from registration.assumptions import Assumptions
from registration.record.accepted import UNKNOWN
from registration.record.attempts import verifications
from registration.record.in_force import in_force, put_in_force
from registration.verdict.verification import VerificationSettings
from tests.navigation.headset.harness import CLOCK, DOCTOR, Serving, serving
from tests.navigation.live.served_room import measured_now, room_config, service_config
from tests.registration.record.harness import MARKS, TIME, case, made  # noqa: F401 - a fixture
from unity_bridge.client.reference_client import Endpoints, ReferenceClient
from unity_bridge.wire.convention import points_to_unity
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.generated.constants import EventOutcome
from unity_bridge.wire.messages import ClientEvent


def log_of(case: Case) -> list[dict]:  # noqa: F811
    return [json.loads(line) for line in (case.root / "headset" / "events.jsonl").read_text("utf-8").splitlines()]


def registered(case: Case) -> PoseGraph:  # noqa: F811
    attempt, _ = made(case)
    put_in_force(case, attempt, DOCTOR, TIME, consent=False)
    tip = Transform.from_rotation(Rotation.identity(), [0.0, 0.0, 100.0], STYLUS, "stylus_tip")
    evidence = measured_now((simulated_device(room_config()),), tip, 0.2)
    return PoseGraph({STYLUS: CalibratedTip(tip, 0.2)}, replace(in_force(case), evidence=evidence))


def touch(case: Case, offset_mm=(0.3, -0.2, 0.4), name: str = "m7") -> dict:  # noqa: F811
    """Of a landmark that the registration was not made from, as far off as a hand is."""
    T_reference_ct = in_force(case).T_reference_ct
    touched = T_reference_ct.apply(MARKS[name]) + np.array(offset_mm)
    return {
        "name": name,
        "frame": REFERENCE,
        "position_m": tuple(points_to_unity(touched).tolist()),
        "tool": STYLUS,
        "registration_id": "r-0001",
        "person": DOCTOR,
    }


def test_a_touched_landmark_is_in_the_cases_log_in_mm(case: Case) -> None:  # noqa: F811
    graph = registered(case)
    with serving(case, graph) as running:
        answer = running.send(
            "landmark_touched",
            name="m3",
            frame=REFERENCE,
            tool=STYLUS,
            position_m=tuple(points_to_unity(np.array([1.0, 2.0, 3.0])).tolist()),
        )
        assert answer.outcome is EventOutcome.ACCEPTED
        told = [event for event in running.operator if isinstance(event.what, ClientEvent)]
        assert [(event.client_name, event.what.name) for event in told] == [("headset", "m3")]
        for fields, complaint in [
            ({"name": "nose"}, "planned landmarks: m1, m2"),
            ({"frame": CT}, "a position in 'reference'"),
            ({"tool": "driver"}, "calibrated tip"),
            ({"position_m": None}, "all of name, position_m, tool"),
        ]:
            right = {"name": "m3", "frame": REFERENCE, "tool": STYLUS, "position_m": (0.0, 0.0, 0.0)}
            refused = running.send("landmark_touched", **right | fields)
            assert (refused.outcome, refused.code) == ("refused", "EventRefused")
            assert complaint in refused.allowed
        assert running.send("landmark_picked", name="new", frame=CT, position_m=(0.0, 0.0, 0.0)).note
        assert "one of landmark_touched" in running.send("open_the_door").allowed
    begun = [line for line in log_of(case) if "begun" in line]
    assert begun[0]["begun"]["name"] == "m3"
    np.testing.assert_allclose(begun[0]["position_mm"], [1.0, 2.0, 3.0], atol=1e-9)
    assert begun[0]["client"] == "headset"
    assert next(line["answered"]["outcome"] for line in log_of(case) if "answered" in line) == "accepted"
    assert not Case.open(case.root).verify()


def test_a_named_person_decides_and_the_case_holds_it(case: Case) -> None:  # noqa: F811
    with serving(case, research=True) as running:
        client, service = running.client, running.service
        assert client.control.welcome.research_session
        [entry] = client.surfaces.manifest.surfaces
        assert entry.approval == "suggested"
        fields = {"name": "organ", "sha256": entry.sha256, "person": DOCTOR, "decision": "approved"}
        for wrong, complaint in [
            ({"person": "Dr Stranger"}, f"decisions by {DOCTOR}"),
            ({"sha256": "00" * 32}, "a surface that is on offer"),
            ({"decision": "perhaps"}, "one of approved, rejected"),
            ({"person": ""}, "all of name, sha256, person, decision"),
        ]:
            refused = running.send("decide_surface", **fields | wrong)
            assert complaint in refused.allowed
        assert Case.open(case.root).decisions == ()
        assert running.send("decide_surface", **fields).note == f"'organ' is approved by {DOCTOR}"
        decided = Case.open(case.root).decisions
        assert [(d.structure, d.state, d.person) for d in decided] == [("organ", "approved", DOCTOR)]
        running.until(lambda: "surface_approved" in running.kinds())
        running.until(lambda: client.surfaces.manifest.surfaces[0].approved_by == DOCTOR)
        assert running.send("decide_surface", **fields | {"decision": "rejected"}).outcome is EventOutcome.ACCEPTED
        running.until(lambda: "surface_withdrawn" in running.kinds())
        assert service.surfaces.hashes == ()
        assert Case.open(case.root).state("organ") == "rejected"
        ends = [event.answer for event in running.operator if isinstance(event.what, ClientEvent)]
        assert f"'organ' is rejected by {DOCTOR}" in [answer.note for answer in ends]  # not only that it was pending
        assert "on offer" in running.send("decide_surface", **fields).allowed


def test_a_surface_that_changed_meanwhile_is_not_decided_on(case: Case) -> None:  # noqa: F811
    with serving(case, research=True) as running:
        [entry] = running.client.surfaces.manifest.surfaces
        opened = Case.open(case.root)
        surface = opened.read_surface("organ")
        changed = replace(surface, vertices_mm=surface.vertices_mm + 1.0)
        opened.add_surface(changed, opened.artefact("surfaces/organ.glb").made_by, made_from=())
        refused = running.send("decide_surface", name="organ", sha256=entry.sha256, person=DOCTOR, decision="approved")
        assert "another version" in refused.came
    assert Case.open(case.root).decisions == ()


def test_by_default_nobody_decides_from_a_headset(case: Case) -> None:  # noqa: F811
    with serving(case, research=True, deciders=()) as running:
        [entry] = running.client.surfaces.manifest.surfaces
        refused = running.send("decide_surface", name="organ", sha256=entry.sha256, person=DOCTOR, decision="approved")
        assert "no decisions from a headset" in refused.allowed
        assert "surgnav review" in refused.action


def test_a_verification_has_the_errors_that_the_session_assumes(case: Case) -> None:  # noqa: F811
    """The same landmark, touched as well: whoever assumes a worse touch expects it farther off."""
    registered(case)
    p95_mm = []
    place = in_force(case).T_reference_ct.apply(MARKS["m7"])
    for fle_rms_mm in (0.8, 3.0):
        assumed = Assumptions(verification=VerificationSettings(fle_rms_mm=fle_rms_mm))
        by = Signature(DOCTOR, TIME)
        case_work.verify(case.root, case_work.Touch("m7", place, 0.2, UNKNOWN), by, "r-0001", assumed)
        p95_mm.append(verifications(Case.open(case.root), "r-0001")[-1].expected_p95_mm)
    assert p95_mm[1] > 1.5 * p95_mm[0]


def test_a_verification_that_holds_is_kept_and_one_that_fails_withdraws(case: Case) -> None:  # noqa: F811
    graph = registered(case)
    with serving(case, graph) as running:
        running.until(lambda: running.client.newest.tools[PATIENT].validity is Validity.VALID)
        vouched: list[tuple[str, ...]] = []
        running.service.state._vouch = vouched.append
        answer = running.send("verify_touch", **touch(case))
        assert vouched == [("reference", "stylus")]
        assert "mm off; 95 of 100 are within" in answer.note
        attempt = "r-0001"
        assert [v.name for v in verifications(Case.open(case.root), attempt)] == ["m7"]
        assert running.service.state.registration_id == attempt
        for wrong, complaint in [
            ({"registration_id": "r-0000"}, "the registration in force: 'r-0001'"),
            ({"person": "Dr Stranger"}, f"decisions by {DOCTOR}"),
            ({"name": "m1"}, ""),  # it was used
        ]:
            refused = running.send("verify_touch", **touch(case) | wrong)
            assert refused.outcome is EventOutcome.REFUSED
            assert complaint in refused.allowed

        answer = running.send("verify_touch", **touch(case, offset_mm=(9.0, 0.0, 0.0)))
        assert "the registration is withdrawn" in answer.note
        assert len(vouched) == 1, "one that fails vouches for nothing"
        running.until(lambda: {"registration_withdrawn", "registration_lost"} <= set(running.kinds()))
        running.until(lambda: running.client.newest.tools[PATIENT].validity is Validity.LOST)
        welcome = running.welcome()
        assert (welcome.registration_id, welcome.registration_validity) == ("", Validity.LOST)
        assert "9." in welcome.registration_reason


def test_a_registration_of_which_nobody_knows_the_reference_is_grey_until_a_touch_confirms_it(case: Case) -> None:  # noqa: F811
    """Such as one of an older program: it says neither with what it was measured, nor is it of today."""
    fresh = registered(case)
    with serving(case, replace(fresh, registration=in_force(case))) as running:
        patient = lambda: running.client.newest.tools[PATIENT]  # noqa: E731
        running.until(lambda: patient().validity is Validity.SUSPECT)
        running.until(lambda: "it is not known with which reference it was measured" in patient().reason)
        running.send("verify_touch", **touch(case))
        confirmed = in_force(Case.open(case.root))
        assert confirmed.evidence.instruments == fresh.registration.evidence.instruments
        running.service.update(replace(fresh, registration=confirmed))
        running.until(lambda: patient().validity is Validity.VALID)


def test_requests_and_targets_are_state_for_whoever_joins(case: Case) -> None:  # noqa: F811
    graph = registered(case)
    with serving(case) as running:
        running.send("request_registration", reason="the patient was moved")
        [request] = running.welcome().open_requests
        assert "headset: the patient was moved" in request
        assert "all of reason" in running.send("request_registration").allowed
        assert running.send("select_target", name="tumour").note == "'tumour' is selected"
        assert "planned targets: tumour, vessel" in running.send("select_target", name="nose").allowed
        assert running.welcome().selected_target == "tumour"
        running.service.update(graph)
        running.until(lambda: {"registration_changed", "request_settled"} <= set(running.kinds()))
        welcome = running.welcome()
        assert (welcome.open_requests, welcome.registration_id) == ((), "r-0001")
        running.service.notify("pause")
        running.until(lambda: "notice" in running.kinds())
        assert running.send("select_target", name="").note == "no target is selected"
        with pytest.raises(ServiceError, match="one of"):
            running.service.state.settle_request("nothing")
        for number in range(16):
            assert running.send("request_registration", reason=str(number)).outcome is EventOutcome.ACCEPTED
        assert running.send("request_registration", reason="17").allowed == "at most 16 open requests"


def test_what_is_lost_is_told_to_whoever_is_there(case: Case) -> None:  # noqa: F811
    """The reference is hidden for 0.3 s of each 2 s: the tool is lost, and what all poses stand on."""
    graph = registered(case)
    config = service_config(graph)
    room = replace(room_config(), occlusions={REFERENCE: (2.0, 0.5, 0.8)})
    with NavigationService(replace(config, devices=(simulated_device(room),))) as service:
        endpoints = Endpoints(
            poses=service.pose_endpoint, surfaces=service.surfaces.endpoint, control=service.control.endpoint
        )
        with ReferenceClient(endpoints, CLOCK) as client:
            running = Serving(service, client)
            wanted = {"tool_lost", "tool_found", "registration_lost", "registration_found"}
            running.until(lambda: wanted <= set(running.kinds()))

            def lost() -> list:
                """A busy machine may be late with a frame before that, and then it is stale."""
                lost = [event for event in running.told if event.kind == "registration_lost"]
                return [event for event in lost if event.validity is Validity.LOST]

            running.until(lost)
        assert lost()[0].registration_id == "r-0001"
        assert "reference" in lost()[0].reason
        service.stop()


# ------------------------------------------------------------------------------------------------------------- restarts
def test_a_service_that_starts_anew_answers_and_does_not_repeat(case: Case) -> None:  # noqa: F811
    with serving(case) as running:
        number = running.client.control.send_event("select_target", name="tumour")
        running.until(lambda: number in running.client.control.events.answers)
        client = running.client.control
        sent = client.events.answers[number]
        again = next(ClientEvent(**line["begun"]) for line in log_of(case) if "begun" in line)
    lines = len(log_of(case))
    with serving(case) as running:
        link = running.client.control
        link.events.stream = again.stream
        link._hello = replace(link._hello, stream=again.stream)
        running.welcome()
        running.until(lambda: link.may_show or link.tick())  # the stream is new to this service: it is tested again
        running.until(lambda: link.verdict is not None)
        link._send(again)
        link.events._waiting[number] = link.events._waiting.get(number) or _waiting(again)
        running.until(lambda: number in link.events.answers)
        assert link.events.answers[number] == sent
        assert running.service.state.target == ""
    assert len(log_of(case)) == lines + 1  # the new session's line


def _waiting(event: ClientEvent):
    from unity_bridge.client.event_link import _Waiting

    return _Waiting(event, CLOCK.now_ns())


def test_two_services_do_not_write_one_log(case: Case) -> None:  # noqa: F811
    with serving(case), pytest.raises(ServiceError, match="another service"), serving(case):
        pass
    with serving(case):
        pass
