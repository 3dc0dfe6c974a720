#nullable enable
using System;

namespace SurgNav.Core.Transport.Crypto
{
    /// <summary>
    /// NaCl's crypto_secretbox_xsalsa20poly1305 and crypto_box_curve25519xsalsa20poly1305, in place and without NaCl's
    /// leading zeros: a box is the 16 bytes of the tag, then as many bytes as the message has.
    /// </summary>
    internal static class SecretBox
    {
        internal const int NonceBytes = 24;
        internal const int KeyBytes = 32;

        /// <summary>The bytes that a box has more than its message.</summary>
        internal const int Overhead = Poly1305.TagBytes;

        // Of the first block of the stream, half is Poly1305's key; the other half already encrypts.
        private const int InFirstBlock = Salsa20.BlockBytes - KeyBytes;

        /// <summary>The key that two parties share: crypto_box_beforenm.</summary>
        internal static void SharedKey(Span<byte> shared, ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> secret)
        {
            Span<byte> point = stackalloc byte[Curve25519.Size];
            Span<byte> zeros = stackalloc byte[16];
            zeros.Clear();
            Curve25519.Multiply(point, secret, publicKey);
            Salsa20.HSalsa20(shared, point, zeros);
            point.Clear();
        }

        /// <summary>Turns 16 bytes of anything and the message after them into a box.</summary>
        internal static void Seal(Span<byte> box, ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce)
        {
            Span<byte> derived = stackalloc byte[KeyBytes];
            Salsa20.HSalsa20(derived, key, nonce.Slice(0, 16));
            SealDerived(box, derived, nonce.Slice(16));
            derived.Clear();
        }

        /// <summary>Opens a box in place: the message is then what follows its first 16 bytes. False: it is not genuine.</summary>
        internal static bool TryOpen(Span<byte> box, ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce)
        {
            Span<byte> derived = stackalloc byte[KeyBytes];
            Salsa20.HSalsa20(derived, key, nonce.Slice(0, 16));
            bool genuine = TryOpenDerived(box, derived, nonce.Slice(16));
            derived.Clear();
            return genuine;
        }

        /// <summary>As Seal, where the first 16 bytes of the nonce went into the key already.</summary>
        internal static void SealDerived(Span<byte> box, ReadOnlySpan<byte> derived, ReadOnlySpan<byte> shortNonce)
        {
            Span<byte> first = stackalloc byte[Salsa20.BlockBytes];
            Salsa20.FirstBlock(first, derived, shortNonce);
            var message = box.Slice(Overhead);
            Xor(message, first, derived, shortNonce);
            Poly1305.Tag(box, message, first.Slice(0, KeyBytes));
            first.Clear();
        }

        /// <summary>As TryOpen, where the first 16 bytes of the nonce went into the key already.</summary>
        internal static bool TryOpenDerived(Span<byte> box, ReadOnlySpan<byte> derived, ReadOnlySpan<byte> shortNonce)
        {
            if (box.Length < Overhead)
            {
                return false;
            }

            Span<byte> first = stackalloc byte[Salsa20.BlockBytes];
            Span<byte> tag = stackalloc byte[Poly1305.TagBytes];
            Salsa20.FirstBlock(first, derived, shortNonce);
            var message = box.Slice(Overhead);
            Poly1305.Tag(tag, message, first.Slice(0, KeyBytes));
            bool genuine = Poly1305.Same(tag, box.Slice(0, Overhead));
            if (genuine)
            {
                Xor(message, first, derived, shortNonce);
            }

            first.Clear();
            return genuine;
        }

        private static void Xor(
            Span<byte> message, ReadOnlySpan<byte> first, ReadOnlySpan<byte> derived, ReadOnlySpan<byte> shortNonce)
        {
            int count = Math.Min(message.Length, InFirstBlock);
            for (int index = 0; index < count; index++)
            {
                message[index] ^= first[KeyBytes + index];
            }

            Salsa20.XorAfterFirstBlock(message.Slice(count), derived, shortNonce);
        }
    }
}
