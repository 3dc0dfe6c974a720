"""An OpenIGTLink server: tools, surfaces, plan and CT for 3D Slicer and other programs."""
