"""Compiles and runs the Unity package's C# without Unity and without NuGet: see toolchain.py."""
