#nullable enable
using System;
using System.Buffers.Binary;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;

namespace SurgNav.Tests.Headset
{
    /// <summary>A surface as it would be drawn: the bytes that go to the graphics card, read back as numbers.</summary>
    internal static class SavedSurface
    {
        internal static void Write(NumpyArchive file, string prefix, SurfaceMesh mesh)
        {
            double step = mesh.EdgeM / Constants.PositionSteps;
            var low = mesh.MinimumM;
            var vertices = new double[3 * mesh.VertexCount];
            var normals = new double[3 * mesh.VertexCount];
            ReadOnlySpan<byte> bytes = mesh.Vertices;
            for (int index = 0; index < mesh.VertexCount; index++)
            {
                var vertex = bytes.Slice(index * SurfaceVertex.Size, SurfaceVertex.Size);
                vertices[3 * index] = low.X + (step * U16(vertex, 0));
                vertices[(3 * index) + 1] = low.Y + (step * U16(vertex, 2));
                vertices[(3 * index) + 2] = low.Z + (step * U16(vertex, 4));
                for (int axis = 0; axis < 3; axis++)
                {
                    normals[(3 * index) + axis] = (sbyte)vertex[SurfaceVertex.NormalOffset + axis] / (double)Constants.NormalSteps;
                }
            }

            file.Numbers(prefix + "vertices_m", vertices, mesh.VertexCount, 3);
            file.Numbers(prefix + "normals", normals, mesh.VertexCount, 3);
            file.Integers(prefix + "triangles", Triangles(mesh), mesh.TriangleCount, 3);
            file.Numbers(prefix + "step_m", new[] { step });
            file.Texts(prefix + "names", new[] { mesh.Frame, mesh.Name }, 2);
        }

        private static int[] Triangles(SurfaceMesh mesh)
        {
            var corners = new int[3 * mesh.TriangleCount];
            ReadOnlySpan<byte> bytes = mesh.Indices;
            for (int index = 0; index < corners.Length; index++)
            {
                var at = bytes.Slice(index * mesh.IndexBytes);
                corners[index] = mesh.IndexBytes == 2
                    ? BinaryPrimitives.ReadUInt16LittleEndian(at) : BinaryPrimitives.ReadInt32LittleEndian(at);
            }

            return corners;
        }

        private static ushort U16(ReadOnlySpan<byte> vertex, int offset)
        {
            return BinaryPrimitives.ReadUInt16LittleEndian(vertex.Slice(SurfaceVertex.PositionOffset + offset));
        }
    }
}
