#nullable enable
using System;
using System.Text;

namespace SurgNav.Core.Transport
{
    /// <summary>The 64 bytes by which two ZeroMQ peers find out that they are two, and what they speak (RFC 37).</summary>
    internal static class Greeting
    {
        internal const int Size = 64;

        /// <summary>The signature and the major version, which a peer needs to go on.</summary>
        internal const int FirstPart = 11;

        private const int MechanismAt = 12;
        private const int MechanismBytes = 20;

        internal static void Write(Span<byte> greeting, string mechanism)
        {
            greeting.Slice(0, Size).Clear();
            greeting[0] = 0xFF;
            greeting[9] = 0x7F;
            greeting[10] = 3;
            greeting[11] = 1;
            for (int index = 0; index < mechanism.Length; index++)
            {
                greeting[MechanismAt + index] = (byte)mechanism[index];
            }
        }

        /// <summary>
        /// True once all 64 bytes are there and fit; then <paramref name="minor"/> tells the peer's revision of ZMTP 3. Bytes
        /// that can not become a greeting are refused as soon as they come.
        /// </summary>
        /// <exception cref="ZmtpFailure">No ZMTP, an older one, or another mechanism.</exception>
        internal static bool TryRead(ReadOnlySpan<byte> bytes, string mechanism, out int minor)
        {
            minor = 0;
            if ((bytes.Length > 0 && bytes[0] != 0xFF) || (bytes.Length > 9 && (bytes[9] & 1) == 0))
            {
                throw ZmtpFailure.Protocol("bytes that are no greeting", "a ZeroMQ server at this port");
            }

            if (bytes.Length > 10 && bytes[10] < 3)
            {
                throw ZmtpFailure.Refusal($"the server speaks ZMTP {bytes[10]}; allowed: 3.0 or later, that is ZeroMQ 4");
            }

            if (bytes.Length < Size)
            {
                return false;
            }

            string offered = Mechanism(bytes.Slice(MechanismAt, MechanismBytes));
            if (offered != mechanism)
            {
                throw ZmtpFailure.Refusal(offered == "CURVE"
                    ? "the server wants keys (CURVE), and this client has none: enroll it"
                    : $"the server's mechanism is '{offered}', this client's {mechanism}: it is another server, or lost its keys");
            }

            minor = bytes[10] > 3 ? 1 : bytes[11];
            return true;
        }

        private static string Mechanism(ReadOnlySpan<byte> field)
        {
            var name = new StringBuilder();
            foreach (byte character in field)
            {
                if (character == 0)
                {
                    break;
                }

                name.Append(character >= 0x20 && character < 0x7F ? (char)character : '?');
            }

            return name.ToString();
        }
    }
}
