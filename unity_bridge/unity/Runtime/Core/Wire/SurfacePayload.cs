#nullable enable
using System;
using System.Buffers.Binary;

namespace SurgNav.Core.Wire
{
    /// <summary>
    /// A surface as bytes, checked: its vertices and indices are views, laid out as Unity's Mesh API uploads them.
    /// </summary>
    public readonly struct SurfacePayload
    {
        private SurfacePayload(
            in SurfaceHeader header,
            string name,
            string frame,
            ReadOnlyMemory<byte> vertices,
            ReadOnlyMemory<byte> indices)
        {
            Name = name;
            Frame = frame;
            VertexCount = (int)header.VertexCount;
            TriangleCount = (int)header.TriangleCount;
            IndexBytes = header.IndexBytes;
            MinimumM = header.MinimumM;
            EdgeM = header.EdgeM;
            Vertices = vertices;
            Indices = indices;
        }

        public string Name { get; }

        /// <summary>The frame that the surface hangs from: the anchor is the tool with this `from frame`.</summary>
        public string Frame { get; }

        public int VertexCount { get; }

        public int TriangleCount { get; }

        /// <summary>2 or 4.</summary>
        public int IndexBytes { get; }

        /// <summary>The corner of the cube in which the vertices lie: the GameObject's localPosition.</summary>
        public Double3 MinimumM { get; }

        /// <summary>The edge of that cube: the GameObject's localScale on all axes.</summary>
        public double EdgeM { get; }

        /// <summary>12 bytes each; see SurfaceVertex.</summary>
        public ReadOnlyMemory<byte> Vertices { get; }

        /// <summary>Three per triangle, clockwise from outside, each below VertexCount.</summary>
        public ReadOnlyMemory<byte> Indices { get; }

        /// <summary>Checks a payload. Nothing of it is copied but its two names.</summary>
        /// <exception cref="WireException">
        /// Truncated, of another version, sizes that disagree, or an index out of range.
        /// </exception>
        public static SurfacePayload Decode(ReadOnlyMemory<byte> data)
        {
            var header = ReadHeader(data.Span);
            int frameAt = header.HeaderBytes + header.NameBytes;
            int names = header.NameBytes + header.FrameBytes;
            int padding = -names & 3;
            long verticesAt = header.HeaderBytes + names + padding;
            long vertexBytes = (long)header.VertexCount * SurfaceVertex.Size;
            long indexBytes = 3L * header.TriangleCount * header.IndexBytes;
            if (verticesAt + vertexBytes + indexBytes != data.Length)
            {
                throw new MalformedMessageException(
                    $"{header.VertexCount} vertices and {header.TriangleCount} triangles in {data.Length} bytes",
                    "a length that agrees with the counts");
            }

            var indices = data.Slice((int)(verticesAt + vertexBytes));
            CheckIndices(indices.Span, header.IndexBytes, header.VertexCount);
            string name = Text(data.Span.Slice(header.HeaderBytes, header.NameBytes));
            string frame = FrameName.Check(Text(data.Span.Slice(frameAt, header.FrameBytes)));
            return new SurfacePayload(header, name, frame, data.Slice((int)verticesAt, (int)vertexBytes), indices);
        }

        /// <summary>The header, whose numbers can be; whether they fit what has come is not looked at.</summary>
        internal static SurfaceHeader ReadHeader(ReadOnlySpan<byte> data)
        {
            if (data.Length < SurfaceHeader.Size)
            {
                throw new MalformedMessageException(
                    $"a surface of {data.Length} bytes", $"at least the {SurfaceHeader.Size} bytes of a header");
            }

            var header = SurfaceHeader.Read(data);
            if (header.Magic != Constants.SurfaceMagic)
            {
                throw new MalformedMessageException($"a surface that begins with 0x{header.Magic:X8}", "SNSF");
            }

            if (header.Major != Constants.SurfaceMajor)
            {
                throw new UnsupportedVersionException(
                    $"a surface of version {header.Major}", $"version {Constants.SurfaceMajor}");
            }

            if ((header.IndexBytes != 2 && header.IndexBytes != 4) || header.HeaderBytes < SurfaceHeader.Size)
            {
                throw new MalformedMessageException(
                    $"{header.IndexBytes}-byte indices and a header of {header.HeaderBytes}",
                    $"2 or 4 bytes, {SurfaceHeader.Size} or more");
            }

            // Written so that NaN fails.
            var low = header.MinimumM;
            if (!(header.EdgeM >= 0.0 && header.EdgeM < Constants.PositionLimitM && Near(low.X) && Near(low.Y) && Near(low.Z)))
            {
                throw new MalformedMessageException(
                    $"a cube of edge {header.EdgeM} m", $"a finite one within {Constants.PositionLimitM} m");
            }

            return header;
        }

        private static bool Near(double value) => Math.Abs(value) < Constants.PositionLimitM;

        private static string Text(ReadOnlySpan<byte> bytes) => WireBytes.Text(bytes, Constants.NameLimitBytes);

        private static void CheckIndices(ReadOnlySpan<byte> indices, int indexBytes, uint vertexCount)
        {
            uint largest = 0;
            for (int at = 0; at < indices.Length; at += indexBytes)
            {
                uint index = indexBytes == 2
                    ? BinaryPrimitives.ReadUInt16LittleEndian(indices.Slice(at))
                    : BinaryPrimitives.ReadUInt32LittleEndian(indices.Slice(at));
                largest = Math.Max(largest, index);
            }

            if (indices.Length > 0 && largest >= vertexCount)
            {
                throw new MalformedMessageException($"the index {largest}", $"below {vertexCount}");
            }
        }
    }
}
