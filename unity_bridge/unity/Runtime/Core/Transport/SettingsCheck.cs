#nullable enable

namespace SurgNav.Core.Transport
{
    /// <summary>Settings that no socket can work with are refused when it is made.</summary>
    internal static class SettingsCheck
    {
        private const int MaxBytes = 1 << 28;
        private const int MaxMs = 3_600_000;

        /// <summary>A copy, so that later changes do not reach a socket at work.</summary>
        /// <exception cref="TransportException">A number out of its range.</exception>
        internal static SocketSettings Copy(SocketSettings given)
        {
            Check("MaxMessageBytes", given.MaxMessageBytes, 1, MaxBytes);
            Check("MaxQueuedMessages", given.MaxQueuedMessages, 1, 1 << 16);
            Check("MaxQueuedBytes", given.MaxQueuedBytes, 256, MaxBytes);
            Check("ReceiveBufferBytes", given.ReceiveBufferBytes, 0, MaxBytes);
            Check("HeartbeatIntervalMs", given.HeartbeatIntervalMs, 0, MaxMs);
            Check("HeartbeatTimeoutMs", given.HeartbeatTimeoutMs, 1, MaxMs);
            Check("ConnectTimeoutMs", given.ConnectTimeoutMs, 1, MaxMs);
            Check("HandshakeTimeoutMs", given.HandshakeTimeoutMs, 1, MaxMs);
            Check("ReconnectMinMs", given.ReconnectMinMs, 1, MaxMs);
            Check("ReconnectMaxMs", given.ReconnectMaxMs, given.ReconnectMinMs, MaxMs);
            return new SocketSettings
            {
                Keys = given.Keys,
                MaxMessageBytes = given.MaxMessageBytes,
                MaxQueuedMessages = given.MaxQueuedMessages,
                MaxQueuedBytes = given.MaxQueuedBytes,
                ReceiveBufferBytes = given.ReceiveBufferBytes,
                HeartbeatIntervalMs = given.HeartbeatIntervalMs,
                HeartbeatTimeoutMs = given.HeartbeatTimeoutMs,
                ConnectTimeoutMs = given.ConnectTimeoutMs,
                HandshakeTimeoutMs = given.HandshakeTimeoutMs,
                ReconnectMinMs = given.ReconnectMinMs,
                ReconnectMaxMs = given.ReconnectMaxMs,
            };
        }

        private static void Check(string name, int value, int smallest, int largest)
        {
            if (value < smallest || value > largest)
            {
                throw new TransportException($"{name} = {value}", $"{smallest} to {largest}", "correct the settings");
            }
        }
    }
}
