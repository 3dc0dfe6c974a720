#nullable enable
using System;

namespace SurgNav.Core.Client
{
    /// <summary>What a client needs to be let in, and to know whom it talks to: Curve25519 keys of 32 bytes.</summary>
    public sealed class ClientKeys
    {
        private const int KeyBytes = 32;

        /// <param name="serverPublic">Pins the server: nobody else can answer in its name.</param>
        /// <param name="ownSecret">The client's; its public half follows from it.</param>
        /// <exception cref="SettingsException">Not 32 bytes each.</exception>
        public ClientKeys(byte[] serverPublic, byte[] ownSecret)
        {
            if (serverPublic.Length != KeyBytes || ownSecret.Length != KeyBytes)
            {
                throw new SettingsException(
                    $"keys of {serverPublic.Length} and {ownSecret.Length} bytes", $"{KeyBytes}", "copy the whole keys");
            }

            ServerPublic = (byte[])serverPublic.Clone();
            OwnSecret = (byte[])ownSecret.Clone();
        }

        internal byte[] ServerPublic { get; }

        internal byte[] OwnSecret { get; }

        /// <summary>Without the secret.</summary>
        public override string ToString() => "keys of a client";
    }
}
