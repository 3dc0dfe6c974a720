#nullable enable
using System;

namespace SurgNav.Core.Transport.Crypto
{
    /// <summary>Diffie-Hellman on Curve25519: X25519 of RFC 7748, section 5, which is NaCl's crypto_scalarmult.</summary>
    internal static class Curve25519
    {
        internal const int Size = 32;
        private const long A24 = 121665;

        /// <summary>The public key of a secret one.</summary>
        internal static void PublicKey(Span<byte> publicKey, ReadOnlySpan<byte> secret)
        {
            Span<byte> nine = stackalloc byte[Size];
            nine.Clear();
            nine[0] = 9;
            Multiply(publicKey, secret, nine);
        }

        /// <summary>Montgomery's ladder, the same steps whatever the secret is.</summary>
        internal static void Multiply(Span<byte> result, ReadOnlySpan<byte> secret, ReadOnlySpan<byte> point)
        {
            Span<byte> scalar = stackalloc byte[Size];
            secret.Slice(0, Size).CopyTo(scalar);
            scalar[0] &= 248;
            scalar[31] = (byte)((scalar[31] & 127) | 64);

            Span<long> memory = stackalloc long[7 * Field25519.Limbs];
            memory.Clear();
            var x1 = Element(memory, 0);
            var x2 = Element(memory, 1);
            var z2 = Element(memory, 2);
            var x3 = Element(memory, 3);
            var z3 = Element(memory, 4);
            Field25519.FromBytes(x1, point);
            x1.CopyTo(x3);
            x2[0] = 1;
            z3[0] = 1;

            int swapped = 0;
            for (int at = 254; at >= 0; at--)
            {
                int bit = (scalar[at >> 3] >> (at & 7)) & 1;
                Field25519.Swap(x2, x3, swapped ^ bit);
                Field25519.Swap(z2, z3, swapped ^ bit);
                swapped = bit;
                Step(x1, x2, z2, x3, z3, Element(memory, 5), Element(memory, 6));
            }

            Field25519.Swap(x2, x3, swapped);
            Field25519.Swap(z2, z3, swapped);
            Field25519.Invert(z2, z2);
            Field25519.Multiply(x2, x2, z2);
            Field25519.ToBytes(result, x2);
            scalar.Clear();
            memory.Clear();
        }

        private static Span<long> Element(Span<long> memory, int index)
        {
            return memory.Slice(index * Field25519.Limbs, Field25519.Limbs);
        }

        /// <summary>Doubles (x2 : z2) and adds it to (x3 : z3), whose difference is x1 (RFC 7748, section 5).</summary>
        private static void Step(
            ReadOnlySpan<long> x1,
            Span<long> x2,
            Span<long> z2,
            Span<long> x3,
            Span<long> z3,
            Span<long> a,
            Span<long> b)
        {
            Field25519.Add(a, x2, z2); // A
            Field25519.Subtract(b, x2, z2); // B
            Field25519.Add(x2, x3, z3); // C
            Field25519.Subtract(z2, x3, z3); // D
            Field25519.Multiply(x3, z2, a); // DA
            Field25519.Multiply(z3, x2, b); // CB
            Field25519.Square(a, a); // AA
            Field25519.Square(b, b); // BB
            Field25519.Add(x2, x3, z3);
            Field25519.Subtract(z2, x3, z3);
            Field25519.Square(x3, x2); // (DA + CB)^2
            Field25519.Square(z2, z2);
            Field25519.Multiply(z3, z2, x1); // x1 (DA - CB)^2
            Field25519.Multiply(x2, a, b); // AA BB
            Field25519.Subtract(b, a, b); // E = AA - BB
            Field25519.MultiplySmall(z2, b, A24);
            Field25519.Add(z2, z2, a);
            Field25519.Multiply(z2, z2, b); // E (AA + a24 E)
        }
    }
}
