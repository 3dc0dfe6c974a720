#nullable enable
using System;

namespace SurgNav.Core.Wire
{
    /// <summary>
    /// Triangles and positions from what a compressed surface unpacks to, in one pass: each triangle is an edge of an
    /// earlier one and one more corner, and a new corner lies near the parallelogram's.
    /// </summary>
    internal ref struct SurfaceRestorer
    {
        private readonly ReadOnlySpan<byte> packed;
        private readonly CompressedHead head;
        private readonly int[] corners;
        private readonly int[] positions;
        private readonly int codesAt;
        private readonly int codeCount;
        private int codesRead;
        private int newest;

        /// <param name="packed">What the deflate stream unpacked to.</param>
        /// <param name="head">The counts.</param>
        /// <param name="corners">Three for each triangle, to be filled.</param>
        /// <param name="positions">Three for each vertex, to be filled.</param>
        internal SurfaceRestorer(ReadOnlySpan<byte> packed, in CompressedHead head, int[] corners, int[] positions)
        {
            this.packed = packed;
            this.head = head;
            this.corners = corners;
            this.positions = positions;
            codesAt = (head.TriangleCount + 1) / 2;
            codeCount = head.TriangleCount + (2 * head.RootCount);
            codesRead = 0;
            newest = -1;
        }

        internal static int Unzigzag(int value) => (value >> 1) ^ -(value & 1);

        /// <exception cref="MalformedMessageException">Triangles or corners that cannot be.</exception>
        internal void Run()
        {
            Roots();
            Children();
            if (newest != head.VertexCount - 1)
            {
                throw Corner(newest);
            }
        }

        private static WireException Family(string came)
        {
            return new MalformedMessageException(came, "each triangle once, after its parent");
        }

        private void Roots()
        {
            int before = -1;
            for (int at = 0; at < 3 * head.RootCount; at++)
            {
                corners[at] = NextCorner(out bool isNew);
                if (!isNew)
                {
                    continue;
                }

                for (int axis = 0; axis < 3; axis++)
                {
                    int guess = before < 0 ? 0 : positions[(3 * before) + axis];
                    positions[(3 * newest) + axis] = (guess + Residual(newest, axis)) & 0xFFFF;
                }

                before = newest;
            }
        }

        private void Children()
        {
            int made = head.RootCount;
            int ringEnd = made;
            int rings = 0;
            for (int parent = 0; parent < head.TriangleCount; parent++)
            {
                if (parent == ringEnd)
                {
                    ringEnd = made;
                    rings++;
                }

                if (parent == made || rings > Constants.MaxRings)
                {
                    throw Family(parent == made ? $"triangle {parent} without a parent" : $"{rings} rings of triangles");
                }

                int children = ChildrenOf(parent);
                for (int edge = 0; edge < 3; edge++)
                {
                    if ((children & (1 << edge)) != 0)
                    {
                        Child(parent, edge, made++);
                    }
                }
            }
        }

        private readonly int ChildrenOf(int triangle)
        {
            int pair = packed[triangle / 2];
            bool isLast = triangle == head.TriangleCount - 1;
            if ((pair & 0x88) != 0 || (isLast && triangle % 2 == 0 && pair >> 4 != 0))
            {
                throw new MalformedMessageException("children beyond a triangle's three edges", "bits 0 to 2 of each half byte");
            }

            return triangle % 2 == 0 ? pair & 15 : pair >> 4;
        }

        private void Child(int parent, int edge, int triangle)
        {
            if (triangle >= head.TriangleCount)
            {
                throw Family($"more than {head.TriangleCount - head.RootCount} children");
            }

            int first = corners[(3 * parent) + ((edge + 1) % 3)];
            int second = corners[(3 * parent) + edge];
            int opposite = corners[(3 * parent) + ((edge + 2) % 3)];
            int third = NextCorner(out bool isNew);
            corners[3 * triangle] = first;
            corners[(3 * triangle) + 1] = second;
            corners[(3 * triangle) + 2] = third;
            if (!isNew)
            {
                return;
            }

            for (int axis = 0; axis < 3; axis++)
            {
                int guess = positions[(3 * first) + axis] + positions[(3 * second) + axis] - positions[(3 * opposite) + axis];
                positions[(3 * third) + axis] = (guess + Residual(third, axis)) & 0xFFFF;
            }
        }

        private int NextCorner(out bool isNew)
        {
            long code = 0;
            for (int plane = head.IndexBytes - 1; plane >= 0; plane--)
            {
                code = (code << 8) | packed[codesAt + codesRead + (plane * codeCount)];
            }

            codesRead++;
            isNew = code == 0;
            newest += isNew ? 1 : 0;
            long corner = isNew ? newest : newest - (code - 1);
            return corner >= 0 && corner < head.VertexCount ? (int)corner : throw Corner(corner);
        }

        private readonly WireException Corner(long corner)
        {
            return new MalformedMessageException($"the vertex {corner}", $"0 to {head.VertexCount - 1}, each in use");
        }

        private readonly int Residual(int vertex, int axis)
        {
            int low = codesAt + (codeCount * head.IndexBytes) + (2 * head.VertexCount * axis) + vertex;
            return Unzigzag(packed[low] | (packed[low + head.VertexCount] << 8));
        }
    }
}
