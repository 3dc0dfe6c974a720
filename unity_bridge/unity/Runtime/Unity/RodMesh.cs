#nullable enable
using System;
using UnityEngine;
using UnityEngine.Rendering;

namespace SurgNav.Unity
{
    /// <summary>
    /// Shapes of thin square rods, closed at their ends: seen from every side, whatever the viewer's direction. Keeps its
    /// memory, and makes no garbage once it is large enough.
    /// </summary>
    internal sealed class RodMesh
    {
        private const int Corners = 8;
        private const int Around = 24;

        /// <summary>Corner 4 * end + side, the sides in turn about the rod; each face is clockwise from outside.</summary>
        private static readonly int[] Faces =
        {
            0, 1, 4, 4, 1, 5, 1, 2, 5, 5, 2, 6, 2, 3, 6, 6, 3, 7, 3, 0, 7, 7, 0, 4, 0, 2, 1, 0, 3, 2, 4, 5, 6, 4, 6, 7,
        };

        private Vector3[] corners = Array.Empty<Vector3>();
        private int[] triangles = Array.Empty<int>();
        private int rods;

        internal void Clear() => rods = 0;

        internal void Rod(Vector3 from, Vector3 to, float halfWidthM)
        {
            // Unity takes a vector shorter than 1e-5 for none when it normalises it: in mm.
            var along = (1000.0f * (to - from)).normalized;
            if (along == Vector3.zero)
            {
                return;
            }

            Across(along, out var aside, out var up);
            aside *= halfWidthM;
            up *= halfWidthM;
            Reserve(rods + 1);
            for (int end = 0; end < 2; end++)
            {
                var middle = end == 0 ? from : to;
                int corner = (Corners * rods) + (4 * end);
                corners[corner] = middle - aside - up;
                corners[corner + 1] = middle + aside - up;
                corners[corner + 2] = middle + aside + up;
                corners[corner + 3] = middle - aside + up;
            }

            rods++;
        }

        /// <summary>A circle about the middle, across the axis of length 1.</summary>
        internal void Ring(Vector3 middle, Vector3 axis, float radiusM, float halfWidthM)
        {
            Polygon(middle, axis, radiusM, halfWidthM, Around);
        }

        /// <summary>A polygon with its corners at the radius, across the axis of length 1.</summary>
        internal void Polygon(Vector3 middle, Vector3 axis, float radiusM, float halfWidthM, int sides)
        {
            var before = OnCircle(middle, axis, radiusM, 0.0f);
            for (int side = 1; side <= sides; side++)
            {
                var next = OnCircle(middle, axis, radiusM, side / (float)sides);
                Rod(before, next, halfWidthM);
                before = next;
            }
        }

        /// <summary>So many bars through the middle, across the axis of length 1.</summary>
        internal void Star(Vector3 middle, Vector3 axis, float radiusM, float halfWidthM, int bars)
        {
            for (int bar = 0; bar < bars; bar++)
            {
                float turn = bar / (2.0f * bars);
                Rod(OnCircle(middle, axis, radiusM, turn), OnCircle(middle, axis, radiusM, turn + 0.5f), halfWidthM);
            }
        }

        internal void Put(Mesh mesh)
        {
            mesh.Clear();
            mesh.indexFormat = IndexFormat.UInt32;
            mesh.SetVertices(corners, 0, Corners * rods);
            mesh.SetTriangles(triangles, 0, Faces.Length * rods, 0);
            mesh.RecalculateNormals();
        }

        private static Vector3 OnCircle(Vector3 middle, Vector3 axis, float radiusM, float turn)
        {
            Across(axis, out var aside, out var up);
            float angle = 2.0f * (float)Math.PI * turn;
            return middle + (radiusM * (((float)Math.Cos(angle) * aside) + ((float)Math.Sin(angle) * up)));
        }

        /// <summary>Two directions across an axis of length 1, such that aside x up is the axis.</summary>
        private static void Across(Vector3 axis, out Vector3 aside, out Vector3 up)
        {
            var other = Math.Abs(axis.y) < 0.8f ? Vector3.up : Vector3.right;
            aside = Vector3.Cross(other, axis).normalized;
            up = Vector3.Cross(axis, aside);
        }

        private void Reserve(int wanted)
        {
            int had = corners.Length / Corners;
            if (wanted <= had)
            {
                return;
            }

            Array.Resize(ref corners, Corners * 2 * wanted);
            Array.Resize(ref triangles, Faces.Length * 2 * wanted);
            for (int rod = had; rod < 2 * wanted; rod++)
            {
                for (int at = 0; at < Faces.Length; at++)
                {
                    triangles[(Faces.Length * rod) + at] = (Corners * rod) + Faces[at];
                }
            }
        }
    }
}
