#nullable enable
using System;

namespace SurgNav.Core.Transport.Crypto
{
    /// <summary>
    /// Numbers modulo 2^255 - 19 in ten limbs of 26 and 25 bits in turn, as the reference implementation "ref10" of NaCl has
    /// them (Bernstein, Curve25519, PKC 2006, section 4). No branch and no index depends on a value.
    /// </summary>
    internal static class Field25519
    {
        internal const int Limbs = 10;

        internal static void Add(Span<long> sum, ReadOnlySpan<long> f, ReadOnlySpan<long> g)
        {
            for (int limb = 0; limb < Limbs; limb++)
            {
                sum[limb] = f[limb] + g[limb];
            }
        }

        internal static void Subtract(Span<long> difference, ReadOnlySpan<long> f, ReadOnlySpan<long> g)
        {
            for (int limb = 0; limb < Limbs; limb++)
            {
                difference[limb] = f[limb] - g[limb];
            }
        }

        /// <summary>Swaps if <paramref name="bit"/> is 1, leaves both if it is 0.</summary>
        internal static void Swap(Span<long> f, Span<long> g, int bit)
        {
            long mask = -(long)bit;
            for (int limb = 0; limb < Limbs; limb++)
            {
                long differing = mask & (f[limb] ^ g[limb]);
                f[limb] ^= differing;
                g[limb] ^= differing;
            }
        }

        /// <summary>Factors may be sums or differences of two products; the result may be stored in either.</summary>
        internal static void Multiply(Span<long> product, ReadOnlySpan<long> f, ReadOnlySpan<long> g)
        {
            long f0 = f[0], f1 = f[1], f2 = f[2], f3 = f[3], f4 = f[4];
            long f5 = f[5], f6 = f[6], f7 = f[7], f8 = f[8], f9 = f[9];
            long g0 = g[0], g1 = g[1], g2 = g[2], g3 = g[3], g4 = g[4];
            long g5 = g[5], g6 = g[6], g7 = g[7], g8 = g[8], g9 = g[9];

            // What passes 2^255 comes back times 19; two limbs of 25 bits, whose weights were rounded up, count double.
            long g1x19 = 19 * g1, g2x19 = 19 * g2, g3x19 = 19 * g3, g4x19 = 19 * g4, g5x19 = 19 * g5;
            long g6x19 = 19 * g6, g7x19 = 19 * g7, g8x19 = 19 * g8, g9x19 = 19 * g9;
            long f1x2 = 2 * f1, f3x2 = 2 * f3, f5x2 = 2 * f5, f7x2 = 2 * f7, f9x2 = 2 * f9;
            long h0 = (f0 * g0) + (f1x2 * g9x19) + (f2 * g8x19) + (f3x2 * g7x19) + (f4 * g6x19)
                + (f5x2 * g5x19) + (f6 * g4x19) + (f7x2 * g3x19) + (f8 * g2x19) + (f9x2 * g1x19);
            long h1 = (f0 * g1) + (f1 * g0) + (f2 * g9x19) + (f3 * g8x19) + (f4 * g7x19)
                + (f5 * g6x19) + (f6 * g5x19) + (f7 * g4x19) + (f8 * g3x19) + (f9 * g2x19);
            long h2 = (f0 * g2) + (f1x2 * g1) + (f2 * g0) + (f3x2 * g9x19) + (f4 * g8x19)
                + (f5x2 * g7x19) + (f6 * g6x19) + (f7x2 * g5x19) + (f8 * g4x19) + (f9x2 * g3x19);
            long h3 = (f0 * g3) + (f1 * g2) + (f2 * g1) + (f3 * g0) + (f4 * g9x19)
                + (f5 * g8x19) + (f6 * g7x19) + (f7 * g6x19) + (f8 * g5x19) + (f9 * g4x19);
            long h4 = (f0 * g4) + (f1x2 * g3) + (f2 * g2) + (f3x2 * g1) + (f4 * g0)
                + (f5x2 * g9x19) + (f6 * g8x19) + (f7x2 * g7x19) + (f8 * g6x19) + (f9x2 * g5x19);
            long h5 = (f0 * g5) + (f1 * g4) + (f2 * g3) + (f3 * g2) + (f4 * g1)
                + (f5 * g0) + (f6 * g9x19) + (f7 * g8x19) + (f8 * g7x19) + (f9 * g6x19);
            long h6 = (f0 * g6) + (f1x2 * g5) + (f2 * g4) + (f3x2 * g3) + (f4 * g2)
                + (f5x2 * g1) + (f6 * g0) + (f7x2 * g9x19) + (f8 * g8x19) + (f9x2 * g7x19);
            long h7 = (f0 * g7) + (f1 * g6) + (f2 * g5) + (f3 * g4) + (f4 * g3)
                + (f5 * g2) + (f6 * g1) + (f7 * g0) + (f8 * g9x19) + (f9 * g8x19);
            long h8 = (f0 * g8) + (f1x2 * g7) + (f2 * g6) + (f3x2 * g5) + (f4 * g4)
                + (f5x2 * g3) + (f6 * g2) + (f7x2 * g1) + (f8 * g0) + (f9x2 * g9x19);
            long h9 = (f0 * g9) + (f1 * g8) + (f2 * g7) + (f3 * g6) + (f4 * g5)
                + (f5 * g4) + (f6 * g3) + (f7 * g2) + (f8 * g1) + (f9 * g0);

            product[0] = h0;
            product[1] = h1;
            product[2] = h2;
            product[3] = h3;
            product[4] = h4;
            product[5] = h5;
            product[6] = h6;
            product[7] = h7;
            product[8] = h8;
            product[9] = h9;
            Carry(product);
        }

