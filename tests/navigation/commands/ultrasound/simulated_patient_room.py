"""A room file in which everything is simulated, and the probe scans the patient of the case."""

ROOM = """
[ultrasound]
model = "bone"
[ultrasound.sweep]
level = 165
[devices.camera]
driver = "simulated"
seed = 5
ultrasound = "patient"
image_lag_ms = -40.0
[tools.reference]
device = "camera"
role = "reference"
[tools.stylus]
device = "camera"
role = "stylus"
[tools.probe]
device = "camera"
role = "probe"
"""
