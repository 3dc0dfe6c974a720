#nullable enable
using System;

namespace SurgNav.Core.Transport
{
    /// <summary>
    /// Bytes as they came. It grows only when it is full of a frame that is still incomplete, so that its size follows what
    /// has arrived and never what was announced.
    /// </summary>
    internal sealed class ReceiveBuffer
    {
        internal const int InitialBytes = 1 << 16;

        private byte[] bytes = new byte[InitialBytes];
        private int start;
        private int end;

        internal int Count => end - start;

        internal int Capacity => bytes.Length;

        /// <summary>What has come and was not consumed.</summary>
        internal Span<byte> Unread => bytes.AsSpan(start, end - start);

        internal void Clear()
        {
            start = 0;
            end = 0;
            if (bytes.Length > InitialBytes)
            {
                bytes = new byte[InitialBytes];
            }
        }

        /// <summary>A part of what is unread, as memory; valid until the next Room.</summary>
        internal Memory<byte> Part(int offset, int count) => bytes.AsMemory(start + offset, count);

        internal void Consume(int count) => start += count;

        /// <summary>Where the next bytes may be put; moves what is unread. At least one byte.</summary>
        internal ArraySegment<byte> Room()
        {
            if (start == end)
            {
                start = 0;
                end = 0;
            }
            else if (start > 0 && bytes.Length - end < bytes.Length / 2)
            {
                Buffer.BlockCopy(bytes, start, bytes, 0, end - start);
                end -= start;
                start = 0;
            }

            if (end == bytes.Length)
            {
                Array.Resize(ref bytes, 2 * bytes.Length);
            }

            return new ArraySegment<byte>(bytes, end, bytes.Length - end);
        }

        internal void Filled(int count) => end += count;
    }
}
