"""What a headset does, in Python: joins, pulls the surfaces, and shows where the tools are.

Needs: pip install surgnav. Run: python examples/headset.py [PORT], while examples/serve_case.py runs
"""

import sys

import surgnav

port = int(sys.argv[1]) if len(sys.argv) > 1 else 5570
poses, surfaces, control = (f"tcp://127.0.0.1:{port + offset}" for offset in range(3))
clock = surgnav.MonotonicClock()
with surgnav.ReferenceClient(surgnav.Endpoints(poses=poses, surfaces=surfaces, control=control), clock) as client:
    if not client.poll_until(
        lambda: client.is_ready and bool(client.surfaces.surfaces), clock.now_ns() + 60_000_000_000
    ):
        sys.exit(f"not ready within 60 s: {client.refusal or 'no answer'}")
    for pulled in client.surfaces.surfaces.values():
        print(f"surface {pulled.decoded.surface.name}: {len(pulled.decoded.surface.triangles)} triangles")
    shown = client.newest
    for name, tool in (shown.tools if shown else {}).items():
        where = f"at {tool.pose.position_m.round(3)} m in Unity's axes" if tool.pose else f"not shown: {tool.reason}"
        print(f"{name}: {tool.validity.name.lower()}, {where}")
