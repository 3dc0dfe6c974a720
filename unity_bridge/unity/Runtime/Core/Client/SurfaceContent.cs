#nullable enable
using System;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>What a payload says of itself, checked, with where its vertices begin and the box they fill.</summary>
    internal readonly struct SurfaceContent
    {
        private SurfaceContent(in SurfacePayload payload, int verticesAt, in Box box)
        {
            Name = payload.Name;
            Frame = payload.Frame;
            VertexCount = payload.VertexCount;
            TriangleCount = payload.TriangleCount;
            IndexBytes = payload.IndexBytes;
            MinimumM = payload.MinimumM;
            EdgeM = payload.EdgeM;
            VerticesAt = verticesAt;
            BoundsMinimum = box.Minimum;
            BoundsMaximum = box.Maximum;
        }

        internal string Name { get; }

        internal string Frame { get; }

        internal int VertexCount { get; }

        internal int TriangleCount { get; }

        internal int IndexBytes { get; }

        internal Double3 MinimumM { get; }

        internal double EdgeM { get; }

        internal int VerticesAt { get; }

        internal Float3 BoundsMinimum { get; }

        internal Float3 BoundsMaximum { get; }

        /// <exception cref="WireException">Not a surface payload, or one with an index out of range.</exception>
        internal static SurfaceContent Read(byte[] buffer, int count)
        {
            var payload = SurfacePayload.Decode(new ReadOnlyMemory<byte>(buffer, 0, count));
            MemoryMarshal.TryGetArray(payload.Vertices, out var vertices);
            return new SurfaceContent(payload, vertices.Offset, Box.Of(payload.Vertices.Span));
        }

        private readonly struct Box
        {
            internal readonly Float3 Minimum;
            internal readonly Float3 Maximum;

            private Box(Float3 minimum, Float3 maximum)
            {
                Minimum = minimum;
                Maximum = maximum;
            }

            /// <summary>In the cube from 0 to 1 that UNorm16 spans; all zeros without vertices.</summary>
            internal static Box Of(ReadOnlySpan<byte> vertices)
            {
                if (vertices.IsEmpty)
                {
                    return default;
                }

                int lowX = ushort.MaxValue, lowY = ushort.MaxValue, lowZ = ushort.MaxValue;
                int highX = 0, highY = 0, highZ = 0;
                for (int at = 0; at < vertices.Length; at += SurfaceVertex.Size)
                {
                    ulong position = BinaryPrimitives.ReadUInt64LittleEndian(vertices.Slice(at));
                    int x = (ushort)position;
                    int y = (ushort)(position >> 16);
                    int z = (ushort)(position >> 32);
                    lowX = Math.Min(lowX, x);
                    lowY = Math.Min(lowY, y);
                    lowZ = Math.Min(lowZ, z);
                    highX = Math.Max(highX, x);
                    highY = Math.Max(highY, y);
                    highZ = Math.Max(highZ, z);
                }

                return new Box(Steps(lowX, lowY, lowZ), Steps(highX, highY, highZ));
            }

            private static Float3 Steps(int x, int y, int z)
            {
                const float step = 1.0f / Constants.PositionSteps;
                return new Float3 { X = x * step, Y = y * step, Z = z * step };
            }
        }
    }
}
