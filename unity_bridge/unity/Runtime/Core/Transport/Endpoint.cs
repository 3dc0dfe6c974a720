#nullable enable
using System;
using System.Globalization;
using System.Net;

namespace SurgNav.Core.Transport
{
    /// <summary>tcp://host:port, where the host is an address or a name.</summary>
    internal sealed class Endpoint
    {
        private const string Scheme = "tcp://";

        private Endpoint(string host, int port)
        {
            Host = host;
            Port = port;
        }

        internal string Host { get; }

        internal int Port { get; }

        public override string ToString() => Host.IndexOf(':') < 0 ? $"{Host}:{Port}" : $"[{Host}]:{Port}";

        /// <exception cref="TransportException">Not such an endpoint.</exception>
        internal static Endpoint Parse(string text)
        {
            int colon = text.LastIndexOf(':');
            if (!text.StartsWith(Scheme, StringComparison.Ordinal) || colon <= Scheme.Length)
            {
                throw Refused(text);
            }

            string host = text.Substring(Scheme.Length, colon - Scheme.Length);
            bool bracketed = host[0] == '[' && host[host.Length - 1] == ']';
            host = bracketed ? host.Substring(1, host.Length - 2) : host;
            var kind = Uri.CheckHostName(host);
            bool known = bracketed ? kind == UriHostNameType.IPv6 : kind is UriHostNameType.Dns or UriHostNameType.IPv4;
            if (!known || !int.TryParse(text.Substring(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port)
                || port < 1 || port > 65535)
            {
                throw Refused(text);
            }

            return new Endpoint(host, port);
        }

        private static TransportException Refused(string text)
        {
            return new TransportException(
                $"the endpoint '{text}'", "tcp://HOST:PORT, the host a name, an address or [an IPv6 address]", "correct it");
        }
    }
}
