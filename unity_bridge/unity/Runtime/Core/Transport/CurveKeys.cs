#nullable enable
using System;

namespace SurgNav.Core.Transport
{
    /// <summary>What a client needs to be let in, and to know whom it talks to: 32 bytes each, or 40 characters of Z85.</summary>
    public sealed class CurveKeys
    {
        public const int KeyBytes = 32;

        private readonly byte[] serverPublic;
        private readonly byte[] secret;

        /// <param name="serverPublic">Pins the server: nobody else can answer in its name.</param>
        /// <param name="secret">The client's own.</param>
        /// <exception cref="TransportException">Not 32 bytes.</exception>
        public CurveKeys(ReadOnlySpan<byte> serverPublic, ReadOnlySpan<byte> secret)
        {
            this.serverPublic = Copied(serverPublic, "server's public key");
            this.secret = Copied(secret, "client's secret key");
        }

        internal ReadOnlySpan<byte> ServerPublic => serverPublic;

        internal ReadOnlySpan<byte> Secret => secret;

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
