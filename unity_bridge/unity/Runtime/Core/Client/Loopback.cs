#nullable enable
using System;
using System.Net;

namespace SurgNav.Core.Client
{
    internal static class Loopback
    {
        /// <summary>Whether an endpoint such as tcp://127.0.0.1:5571 is on this machine.</summary>
        internal static bool Is(string endpoint)
        {
            int start = endpoint.IndexOf("://", StringComparison.Ordinal) + 3;
            int end = endpoint.LastIndexOf(':');
            if (start < 3 || end <= start)
            {
                return false;
            }

            string host = endpoint.Substring(start, end - start).Trim('[', ']');
            return host == "localhost" || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));
        }
    }
}
