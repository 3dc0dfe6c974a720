#nullable enable
using System;
using System.Collections.Generic;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// Keeps the memory of surfaces for the next ones: what ArrayPool.Shared does not do beyond about 1 MB. Sizes are
    /// powers of two and one and a half of them, so that at most a third of a buffer is unused.
    /// </summary>
    public sealed class BufferPool
    {
        private const int SmallestBytes = 4096;
        private readonly object gate = new object();
        private readonly List<byte[]> free = new List<byte[]>();
        private readonly long keepBytes;
        private long keptBytes;

        /// <param name="keepBytes">Beyond this, memory that comes back goes to the garbage collector.</param>
        public BufferPool(long keepBytes)
        {
            this.keepBytes = keepBytes;
        }

        /// <summary>Bytes that wait for the next surface.</summary>
        public long KeptBytes
        {
            get
            {
                lock (gate)
                {
                    return keptBytes;
                }
            }
        }

        /// <summary>At least so many bytes, with whatever they held before.</summary>
        public byte[] Rent(int bytes) => TryRentKept(bytes) ?? new byte[Rounded(bytes)];

        /// <summary>The same from what is kept; null if nothing fits.</summary>
        public byte[]? TryRentKept(int bytes)
        {
            int size = Rounded(bytes);
            lock (gate)
            {
                for (int index = free.Count - 1; index >= 0; index--)
                {
                    var buffer = free[index];
                    if (buffer.Length == size)
                    {
                        free.RemoveAt(index);
                        keptBytes -= size;
                        return buffer;
                    }
                }
            }

            return null;
        }

        /// <summary>The caller must not touch it again.</summary>
        public void Return(byte[] buffer)
        {
            lock (gate)
            {
                if (keptBytes + buffer.Length <= keepBytes && buffer.Length == Rounded(buffer.Length))
                {
                    free.Add(buffer);
                    keptBytes += buffer.Length;
                }
            }
        }

        private static int Rounded(int bytes)
        {
            int size = SmallestBytes;
            while (size < bytes && size < 1 << 29)
            {
                int half = size + (size / 2);
                if (half >= bytes)
                {
                    return half;
                }

                size *= 2;
            }

            return Math.Max(size, bytes);
        }
    }
}
