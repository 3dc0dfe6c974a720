#nullable enable
using System;

namespace SurgNav.Core.Wire
{
    /// <summary>The header of every message, checked.</summary>
    public static class Envelope
    {
        /// <summary>
        /// Splits a message into its header and a view of its fields. A longer header (a later minor version's) and bytes
        /// after the body are ignored.
        /// </summary>
        /// <exception cref="WireException">Truncated, no SurgNav message, or of another major version.</exception>
        public static MessageHeader Read(ReadOnlyMemory<byte> message, out ReadOnlyMemory<byte> body)
        {
            var header = Check(message.Span);
            body = message.Slice(header.HeaderBytes, (int)header.BodyBytes);
            return header;
        }

        /// <summary>The same for bytes that are not kept.</summary>
        /// <exception cref="WireException">Truncated, no SurgNav message, or of another major version.</exception>
        public static MessageHeader Read(ReadOnlySpan<byte> message, out ReadOnlySpan<byte> body)
        {
            var header = Check(message);
            body = message.Slice(header.HeaderBytes, (int)header.BodyBytes);
            return header;
        }

        /// <summary>What the header says that it is; nothing else is checked. 0 where there is no header.</summary>
        internal static MessageType TypeOf(ReadOnlySpan<byte> message)
        {
            return message.Length < MessageHeader.Size ? 0 : (MessageType)MessageHeader.Read(message).MessageType;
        }

        internal static void Begin(WireWriter writer)
        {
            writer.Clear();
            writer.Reserve(MessageHeader.Size);
        }

        internal static void End(WireWriter writer, MessageHeader header)
        {
            header.Magic = Constants.WireMagic;
            header.Major = Constants.WireMajor;
            header.Minor = Constants.WireMinor;
            header.HeaderBytes = MessageHeader.Size;
            header.Flags |= Constants.FlagUnityConvention;
            header.BodyBytes = (uint)(writer.Length - MessageHeader.Size);
            header.Write(writer.At(0, MessageHeader.Size));
        }

        private static MessageHeader Check(ReadOnlySpan<byte> message)
        {
            if (message.Length < MessageHeader.Size)
            {
                throw new MalformedMessageException(
                    $"a message of {message.Length} bytes", $"at least the {MessageHeader.Size} bytes of a header");
            }

            var header = MessageHeader.Read(message);
            if (header.Magic != Constants.WireMagic)
            {
                throw new MalformedMessageException($"a message that begins with 0x{header.Magic:X8}", "SNAV");
            }

            if (header.Major != Constants.WireMajor)
            {
                throw new UnsupportedVersionException(
                    $"a message of wire version {header.Major}.{header.Minor}", $"major version {Constants.WireMajor}");
            }

            if (header.HeaderBytes < MessageHeader.Size || header.BodyBytes > (ulong)message.Length
                || header.HeaderBytes + (long)header.BodyBytes > message.Length)
            {
                throw new MalformedMessageException(
                    $"a header of {header.HeaderBytes} and a body of {header.BodyBytes} bytes in {message.Length}",
                    $"a header of at least {MessageHeader.Size} bytes, and both within the message");
            }

            if (header.Validity != Validity.Unset && !ValidityCodes.IsDefined((byte)header.Validity))
            {
                throw Refuse.Code("Validity", (byte)header.Validity);
            }

            return header;
        }
    }
}
