#nullable enable
using System;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace SurgNav.Core.Transport.Crypto
{
    /// <summary>
    /// The stream cipher Salsa20/20, and HSalsa20, which makes XSalsa20 of it (Bernstein, Extending the Salsa20 nonce, 2011).
    /// </summary>
    internal static class Salsa20
    {
        internal const int BlockBytes = 64;

        // "expand 32-byte k"
        private const uint Sigma0 = 0x61707865, Sigma1 = 0x3320646e, Sigma2 = 0x79622d32, Sigma3 = 0x6b206574;

        /// <summary>Derives the key under which the last 8 bytes of a nonce of 24 are used, from its first 16.</summary>
        internal static void HSalsa20(Span<byte> derived, ReadOnlySpan<byte> key, ReadOnlySpan<byte> input)
        {
            Span<uint> state = stackalloc uint[16];
            Begin(state, key, input);
            Span<uint> mixed = stackalloc uint[16];
            Rounds(mixed, state);
            for (int index = 0; index < 4; index++)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(derived.Slice(4 * index), mixed[5 * index]);
                BinaryPrimitives.WriteUInt32LittleEndian(derived.Slice(16 + (4 * index)), mixed[6 + index]);
            }

            state.Clear();
            mixed.Clear();
        }

        /// <summary>The first 64 bytes of the stream.</summary>
        internal static void FirstBlock(Span<byte> block, ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce)
        {
            block.Slice(0, BlockBytes).Clear();
            Span<uint> state = stackalloc uint[16];
            Begin(state, key, nonce);
            state[8] = 0;
            state[9] = 0;
            Span<uint> mixed = stackalloc uint[16];
            XorBlocks(block.Slice(0, BlockBytes), state, mixed);
        }

        /// <summary>Encrypts or decrypts in place with the stream from its second block on.</summary>
        internal static void XorAfterFirstBlock(Span<byte> data, ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce)
        {
            Span<uint> state = stackalloc uint[16];
            Begin(state, key, nonce);
            state[8] = 1;
            state[9] = 0;
            Span<uint> mixed = stackalloc uint[16];
            int whole = data.Length & ~(BlockBytes - 1);
            XorBlocks(data.Slice(0, whole), state, mixed);
            if (whole < data.Length)
            {
                Span<byte> last = stackalloc byte[BlockBytes];
                var rest = data.Slice(whole);
                rest.CopyTo(last);
                XorBlocks(last, state, mixed);
                last.Slice(0, rest.Length).CopyTo(rest);
            }

            state.Clear();
            mixed.Clear();
        }

        /// <summary>Words 6 to 9 take 16 bytes: HSalsa20's input, or 8 of nonce and the block counter.</summary>
        private static void Begin(Span<uint> state, ReadOnlySpan<byte> key, ReadOnlySpan<byte> input)
        {
            state[0] = Sigma0;
            state[5] = Sigma1;
            state[10] = Sigma2;
            state[15] = Sigma3;
            for (int index = 0; index < 4; index++)
            {
                state[1 + index] = BinaryPrimitives.ReadUInt32LittleEndian(key.Slice(4 * index));
                state[11 + index] = BinaryPrimitives.ReadUInt32LittleEndian(key.Slice(16 + (4 * index)));
            }

            for (int index = 0; index < input.Length / 4; index++)
            {
                state[6 + index] = BinaryPrimitives.ReadUInt32LittleEndian(input.Slice(4 * index));
            }
        }

        private static void XorBlocks(Span<byte> blocks, Span<uint> state, Span<uint> mixed)
        {
            for (int at = 0; at < blocks.Length; at += BlockBytes)
            {
                Rounds(mixed, state);
                var block = blocks.Slice(at, BlockBytes);
                for (int index = 0; index < 16; index += 2)
                {
                    ulong low = mixed[index] + state[index];
                    ulong high = mixed[index + 1] + state[index + 1];
                    var word = block.Slice(4 * index, 8);
                    ulong stream = (uint)low | (high << 32);
                    BinaryPrimitives.WriteUInt64LittleEndian(word, BinaryPrimitives.ReadUInt64LittleEndian(word) ^ stream);
                }

                state[8]++;
                state[9] += state[8] == 0 ? 1u : 0u;
            }
        }

        /// <summary>Ten double rounds, of columns and of rows.</summary>
        private static void Rounds(Span<uint> mixed, ReadOnlySpan<uint> state)
        {
            uint x0 = state[0], x1 = state[1], x2 = state[2], x3 = state[3];
            uint x4 = state[4], x5 = state[5], x6 = state[6], x7 = state[7];
            uint x8 = state[8], x9 = state[9], x10 = state[10], x11 = state[11];
            uint x12 = state[12], x13 = state[13], x14 = state[14], x15 = state[15];
            for (int round = 0; round < 10; round++)
            {
                QuarterRound(ref x0, ref x4, ref x8, ref x12);
                QuarterRound(ref x5, ref x9, ref x13, ref x1);
                QuarterRound(ref x10, ref x14, ref x2, ref x6);
                QuarterRound(ref x15, ref x3, ref x7, ref x11);
                QuarterRound(ref x0, ref x1, ref x2, ref x3);
                QuarterRound(ref x5, ref x6, ref x7, ref x4);
                QuarterRound(ref x10, ref x11, ref x8, ref x9);
                QuarterRound(ref x15, ref x12, ref x13, ref x14);
            }

            mixed[0] = x0;
            mixed[1] = x1;
            mixed[2] = x2;
            mixed[3] = x3;
            mixed[4] = x4;
            mixed[5] = x5;
            mixed[6] = x6;
            mixed[7] = x7;
            mixed[8] = x8;
            mixed[9] = x9;
            mixed[10] = x10;
            mixed[11] = x11;
            mixed[12] = x12;
            mixed[13] = x13;
            mixed[14] = x14;
            mixed[15] = x15;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void QuarterRound(ref uint a, ref uint b, ref uint c, ref uint d)
        {
            uint sum = a + d;
            b ^= (sum << 7) | (sum >> 25);
            sum = b + a;
            c ^= (sum << 9) | (sum >> 23);
            sum = c + b;
            d ^= (sum << 13) | (sum >> 19);
            sum = d + c;
            a ^= (sum << 18) | (sum >> 14);
        }
    }
}
