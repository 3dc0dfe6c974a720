#nullable enable
using System;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace SurgNav.Core.Transport.Crypto
{
    /// <summary>The one-time authenticator Poly1305 (Bernstein, FSE 2005), in five limbs of 26 bits.</summary>
    internal static class Poly1305
    {
        internal const int TagBytes = 16;
        private const uint Mask = 0x3ffffff;

        /// <summary>The tag of a message under a key of 32 bytes that is used for this message alone.</summary>
        internal static void Tag(Span<byte> tag, ReadOnlySpan<byte> message, ReadOnlySpan<byte> key)
        {
            Span<uint> sum = stackalloc uint[5];
            sum.Clear();
            int whole = message.Length & ~15;
            Blocks(sum, message.Slice(0, whole), key, 1u << 24);
            if (whole < message.Length)
            {
                Span<byte> last = stackalloc byte[16];
                last.Clear();
                message.Slice(whole).CopyTo(last);
                last[message.Length - whole] = 1;
                Blocks(sum, last, key, 0);
            }

            Finish(tag, sum, key.Slice(16));
        }

        /// <summary>True if all bytes are equal; takes the same time wherever they differ.</summary>
        internal static bool Same(ReadOnlySpan<byte> one, ReadOnlySpan<byte> other)
        {
            int differing = one.Length ^ other.Length;
            for (int index = 0; index < one.Length && index < other.Length; index++)
            {
                differing |= one[index] ^ other[index];
            }

            return differing == 0;
        }

        /// <summary>sum = (sum + block) r modulo 2^130 - 5, for each block of 16 bytes.</summary>
        private static void Blocks(Span<uint> sum, ReadOnlySpan<byte> blocks, ReadOnlySpan<byte> key, uint above)
        {
            uint r0 = Word(key, 0) & 0x3ffffff;
            uint r1 = (Word(key, 3) >> 2) & 0x3ffff03;
            uint r2 = (Word(key, 6) >> 4) & 0x3ffc0ff;
            uint r3 = (Word(key, 9) >> 6) & 0x3f03fff;
            uint r4 = (Word(key, 12) >> 8) & 0x00fffff;
            uint s1 = 5 * r1, s2 = 5 * r2, s3 = 5 * r3, s4 = 5 * r4;
            uint h0 = sum[0], h1 = sum[1], h2 = sum[2], h3 = sum[3], h4 = sum[4];
            for (int at = 0; at < blocks.Length; at += 16)
            {
                var block = blocks.Slice(at, 16);
                h0 += Word(block, 0) & Mask;
                h1 += (Word(block, 3) >> 2) & Mask;
                h2 += (Word(block, 6) >> 4) & Mask;
                h3 += Word(block, 9) >> 6;
                h4 += (Word(block, 12) >> 8) | above;

                ulong d0 = ((ulong)h0 * r0) + ((ulong)h1 * s4) + ((ulong)h2 * s3) + ((ulong)h3 * s2) + ((ulong)h4 * s1);
                ulong d1 = ((ulong)h0 * r1) + ((ulong)h1 * r0) + ((ulong)h2 * s4) + ((ulong)h3 * s3) + ((ulong)h4 * s2);
                ulong d2 = ((ulong)h0 * r2) + ((ulong)h1 * r1) + ((ulong)h2 * r0) + ((ulong)h3 * s4) + ((ulong)h4 * s3);
                ulong d3 = ((ulong)h0 * r3) + ((ulong)h1 * r2) + ((ulong)h2 * r1) + ((ulong)h3 * r0) + ((ulong)h4 * s4);
                ulong d4 = ((ulong)h0 * r4) + ((ulong)h1 * r3) + ((ulong)h2 * r2) + ((ulong)h3 * r1) + ((ulong)h4 * r0);

                d1 += d0 >> 26;
                d2 += d1 >> 26;
                d3 += d2 >> 26;
                d4 += d3 >> 26;
                h0 = ((uint)d0 & Mask) + ((uint)(d4 >> 26) * 5);
                h1 = ((uint)d1 & Mask) + (h0 >> 26);
                h0 &= Mask;
                h2 = (uint)d2 & Mask;
                h3 = (uint)d3 & Mask;
                h4 = (uint)d4 & Mask;
            }

            sum[0] = h0;
            sum[1] = h1;
            sum[2] = h2;
            sum[3] = h3;
            sum[4] = h4;
        }

        /// <summary>Reduces the sum wholly and adds the second half of the key modulo 2^128.</summary>
        private static void Finish(Span<byte> tag, Span<uint> h, ReadOnlySpan<byte> pad)
        {
            for (int round = 0; round < 2; round++)
            {
                for (int limb = 0; limb < 4; limb++)
                {
                    h[limb + 1] += h[limb] >> 26;
                    h[limb] &= Mask;
                }

                h[0] += 5 * (h[4] >> 26);
                h[4] &= Mask;
            }

            h[1] += h[0] >> 26;
            h[0] &= Mask;

            // h - p = h + 5 - 2^130: taken, without a branch, if it is not negative.
            Span<uint> less = stackalloc uint[5];
            uint carry = 5;
            for (int limb = 0; limb < 5; limb++)
            {
                uint word = h[limb] + carry;
                carry = word >> 26;
                less[limb] = word & Mask;
            }

            uint taken = 0u - carry;
            for (int limb = 0; limb < 5; limb++)
            {
                h[limb] = (h[limb] & ~taken) | (less[limb] & taken);
            }

            ulong added = 0;
            for (int index = 0; index < 4; index++)
            {
                uint word = (h[index] >> (6 * index)) | (h[index + 1] << (26 - (6 * index)));
                added += (ulong)word + Word(pad, 4 * index);
                BinaryPrimitives.WriteUInt32LittleEndian(tag.Slice(4 * index), (uint)added);
                added >>= 32;
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static uint Word(ReadOnlySpan<byte> bytes, int at)
        {
            return BinaryPrimitives.ReadUInt32LittleEndian(bytes.Slice(at, 4));
        }
    }
}
