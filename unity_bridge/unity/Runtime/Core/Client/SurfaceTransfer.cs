#nullable enable
using System;
using System.Security.Cryptography;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>One item on its way: its memory grows with what has really arrived, its hash as it comes.</summary>
    internal sealed class SurfaceTransfer : IDisposable
    {
        private readonly BufferPool pool;
        private IncrementalHash? hash;
        private byte[] buffer = Array.Empty<byte>();
        private long? startedNs;

        internal SurfaceTransfer(SurfaceItem item, BufferPool pool)
        {
            Item = item;
            this.pool = pool;
        }

        internal SurfaceItem Item { get; }

        /// <summary>Bytes that are here, from the first on.</summary>
        internal int Received { get; private set; }

        /// <summary>Up to where chunks were asked for.</summary>
        internal long Requested { get; private set; }

        internal bool IsWhole => (ulong)Received == Item.ByteCount;

        internal long Left => (long)Item.ByteCount - Requested;

        internal void Asked(int length, long nowNs)
        {
            Requested += length;
            startedNs ??= nowNs;
        }

        /// <summary>What is under way will not come: ask again from the first byte that is not here.</summary>
        internal void Rewind() => Requested = Received;

        /// <exception cref="MalformedMessageException">More than the manifest says, or nothing.</exception>
        internal void Add(SurfaceChunk chunk)
        {
            // One connection keeps the order; what does not continue here was asked for over an earlier one.
            if (chunk.Offset != (ulong)Received)
            {
                return;
            }

            ulong size = Item.ByteCount;
            int count = chunk.Data.Length;
            if (count == 0 || chunk.TotalBytes != size || (ulong)Received + (ulong)count > size)
            {
                throw new MalformedMessageException(
                    $"{count} bytes at {chunk.Offset} of {chunk.TotalBytes}",
                    $"some, and no more than the {size} bytes of the manifest");
            }

            Grow(Received + count);
            chunk.Data.Span.CopyTo(buffer.AsSpan(Received));
            hash ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            hash.AppendData(buffer, Received, count); // of an array: Mono copies a span first
            Received += count;
            Requested = Math.Max(Requested, Received);
        }

        /// <summary>Checks the hash and hands over the memory.</summary>
        /// <exception cref="MalformedMessageException">It is not the manifest's.</exception>
        internal byte[] Finish(long nowNs, out double seconds)
        {
            Span<byte> found = stackalloc byte[32];
            hash!.TryGetHashAndReset(found, out _);
            string text = Hexadecimal.Write(found);
            if (text != Item.Sha256)
            {
                throw new MalformedMessageException(
                    $"surface '{Item.Name}' with hash {text.Substring(0, 12)}", Item.Sha256.Substring(0, 12));
            }

            seconds = (nowNs - startedNs.GetValueOrDefault(nowNs)) / 1e9;
            var whole = buffer;
            buffer = Array.Empty<byte>();
            return whole;
        }

        /// <summary>Gives the memory back.</summary>
        public void Dispose()
        {
            hash?.Dispose();
            if (buffer.Length > 0)
            {
                pool.Return(buffer);
                buffer = Array.Empty<byte>();
            }
        }

        private void Grow(int needed)
        {
            if (needed <= buffer.Length)
            {
                return;
            }

            // Memory that is there already may be as large as the manifest says; new memory follows what has arrived.
            var larger = pool.TryRentKept((int)Item.ByteCount) ?? pool.Rent(
                (int)Math.Min(Math.Max(needed, 2L * buffer.Length), (long)Item.ByteCount));
            buffer.AsSpan(0, Received).CopyTo(larger);
            if (buffer.Length > 0)
            {
                pool.Return(buffer);
            }

            buffer = larger;
        }
    }
}
