#nullable enable
using System;
using System.Buffers.Binary;

namespace SurgNav.Core.Transport
{
    /// <summary>The head of a ZMTP frame: flags, then the length in one byte or in eight (RFC 37, section Framing).</summary>
    internal readonly struct FrameHead
    {
        internal const byte More = 1;
        internal const byte Long = 2;
        internal const byte Command = 4;
        internal const int MaxBytes = 9;

        private FrameHead(byte flags, int headBytes, int bodyBytes)
        {
            IsCommand = (flags & Command) != 0;
            HeadBytes = headBytes;
            BodyBytes = bodyBytes;
        }

        internal bool IsCommand { get; }

        internal int HeadBytes { get; }

        internal int BodyBytes { get; }

        /// <summary>
        /// False if the head is not all there. The length is judged before anything is kept: never more than the limits.
        /// </summary>
        /// <exception cref="ZmtpFailure">Flags or a length that are not allowed, or a message of several frames.</exception>
        internal static bool TryRead(ReadOnlySpan<byte> bytes, int maxMessage, int maxCommand, out FrameHead head)
        {
            head = default;
            if (bytes.Length < 1)
            {
                return false;
            }

            byte flags = bytes[0];
            CheckFlags(flags);
            int headBytes = (flags & Long) != 0 ? MaxBytes : 2;
            if (bytes.Length < headBytes)
            {
                return false;
            }

            ulong length = headBytes == 2 ? bytes[1] : BinaryPrimitives.ReadUInt64BigEndian(bytes.Slice(1));
            int limit = (flags & Command) != 0 ? maxCommand : maxMessage;
            if (length > (ulong)limit)
            {
                throw ZmtpFailure.Protocol($"a frame of {length} bytes", $"{limit}");
            }

            head = new FrameHead(flags, headBytes, (int)length);
            return true;
        }

        /// <summary>The bytes that the head of a body of this size takes.</summary>
        internal static int SizeFor(int bodyBytes) => bodyBytes > 255 ? MaxBytes : 2;

        /// <summary>Writes the head, whose size SizeFor tells.</summary>
        internal static void Write(Span<byte> bytes, int bodyBytes, bool command)
        {
            int flags = command ? Command : 0;
            if (bodyBytes > 255)
            {
                bytes[0] = (byte)(flags | Long);
                BinaryPrimitives.WriteUInt64BigEndian(bytes.Slice(1), (ulong)bodyBytes);
            }
            else
            {
                bytes[0] = (byte)flags;
                bytes[1] = (byte)bodyBytes;
            }
        }

        private static void CheckFlags(byte flags)
        {
            if ((flags & ~(More | Long | Command)) != 0 || ((flags & Command) != 0 && (flags & More) != 0))
            {
                throw ZmtpFailure.Protocol($"a frame with the flags 0x{flags:X2}", "MORE, LONG or COMMAND, no command with MORE");
            }

            if ((flags & More) != 0)
            {
                throw ZmtpFailure.Protocol("a message of several frames", "single frames, as docs/unity_bridge/protocol.md has it");
            }
        }
    }
}
