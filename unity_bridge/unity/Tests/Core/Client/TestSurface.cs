#nullable enable
using System;
using System.Security.Cryptography;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Tests
{
    /// <summary>Surface payloads, and what a manifest says of them.</summary>
    internal static class TestSurface
    {
        /// <summary>A strip of so many triangles; the last index is as given, if it is.</summary>
        internal static byte[] Payload(string name, int triangles, uint? lastIndex = null, string frame = "ct")
        {
            var nameBytes = WireBytes.Utf8.GetBytes(name);
            var frameBytes = WireBytes.Utf8.GetBytes(frame);
            int vertices = triangles + 2;
            int names = nameBytes.Length + frameBytes.Length;
            int verticesAt = SurfaceHeader.Size + names + (-names & 3);
            int indicesAt = verticesAt + (vertices * SurfaceVertex.Size);
            var bytes = new byte[indicesAt + (triangles * 12)];
            var header = new SurfaceHeader
            {
                Magic = Constants.SurfaceMagic,
                Major = Constants.SurfaceMajor,
                IndexBytes = 4,
                HeaderBytes = SurfaceHeader.Size,
                VertexCount = (uint)vertices,
                TriangleCount = (uint)triangles,
                MinimumM = new Double3 { X = 0.1, Y = 0.2, Z = 0.3 },
                EdgeM = 0.5,
                NameBytes = (ushort)nameBytes.Length,
                FrameBytes = (ushort)frameBytes.Length,
            };
            header.Write(bytes);
            nameBytes.CopyTo(bytes, SurfaceHeader.Size);
            frameBytes.CopyTo(bytes, SurfaceHeader.Size + nameBytes.Length);
            for (int vertex = 0; vertex < vertices; vertex++)
            {
                var at = bytes.AsSpan(verticesAt + (vertex * SurfaceVertex.Size), SurfaceVertex.Size);
                WireBytes.WriteU16(at, 0, (ushort)(vertex * 65535L / (vertices - 1)));
                WireBytes.WriteU16(at, 2, (ushort)(1000 * (vertex % 2)));
                WireBytes.WriteU16(at, 4, (ushort)((vertex * 7919) % 65536));
                at[8] = 127;
            }

            for (int corner = 0; corner < 3 * triangles; corner++)
            {
                WireBytes.WriteU32(bytes, indicesAt + (4 * corner), (uint)((corner / 3) + (corner % 3)));
            }

            if (lastIndex.HasValue)
            {
                WireBytes.WriteU32(bytes, bytes.Length - 4, lastIndex.Value);
            }

            return bytes;
        }

        internal static string Hash(byte[] bytes)
        {
            using var hash = SHA256.Create();
            return Hexadecimal.Write(hash.ComputeHash(bytes));
        }

        internal static SurfaceEntry Entry(string name, byte[] payload, params byte[][] coarser)
        {
            var full = SurfacePayload.Decode(payload);
            var entry = new SurfaceEntry
            {
                Name = name,
                Sha256 = Hash(payload),
                VertexCount = (uint)full.VertexCount,
                TriangleCount = (uint)full.TriangleCount,
                ByteCount = (ulong)payload.Length,
                QuantisationStepMm = 0.01,
                Frame = full.Frame,
                Approval = "approved",
                ApprovedBy = "Dr. A. Example",
            };
            foreach (var level in coarser)
            {
                entry.Levels.Add(Level(level, 1.0));
            }

            if (coarser.Length > 0)
            {
                entry.Levels.Add(Level(payload, 0.0));
            }

            return entry;
        }

        private static SurfaceLevel Level(byte[] payload, double deviationMm)
        {
            var decoded = SurfacePayload.Decode(payload);
            return new SurfaceLevel
            {
                Sha256 = Hash(payload),
                VertexCount = (uint)decoded.VertexCount,
                TriangleCount = (uint)decoded.TriangleCount,
                ByteCount = (ulong)payload.Length,
                QuantisationStepMm = 0.01,
                DeviationMaxMm = deviationMm,
                DeviationP95Mm = deviationMm / 2.0,
            };
        }
    }
}