        internal static void Square(Span<long> square, ReadOnlySpan<long> f) => Multiply(square, f, f);

        internal static void MultiplySmall(Span<long> product, ReadOnlySpan<long> f, long factor)
        {
            for (int limb = 0; limb < Limbs; limb++)
            {
                product[limb] = f[limb] * factor;
            }

            Carry(product);
        }

        /// <summary>z^(p - 2) by Fermat: p - 2 = 2^255 - 21, whose bits are all ones but the second and the fourth.</summary>
        internal static void Invert(Span<long> inverse, ReadOnlySpan<long> z)
        {
            Span<long> power = stackalloc long[Limbs];
            z.Slice(0, Limbs).CopyTo(power);
            for (int bit = 253; bit >= 0; bit--)
            {
                Square(power, power);
                if (bit != 2 && bit != 4)
                {
                    Multiply(power, power, z);
                }
            }

            power.CopyTo(inverse);
        }

        internal static void FromBytes(Span<long> f, ReadOnlySpan<byte> bytes)
        {
            // The highest bit is ignored (RFC 7748, section 5).
            for (int limb = 0; limb < Limbs; limb++)
            {
                int bit = ((51 * limb) + 1) / 2;
                int width = 26 - (limb & 1);
                long word = 0;
                for (int index = 0; index < 5 && (bit / 8) + index < 32; index++)
                {
                    word |= (long)bytes[(bit / 8) + index] << (8 * index);
                }

                f[limb] = (word >> (bit % 8)) & ((1L << width) - 1);
            }
        }

        /// <summary>The one representation below p.</summary>
        internal static void ToBytes(Span<byte> bytes, ReadOnlySpan<long> f)
        {
            Span<long> h = stackalloc long[Limbs];
            f.Slice(0, Limbs).CopyTo(h);
            Carry(h);

            // q = floor(h / p), found by carrying h + 19 through all limbs; then h - q p, where the carry out is dropped.
            long q = ((19 * h[9]) + (1L << 24)) >> 25;
            for (int limb = 0; limb < Limbs; limb++)
            {
                q = (h[limb] + q) >> (26 - (limb & 1));
            }

            h[0] += 19 * q;
            for (int limb = 0; limb < Limbs; limb++)
            {
                int width = 26 - (limb & 1);
                long carry = h[limb] >> width;
                h[limb] -= carry << width;
                if (limb < Limbs - 1)
                {
                    h[limb + 1] += carry;
                }
            }

            bytes.Slice(0, 32).Clear();
            for (int limb = 0; limb < Limbs; limb++)
            {
                int bit = ((51 * limb) + 1) / 2;
                long word = h[limb] << (bit % 8);
                for (int index = 0; index < 5 && (bit / 8) + index < 32; index++)
                {
                    bytes[(bit / 8) + index] |= (byte)(word >> (8 * index));
                }
            }
        }

        /// <summary>Brings the limbs back to 26 and 25 bits with a sign.</summary>
        private static void Carry(Span<long> h)
        {
            // Twice around: after the first, limb 0 has taken in 19 times what passed the top.
            for (int round = 0; round < 2; round++)
            {
                for (int limb = 0; limb < Limbs; limb++)
                {
                    int width = 26 - (limb & 1);
                    long carry = (h[limb] + (1L << (width - 1))) >> width;
                    h[limb] -= carry << width;
                    if (limb < Limbs - 1)
                    {
                        h[limb + 1] += carry;
                    }
                    else
                    {
                        h[0] += 19 * carry;
                    }
                }
            }
        }
    }
}
