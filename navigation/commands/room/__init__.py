"""``surgnav room``: the room file, and the devices and tools that it names."""
