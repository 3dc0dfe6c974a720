#nullable enable
using System;

namespace SurgNav.Core.Transport
{
    /// <summary>No keys: READY from both sides, and messages as they are (RFC 37, section The NULL Security Mechanism).</summary>
    internal sealed class NullMechanism : IMechanism
    {
        private readonly SocketType type;

        internal NullMechanism(SocketType type)
        {
            this.type = type;
        }

        public string Name => "NULL";

        public int Overhead => 0;

        public string? HangUpReason =>
            $"the server hung up on a {type.Name}, which needs {type.Peers}: is the port the right one?";

        public void Begin(SendQueue queue)
        {
            var metadata = Command.Metadata(type);
            var name = Command.Ready;
            int size = name.Length + metadata.Length;
            int head = FrameHead.SizeFor(size);
            var frame = queue.Append(head + size);
            FrameHead.Write(frame, size, true);
            name.CopyTo(frame.Slice(head));
            metadata.CopyTo(frame.Slice(head + name.Length));
        }

        public bool Continue(Span<byte> body, SendQueue queue)
        {
            if (Command.Is(body, Command.Error, out var reason))
            {
                throw Command.Refusal(reason);
            }

            if (!Command.Is(body, Command.Ready, out var metadata))
            {
                throw ZmtpFailure.Protocol("another command in the handshake", "READY or ERROR");
            }

            Command.CheckMetadata(metadata, type);
            return true;
        }

        public void Append(SendQueue queue, ReadOnlySpan<byte> content, bool command)
        {
            int head = FrameHead.SizeFor(content.Length);
            var frame = queue.Append(head + content.Length);
            FrameHead.Write(frame, content.Length, command);
            content.CopyTo(frame.Slice(head));
        }

        public void Open(Span<byte> body, ref bool command, out int offset) => offset = 0;

        public void Dispose()
        {
        }
    }
}
