#nullable enable
using System;

namespace SurgNav.Core.Transport
{
    /// <summary>What a socket is to ZeroMQ, and whom it may talk to (RFC 28 and 29).</summary>
    internal sealed class SocketType
    {
        internal static readonly SocketType Subscriber = new SocketType("SUB", "PUB", "XPUB");

        internal static readonly SocketType Dealer = new SocketType("DEALER", "ROUTER", "DEALER", "REP");

        private readonly string[] peers;

        private SocketType(string name, params string[] peers)
        {
            Name = name;
            this.peers = peers;
        }

        internal string Name { get; }

        internal string Peers => string.Join(" or ", peers);

        internal bool MayTalkTo(string peer) => Array.IndexOf(peers, peer) >= 0;
    }
}
