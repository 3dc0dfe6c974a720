"""The layout of a tool's spheres: solved from what a tracker sees, compared with other tools, as NDI's files."""
