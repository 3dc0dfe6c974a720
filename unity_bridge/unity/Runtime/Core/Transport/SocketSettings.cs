#nullable enable

namespace SurgNav.Core.Transport
{
    /// <summary>What a socket may take, and how patient it is. Set before it is made; copied then.</summary>
    public sealed class SocketSettings
    {
        /// <summary>The server's pinned public key and this client's own; null for the NULL mechanism (loopback).</summary>
        public CurveKeys? Keys { get; set; }

        /// <summary>A longer message costs the connection. Memory grows with what arrives, never by what is announced.</summary>
        public int MaxMessageBytes { get; set; } = 1 << 20;

        /// <summary>Messages that wait to be sent; beyond it TrySend says false.</summary>
        public int MaxQueuedMessages { get; set; } = 64;

        /// <summary>Bytes that wait to be sent, with frames around them; beyond it TrySend says false.</summary>
        public int MaxQueuedBytes { get; set; } = 1 << 17;

        /// <summary>The kernel's receive buffer: what may pile up while nobody polls. 0 leaves the system's.</summary>
        public int ReceiveBufferBytes { get; set; }

        /// <summary>
        /// If nothing came for so long, ask whether the server is there (ZMTP PING). 0 turns it off. Peers that speak ZMTP 3.0
        /// are not asked.
        /// </summary>
        public int HeartbeatIntervalMs { get; set; } = 1000;

        /// <summary>Nothing for so long after a PING: the connection is given up.</summary>
        public int HeartbeatTimeoutMs { get; set; } = 3000;

        /// <summary>For TCP to stand, the look-up of the name included.</summary>
        public int ConnectTimeoutMs { get; set; } = 3000;

        /// <summary>For greeting, keys and READY together, from TCP on.</summary>
        public int HandshakeTimeoutMs { get; set; } = 5000;

        /// <summary>The wait after the first failure; doubles with each, up to the maximum, plus or minus a quarter.</summary>
        public int ReconnectMinMs { get; set; } = 100;

        /// <summary>The longest wait, and the one after a refusal.</summary>
        public int ReconnectMaxMs { get; set; } = 5000;
    }
}
