#nullable enable
using System;
using System.Buffers.Binary;
using System.Text;

namespace SurgNav.Core.Transport
{
    /// <summary>ZMTP's commands: a name with its length before it, then what belongs to it (RFC 37).</summary>
    internal static class Command
    {
        internal const int PingBytes = 7;
        internal const int MaxPingContextBytes = 16;

        internal static ReadOnlySpan<byte> Ready => new byte[] { 5, (byte)'R', (byte)'E', (byte)'A', (byte)'D', (byte)'Y' };

        internal static ReadOnlySpan<byte> Error => new byte[] { 5, (byte)'E', (byte)'R', (byte)'R', (byte)'O', (byte)'R' };

        internal static ReadOnlySpan<byte> Ping => new byte[] { 4, (byte)'P', (byte)'I', (byte)'N', (byte)'G' };

        internal static ReadOnlySpan<byte> Pong => new byte[] { 4, (byte)'P', (byte)'O', (byte)'N', (byte)'G' };

        internal static ReadOnlySpan<byte> Subscribe => new byte[]
        {
            9, (byte)'S', (byte)'U', (byte)'B', (byte)'S', (byte)'C', (byte)'R', (byte)'I', (byte)'B', (byte)'E',
        };

        /// <summary>Is it this command? Then <paramref name="rest"/> is what belongs to it.</summary>
        internal static bool Is(ReadOnlySpan<byte> body, ReadOnlySpan<byte> name, out ReadOnlySpan<byte> rest)
        {
            bool same = body.StartsWith(name);
            rest = same ? body.Slice(name.Length) : default;
            return same;
        }

        /// <summary>What READY, and CURVE's INITIATE, tell of a socket.</summary>
        internal static byte[] Metadata(SocketType type)
        {
            var metadata = new byte[1 + 11 + 4 + type.Name.Length + (type == SocketType.Dealer ? 1 + 8 + 4 : 0)];
            int at = Property(metadata, 0, "Socket-Type", type.Name);
            if (type == SocketType.Dealer)
            {
                Property(metadata, at, "Identity", "");
            }

            return metadata;
        }

        /// <summary>Finds out whether the peer's socket is one for ours.</summary>
        /// <exception cref="ZmtpFailure">No well-formed properties, or a socket of another kind.</exception>
        internal static void CheckMetadata(ReadOnlySpan<byte> metadata, SocketType type)
        {
            string peer = "";
            while (metadata.Length > 0)
            {
                int nameBytes = metadata[0];
                if (nameBytes == 0 || metadata.Length < 1 + nameBytes + 4)
                {
                    throw Malformed();
                }

                uint valueBytes = BinaryPrimitives.ReadUInt32BigEndian(metadata.Slice(1 + nameBytes));
                var value = metadata.Slice(1 + nameBytes + 4);
                if (valueBytes > value.Length)
                {
                    throw Malformed();
                }

                if (string.Equals(Text(metadata.Slice(1, nameBytes)), "Socket-Type", StringComparison.OrdinalIgnoreCase))
                {
                    peer = Text(value.Slice(0, (int)Math.Min(valueBytes, 32u)));
                }

                metadata = value.Slice((int)valueBytes);
            }

            if (!type.MayTalkTo(peer))
            {
                throw ZmtpFailure.Refusal(
                    $"the server's socket is a '{peer}', and a {type.Name} needs {type.Peers}: is the port the right one?");
            }
        }

        /// <summary>The failure that an ERROR command tells of.</summary>
        internal static ZmtpFailure Refusal(ReadOnlySpan<byte> rest)
        {
            int count = rest.Length > 0 ? Math.Min((int)rest[0], rest.Length - 1) : 0;
            string words = count > 0 ? Text(rest.Slice(1, count)) : "";
            return ZmtpFailure.Refusal(words == "400"
                ? "the server does not admit this client's key (400): not enrolled, expired, or revoked"
                : $"the server refused: '{words}'");
        }

        /// <summary>Letters that can stand on a screen; others become '?'.</summary>
        private static string Text(ReadOnlySpan<byte> bytes)
        {
            var text = new StringBuilder(bytes.Length);
            foreach (byte character in bytes)
            {
                text.Append(character >= 0x20 && character < 0x7F ? (char)character : '?');
            }

            return text.ToString();
        }

        private static int Property(Span<byte> bytes, int at, string name, string value)
        {
            bytes[at++] = (byte)name.Length;
            at += Encoding.ASCII.GetBytes(name, bytes.Slice(at));
            BinaryPrimitives.WriteUInt32BigEndian(bytes.Slice(at), (uint)value.Length);
            at += 4;
            return at + Encoding.ASCII.GetBytes(value, bytes.Slice(at));
        }

        private static ZmtpFailure Malformed()
        {
            return ZmtpFailure.Protocol("properties that are not whole", "names and values with their lengths");
        }
    }
}
