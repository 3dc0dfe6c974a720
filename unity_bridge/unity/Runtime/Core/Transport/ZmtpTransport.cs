#nullable enable

namespace SurgNav.Core.Transport
{
    /// <summary>ZeroMQ's own protocol, ZMTP 3.1, over TCP: without keys (NULL) or with (CURVE).</summary>
    public sealed class ZmtpTransport : ITransport
    {
        public IMessageSocket Subscribe(string endpoint, SocketSettings settings)
        {
            return new ZmtpSocket(Endpoint.Parse(endpoint), settings, SocketType.Subscriber);
        }

        public IMessageSocket Deal(string endpoint, SocketSettings settings)
        {
            return new ZmtpSocket(Endpoint.Parse(endpoint), settings, SocketType.Dealer);
        }
    }
}
