#nullable enable
using System;

namespace SurgNav.Core.Transport
{
    /// <summary>How two peers get to trust each other, and what becomes of messages then. One object per connection.</summary>
    internal interface IMechanism : IDisposable
    {
        /// <summary>As the greeting names it.</summary>
        string Name { get; }

        /// <summary>The bytes that a message has more when it is on its way, without the frame's head.</summary>
        int Overhead { get; }

        /// <summary>Why a server that hangs up now may have done it; null if there is no telling.</summary>
        string? HangUpReason { get; }

        /// <summary>Appends the first command of the handshake.</summary>
        void Begin(SendQueue queue);

        /// <summary>Takes in a command of the handshake and appends the answer; true when the handshake is done.</summary>
        /// <exception cref="ZmtpFailure">The server refuses, or does not keep to the protocol, or has not its key.</exception>
        bool Continue(Span<byte> body, SendQueue queue);

        /// <summary>Appends a message or a command as a frame.</summary>
        void Append(SendQueue queue, ReadOnlySpan<byte> content, bool command);

        /// <summary>Undoes what the server did to a frame, in place.</summary>
        /// <param name="body">The frame's.</param>
        /// <param name="command">In: as the frame's head says. Out: as the sender meant it.</param>
        /// <param name="offset">Where in the body the content begins; it ends with the body.</param>
        /// <exception cref="ZmtpFailure">Not genuine, or repeated.</exception>
        void Open(Span<byte> body, ref bool command, out int offset);
    }
}
