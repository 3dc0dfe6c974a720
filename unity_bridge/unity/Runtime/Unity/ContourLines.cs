#nullable enable
using System;
using SurgNav.Core.Wire;
using UnityEngine;
using UnityEngine.Rendering;

namespace SurgNav.Unity
{
    /// <summary>
    /// Contours as bands in the plane of the image, seen from both sides: four corners for each piece of a line. Keeps its
    /// memory, and makes no garbage once it is large enough.
    /// </summary>
    internal sealed class ContourLines
    {
        private Vector3[] corners = Array.Empty<Vector3>();
        private int[] triangles = Array.Empty<int>();
        private int pieces;

        internal void Draw(UltrasoundData data, float halfWidthM, Mesh mesh)
        {
            pieces = 0;
            for (int index = 0; index < data.ContourCount; index++)
            {
                Add(data, data[index], halfWidthM);
            }

            mesh.Clear();
            mesh.indexFormat = IndexFormat.UInt32;
            mesh.SetVertices(corners, 0, 4 * pieces);
            mesh.SetTriangles(triangles, 0, 12 * pieces, 0);
        }

        private void Add(UltrasoundData data, in UltrasoundOutline outline, float halfWidthM)
        {
            var points = outline.PointsPx;
            int count = outline.IsClosed ? outline.Count : outline.Count - 1;
            Reserve(pieces + Math.Max(0, count));
            for (int at = 0; at < count; at++)
            {
                int to = (at + 1) % outline.Count;
                Piece(Place(data, points[2 * at], points[(2 * at) + 1]), Place(data, points[2 * to], points[(2 * to) + 1]), data, halfWidthM);
            }
        }

        private void Piece(Vector3 from, Vector3 to, UltrasoundData data, float halfWidthM)
        {
            // Unity takes a vector shorter than 1e-5 for none when it normalises it: of the whole image, and in mm.
            var right = data.WidthPx * Placement.ToVector3(data.AlongXM);
            var normal = Vector3.Cross(right, data.HeightPx * Placement.ToVector3(data.AlongYM)).normalized;
            var along = (1000.0f * (to - from)).normalized;
            var aside = halfWidthM * Vector3.Cross(normal, along);
            int corner = 4 * pieces;
            corners[corner] = from - aside;
            corners[corner + 1] = from + aside;
            corners[corner + 2] = to - aside;
            corners[corner + 3] = to + aside;
            pieces++;
        }

        private void Reserve(int wanted)
        {
            int had = corners.Length / 4;
            if (wanted <= had)
            {
                return;
            }

            Array.Resize(ref corners, 8 * wanted);
            Array.Resize(ref triangles, 24 * wanted);
            for (int piece = had; piece < 2 * wanted; piece++)
            {
                int corner = 4 * piece;
                int at = 12 * piece;
                Side(at, corner, corner + 1, corner + 2, corner + 3);
                Side(at + 6, corner + 1, corner, corner + 3, corner + 2);
            }
        }

        private void Side(int at, int a, int b, int c, int d)
        {
            triangles[at] = a;
            triangles[at + 1] = b;
            triangles[at + 2] = c;
            triangles[at + 3] = c;
            triangles[at + 4] = b;
            triangles[at + 5] = d;
        }

        private static Vector3 Place(UltrasoundData data, float x, float y)
        {
            return Placement.ToVector3(data.FirstPixelM) + (x * Placement.ToVector3(data.AlongXM))
                + (y * Placement.ToVector3(data.AlongYM));
        }
    }
}
