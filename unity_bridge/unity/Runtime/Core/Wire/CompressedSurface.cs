#nullable enable
using System;

namespace SurgNav.Core.Wire
{
    /// <summary>
    /// Restores the payload of a compressed surface, bit for bit; docs/unity_bridge/protocol.md has the steps. Check what comes out
    /// against the payload's SHA-256, then give it to SurfacePayload.Decode.
    /// </summary>
    /// <remarks>
    /// Keep one: its work space, about 36 bytes a vertex and 12 a triangle, grows to the largest surface and is used
    /// again. Besides, a call makes the few hundred bytes of a DeflateStream. Not for two threads at a time.
    /// </remarks>
    public sealed class CompressedSurface
    {
        private readonly PackedBytes packed = new PackedBytes();
        private int[] corners = Array.Empty<int>();
        private int[] positions = Array.Empty<int>();
        private long[] normals = Array.Empty<long>();

        /// <summary>How many bytes the payload has, for a buffer of the caller's.</summary>
        /// <exception cref="WireException">Truncated, of another version, or counts that contradict one another.</exception>
        public static int PayloadBytes(ReadOnlySpan<byte> data)
        {
            return CompressedHead.Read(data, Constants.MaxPayloadBytes).PayloadBytes;
        }

        /// <summary>The payload.</summary>
        /// <param name="data">The compressed form.</param>
        /// <param name="limitBytes">What the manifest says the payload has; a larger one is refused unread.</param>
        /// <exception cref="WireException">Truncated, of another version, larger than it says, or no surface.</exception>
        public byte[] Restore(ReadOnlyMemory<byte> data, int limitBytes = Constants.MaxPayloadBytes)
        {
            var head = Unpack(data, limitBytes);
            var payload = new byte[head.PayloadBytes];
            Write(data.Span, head, payload);
            return payload;
        }

        /// <summary>The payload, at the beginning of a buffer; returns its length.</summary>
        /// <exception cref="WireException">As for the other, or a buffer that is too short.</exception>
        public int Restore(ReadOnlyMemory<byte> data, Span<byte> buffer)
        {
            var head = Unpack(data, buffer.Length);
            Write(data.Span, head, buffer.Slice(0, head.PayloadBytes));
            return head.PayloadBytes;
        }

        private static void Grow<T>(ref T[] array, int length)
        {
            if (array.Length < length)
            {
                array = new T[length];
            }
        }

        private CompressedHead Unpack(ReadOnlyMemory<byte> data, int limitBytes)
        {
            var head = CompressedHead.Read(data.Span, limitBytes);
            packed.Inflate(data.Slice(head.BodyAt), head.PackedBytes);
            // Only now that so many bytes have really come is anything made from the counts.
            Grow(ref corners, 3 * head.TriangleCount);
            Grow(ref positions, 3 * head.VertexCount);
            Grow(ref normals, 3 * head.VertexCount);
            var restorer = new SurfaceRestorer(packed.Bytes, head, corners, positions);
            restorer.Run();
            SumNormals(head);
            return head;
        }

        /// <summary>Of each vertex the sum of its triangles' normals by area, in integers.</summary>
        private void SumNormals(in CompressedHead head)
        {
            Array.Clear(normals, 0, 3 * head.VertexCount);
            for (int at = 0; at < 3 * head.TriangleCount; at += 3)
            {
                int a = 3 * corners[at];
                int b = 3 * corners[at + 1];
                int c = 3 * corners[at + 2];
                long ux = positions[b] - positions[a];
                long uy = positions[b + 1] - positions[a + 1];
                long uz = positions[b + 2] - positions[a + 2];
                long vx = positions[c] - positions[a];
                long vy = positions[c + 1] - positions[a + 1];
                long vz = positions[c + 2] - positions[a + 2];
                long x = (uy * vz) - (uz * vy);
                long y = (uz * vx) - (ux * vz);
                long z = (ux * vy) - (uy * vx);
                Add(a, x, y, z);
                Add(b, x, y, z);
                Add(c, x, y, z);
            }
        }

        private void Add(int at, long x, long y, long z)
        {
            normals[at] += x;
            normals[at + 1] += y;
            normals[at + 2] += z;
        }

        private void Write(ReadOnlySpan<byte> data, in CompressedHead head, Span<byte> payload)
        {
            data.Slice(head.PayloadHeadAt, head.VerticesAt).CopyTo(payload);
            int count = head.VertexCount;
            var off = packed.Bytes.Slice(head.PackedBytes - (3 * count));
            for (int vertex = 0; vertex < count; vertex++)
            {
                var bytes = payload.Slice(head.VerticesAt + (vertex * SurfaceVertex.Size), SurfaceVertex.Size);
                bytes.Clear();
                int at = 3 * vertex;
                WireBytes.WriteU16(bytes, SurfaceVertex.PositionOffset, (ushort)positions[at]);
                WireBytes.WriteU16(bytes, SurfaceVertex.PositionOffset + 2, (ushort)positions[at + 1]);
                WireBytes.WriteU16(bytes, SurfaceVertex.PositionOffset + 4, (ushort)positions[at + 2]);
                ScaleNormal(at);
                for (int axis = 0; axis < 3; axis++)
                {
                    int residual = SurfaceRestorer.Unzigzag(off[vertex + (axis * count)]);
                    bytes[SurfaceVertex.NormalOffset + axis] = unchecked((byte)(normals[at + axis] + residual));
                }
            }

            WriteIndices(head, payload.Slice(head.VerticesAt + (count * SurfaceVertex.Size)));
        }

        /// <summary>Brings a sum of normals to length 127, rounded, in integers: every machine finds the same.</summary>
        private void ScaleNormal(int at)
        {
            long largest = Math.Max(Math.Abs(normals[at]), Math.Max(Math.Abs(normals[at + 1]), Math.Abs(normals[at + 2])));
            int shift = 0;
            while (largest >> shift >= 1L << 30)
            {
                shift++;
            }

            long squared = 0;
            for (int axis = 0; axis < 3; axis++)
            {
                long size = Math.Abs(normals[at + axis]) >> shift;
                squared += size * size;
            }

            long length = Math.Max(1, SquareRoot(squared));
            for (int axis = 0; axis < 3; axis++)
            {
                long size = Math.Abs(normals[at + axis]) >> shift;
                long rounded = ((2 * Constants.NormalSteps * size) + length) / (2 * length);
                normals[at + axis] = normals[at + axis] < 0 ? -rounded : rounded;
            }
        }

        /// <summary>Rounded down; a double's own root may be one off for numbers beyond 2^53.</summary>
        private static long SquareRoot(long squared)
        {
            long root = (long)Math.Sqrt(squared);
            if (root * root > squared)
            {
                root--;
            }

            return (root + 1) * (root + 1) <= squared ? root + 1 : root;
        }

        private void WriteIndices(in CompressedHead head, Span<byte> indices)
        {
            int width = head.IndexBytes;
            for (int index = 0; index < 3 * head.TriangleCount; index++)
            {
                if (width == 2)
                {
                    WireBytes.WriteU16(indices, 2 * index, (ushort)corners[index]);
                }
                else
                {
                    WireBytes.WriteU32(indices, 4 * index, (uint)corners[index]);
                }
            }
        }
    }
}
