#nullable enable
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// Where Unity puts a surface that hangs from a chain of tools: what nested Transforms with localPosition and
    /// localRotation do, the innermost with the surface's minimum and edge as position and scale. For clients without a
    /// scene; one with a scene asks the scene.
    /// </summary>
    public sealed class Placing
    {
        private readonly List<ToolView> chain = new List<ToolView>();
        private readonly SurfaceMesh mesh;

        private Placing(SurfaceMesh mesh)
        {
            this.mesh = mesh;
        }

        /// <summary>
        /// False if the surface's frame does not hang from the root, or a tool on the way is hidden: then nothing of it
        /// may be drawn.
        /// </summary>
        public static bool TryFind(PoseFrame frame, SurfaceMesh mesh, string root, out Placing placing)
        {
            placing = new Placing(mesh);
            string at = mesh.Frame;
            while (at != root)
            {
                // No chain is longer than there are tools: a circle must not be walked for ever.
                bool isThere = frame.TryFindFrame(at, out var view) && view.Display != ToolDisplay.Hidden;
                if (!isThere || placing.chain.Count >= frame.Count)
                {
                    return false;
                }

                placing.chain.Add(view);
                at = view.ToFrame;
            }

            return true;
        }

        /// <summary>A vertex in the root, metres.</summary>
        public Double3 Vertex(int vertex)
        {
            ulong position = BinaryPrimitives.ReadUInt64LittleEndian(Bytes(vertex, SurfaceVertex.PositionOffset));
            double step = mesh.EdgeM / Constants.PositionSteps;
            var point = new Double3
            {
                X = mesh.MinimumM.X + ((ushort)position * step),
                Y = mesh.MinimumM.Y + ((ushort)(position >> 16) * step),
                Z = mesh.MinimumM.Z + ((ushort)(position >> 32) * step),
            };
            foreach (var view in chain)
            {
                point = PoseMath.Apply(view.PositionM, view.RotationXyzw, point);
            }

            return point;
        }

        /// <summary>A vertex's normal in the root.</summary>
        public Double3 Normal(int vertex)
        {
            var bytes = Bytes(vertex, SurfaceVertex.NormalOffset);
            var normal = new Double3
            {
                X = (sbyte)bytes[0] / (double)Constants.NormalSteps,
                Y = (sbyte)bytes[1] / (double)Constants.NormalSteps,
                Z = (sbyte)bytes[2] / (double)Constants.NormalSteps,
            };
            foreach (var view in chain)
            {
                normal = PoseMath.Rotate(view.RotationXyzw, normal);
            }

            return normal;
        }

        /// <summary>A vector in the root out of the side of a triangle that Unity draws: the clockwise one.</summary>
        public Double3 VisibleSide(int triangle)
        {
            var a = Vertex(Corner(triangle, 0));
            var b = Vertex(Corner(triangle, 1));
            var c = Vertex(Corner(triangle, 2));
            return PoseMath.Cross(PoseMath.Minus(b, a), PoseMath.Minus(c, a));
        }

        private int Corner(int triangle, int corner)
        {
            ReadOnlySpan<byte> indices = mesh.Indices;
            int at = ((3 * triangle) + corner) * mesh.IndexBytes;
            return mesh.IndexBytes == 2
                ? BinaryPrimitives.ReadUInt16LittleEndian(indices.Slice(at))
                : (int)BinaryPrimitives.ReadUInt32LittleEndian(indices.Slice(at));
        }

        private ReadOnlySpan<byte> Bytes(int vertex, int offset)
        {
            ReadOnlySpan<byte> vertices = mesh.Vertices;
            return vertices.Slice((vertex * SurfaceVertex.Size) + offset);
        }
    }
}
