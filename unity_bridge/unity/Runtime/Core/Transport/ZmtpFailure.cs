#nullable enable
using System;

namespace SurgNav.Core.Transport
{
    /// <summary>Why a connection has to end. It never leaves the transport: it becomes the socket's Reason.</summary>
    internal sealed class ZmtpFailure : Exception
    {
        private ZmtpFailure(string reason, bool refused, bool hungUp = false)
            : base(reason)
        {
            Refused = refused;
            HungUp = hungUp;
        }

        /// <summary>The server, or the keys, say no: trying again soon will not help.</summary>
        internal bool Refused { get; }

        /// <summary>The other end closed the connection, or something between did; it did not say why.</summary>
        internal bool HungUp { get; }

        /// <summary>The peer does what the protocol does not allow.</summary>
        internal static ZmtpFailure Protocol(string came, string allowed)
        {
            return new ZmtpFailure($"the server does not keep to ZMTP: got {came}; expected {allowed}", false);
        }

        internal static ZmtpFailure Link(string reason) => new ZmtpFailure(reason, false);

        internal static ZmtpFailure HangUp(string reason) => new ZmtpFailure(reason, false, true);

        internal static ZmtpFailure Refusal(string reason) => new ZmtpFailure(reason, true);
    }
}
