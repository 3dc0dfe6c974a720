#nullable enable
using System;

namespace SurgNav.Core.Wire
{
    /// <summary>The counts of a compressed surface, checked against one another and against what has come.</summary>
    internal readonly struct CompressedHead
    {
        /// <summary>RFC 1951: no stream unpacks to more than so many times its size.</summary>
        private const int DeflateLimit = 1032;

        private CompressedHead(in CompressedSurfaceHeader header, in SurfaceHeader surface, int verticesAt)
        {
            PayloadHeadAt = header.HeaderBytes;
            VerticesAt = verticesAt;
            RootCount = (int)header.RootCount;
            PackedBytes = (int)header.PackedBytes;
            VertexCount = (int)surface.VertexCount;
            TriangleCount = (int)surface.TriangleCount;
            IndexBytes = surface.IndexBytes;
        }

        /// <summary>Where the payload's own head begins, among the compressed bytes.</summary>
        internal int PayloadHeadAt { get; }

        /// <summary>Where the vertices begin, in the payload.</summary>
        internal int VerticesAt { get; }

        internal int RootCount { get; }

        internal int PackedBytes { get; }

        internal int VertexCount { get; }

        internal int TriangleCount { get; }

        /// <summary>2 or 4.</summary>
        internal int IndexBytes { get; }

        /// <summary>Where the deflate stream begins.</summary>
        internal int BodyAt => PayloadHeadAt + VerticesAt;

        internal int PayloadBytes =>
            VerticesAt + (VertexCount * SurfaceVertex.Size) + (3 * TriangleCount * IndexBytes);

        /// <exception cref="WireException">Truncated, of another version, or counts that cannot be.</exception>
        internal static CompressedHead Read(ReadOnlySpan<byte> data, int limitBytes)
        {
            var header = ReadOwn(data);
            var rest = data.Slice(header.HeaderBytes);
            var surface = SurfacePayload.ReadHeader(rest);
            int names = surface.NameBytes + surface.FrameBytes;
            int verticesAt = surface.HeaderBytes + names + (-names & 3);
            if (verticesAt > rest.Length)
            {
                throw new MalformedMessageException("a truncated head", "all of it");
            }

            CheckCounts(header, surface, rest.Length - verticesAt);
            long payloadBytes = verticesAt + ((long)surface.VertexCount * SurfaceVertex.Size)
                + (3L * surface.TriangleCount * surface.IndexBytes);
            int limit = Math.Min(limitBytes, Constants.MaxPayloadBytes);
            if (payloadBytes > limit)
            {
                throw new MalformedMessageException($"a surface of {payloadBytes} bytes", $"at most {limit}");
            }

            return new CompressedHead(header, surface, verticesAt);
        }

        private static CompressedSurfaceHeader ReadOwn(ReadOnlySpan<byte> data)
        {
            if (data.Length < CompressedSurfaceHeader.Size)
            {
                throw new MalformedMessageException(
                    $"a compressed surface of {data.Length} bytes", $"at least {CompressedSurfaceHeader.Size}");
            }

            var header = CompressedSurfaceHeader.Read(data);
            bool fits = header.HeaderBytes >= CompressedSurfaceHeader.Size && header.HeaderBytes <= data.Length;
            if (header.Magic != Constants.CompressedMagic || !fits)
            {
                throw new MalformedMessageException($"a compressed surface that begins with 0x{header.Magic:X8}", "SNSC");
            }

            return header.Major == Constants.CompressedMajor
                ? header
                : throw new UnsupportedVersionException(
                    $"a compressed surface of version {header.Major}", $"version {Constants.CompressedMajor}");
        }

        private static void CheckCounts(in CompressedSurfaceHeader header, in SurfaceHeader surface, long bodyBytes)
        {
            long faces = surface.TriangleCount;
            long roots = header.RootCount;
            long expected = ((faces + 1) / 2) + ((faces + (2 * roots)) * surface.IndexBytes) + (9L * surface.VertexCount);
            bool agree = roots > 0 && roots <= faces && header.PackedBytes == expected;
            if (!agree || header.PackedBytes > DeflateLimit * bodyBytes)
            {
                throw new MalformedMessageException(
                    $"{surface.VertexCount} vertices and {faces} triangles in {roots} parts, "
                    + $"{bodyBytes} bytes that unpack to {header.PackedBytes}",
                    $"1 to {faces} parts, and {expected} bytes");
            }
        }
    }
}
