#nullable enable
using System;
using System.Security.Cryptography;
using SurgNav.Core.Transport.Crypto;

namespace SurgNav.Core.Transport
{
    /// <summary>What a client needs to be let in, and to know whom it talks to: 32 bytes each, or 40 characters of Z85.</summary>
    public sealed class CurveKeys
    {
        public const int KeyBytes = 32;

        private readonly byte[] serverPublic;
        private readonly byte[] ownPublic = new byte[KeyBytes];
        private readonly byte[] secret;

        /// <param name="serverPublic">Pins the server: nobody else can answer in its name.</param>
        /// <param name="secret">The client's own.</param>
        /// <exception cref="TransportException">Not 32 bytes.</exception>
        public CurveKeys(ReadOnlySpan<byte> serverPublic, ReadOnlySpan<byte> secret)
        {
            this.serverPublic = Copied(serverPublic, "server's public key");
            this.secret = Copied(secret, "client's secret key");
            Curve25519.PublicKey(ownPublic, this.secret);
        }

        /// <param name="serverPublic">Pins the server: nobody else can answer in its name.</param>
        /// <param name="secret">The client's own.</param>
        /// <exception cref="TransportException">Not 40 characters of Z85.</exception>
        public CurveKeys(string serverPublic, string secret)
            : this(Z85.Decode(serverPublic), Z85.Decode(secret))
        {
        }

        /// <summary>The client's public key in Z85: what the server's allow list holds.</summary>
        public string PublicKey => Z85.Encode(ownPublic);

        internal ReadOnlySpan<byte> ServerPublic => serverPublic;

        internal ReadOnlySpan<byte> OwnPublic => ownPublic;

        internal ReadOnlySpan<byte> Secret => secret;

        /// <summary>A new secret key in Z85, from the system's randomness.</summary>
        public static string NewSecret()
        {
            Span<byte> key = stackalloc byte[KeyBytes];
            RandomNumberGenerator.Fill(key);
            return Z85.Encode(key);
        }

        /// <summary>The public key that belongs to a secret one, both in Z85.</summary>
        /// <exception cref="TransportException">Not 40 characters of Z85.</exception>
        public static string PublicKeyOf(string secret)
        {
            Span<byte> key = stackalloc byte[KeyBytes];
            Curve25519.PublicKey(key, Copied(Z85.Decode(secret), "client's secret key"));
            return Z85.Encode(key);
        }

        private static byte[] Copied(ReadOnlySpan<byte> key, string what)
        {
            if (key.Length != KeyBytes)
            {
                throw new TransportException($"a {what} of {key.Length} bytes", $"{KeyBytes} bytes", "enroll the client again");
            }

            return key.ToArray();
        }
    }
}
