"""A headset as the tracker of a service: what it sends comes back as poses relative to the reference."""

import contextlib
import uuid

import numpy as np

from navigation.live.pose_graph import PoseGraph
from navigation.live.service import NavigationService, ServiceConfig
from tests.navigation.devices.headset.harness import NAME, device
from tests.navigation.devices.headset.player import CLOCK, PATIENCE_NS, pose
from unity_bridge.client import ClientSettings, Endpoints, ReferenceClient
from unity_bridge.client.observation_link import seen, unseen
from unity_bridge.wire.convention import pose_from_unity
from unity_bridge.wire.generated.constants import Validity

REFERENCE, STYLUS = pose("reference", 1), pose("stylus", 2)


def test_a_headset_gets_back_what_it_sees_relative_to_the_reference():
    config = ServiceConfig(devices=(device(5572),), rate_hz=60.0, graph=PoseGraph({}, None))
    with NavigationService(config) as service:
        where = Endpoints(
            poses=service.pose_endpoint, surfaces=service.surfaces.endpoint, control=service.control.endpoint
        )
        with contextlib.closing(ReferenceClient(where, CLOCK, ClientSettings(name=NAME))) as client:
            anchor = str(uuid.uuid4())

            def until(condition, *tools) -> None:
                deadline_ns = CLOCK.now_ns() + PATIENCE_NS
                while not condition():
                    assert CLOCK.now_ns() < deadline_ns, client.control.last_refusal
                    client.control.observe(anchor, CLOCK.now_ns(), tools)
                    service.poll(2)
                    client.poll(2)

            def stylus_is(validity: Validity) -> bool:
                return client.newest is not None and client.newest.tools["stylus"].validity is validity

            until(lambda: stylus_is(Validity.VALID), seen("Reference", REFERENCE), seen("Stylus", STYLUS))
            shown = pose_from_unity(client.newest.tools["stylus"].pose)
            np.testing.assert_allclose(shown.matrix, (REFERENCE.inverse() @ STYLUS).matrix, atol=1e-3)
            until(lambda: stylus_is(Validity.LOST), seen("Reference", REFERENCE), unseen("Stylus", "covered"))
            assert "covered" in client.newest.tools["stylus"].reason
            assert client.newest.tools["stylus"].pose is None
        service.stop()
