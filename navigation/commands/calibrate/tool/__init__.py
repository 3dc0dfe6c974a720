"""``surgnav calibrate``: tools by their poses (pivot, spin), their drawing (template) and their spheres (geometry)."""
