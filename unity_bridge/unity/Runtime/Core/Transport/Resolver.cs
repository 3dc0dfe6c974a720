#nullable enable
using System;
using System.Net;
using System.Net.Sockets;

namespace SurgNav.Core.Transport
{
    /// <summary>Finds the addresses of an endpoint, without waiting, and hands them out one after the other.</summary>
    internal sealed class Resolver
    {
        private readonly string host;
        private IAsyncResult? search;
        private IPAddress[] addresses = Array.Empty<IPAddress>();
        private int next;

        internal Resolver(string host)
        {
            this.host = host;
        }

        /// <summary>There is an address that was not tried since the last search.</summary>
        internal bool HasMore => next < addresses.Length;

        /// <summary>Begins a new search, unless addresses are left from the last one.</summary>
        internal void Begin()
        {
            if (HasMore || search != null)
            {
                return;
            }

            next = 0;
            if (IPAddress.TryParse(host, out var address))
            {
                addresses = new[] { address };
                return;
            }

            addresses = Array.Empty<IPAddress>();
            search = Dns.BeginGetHostAddresses(host, null, null);
        }

        /// <summary>The next address to try; false while the search goes on.</summary>
        /// <exception cref="ZmtpFailure">There is none.</exception>
        internal bool TryTake(out IPAddress address)
        {
            address = IPAddress.None;
            if (search != null)
            {
                if (!search.IsCompleted)
                {
                    return false;
                }

                addresses = Finish(search);
            }

            if (!HasMore)
            {
                throw ZmtpFailure.Link($"no address for '{host}'");
            }

            address = addresses[next++];
            return true;
        }

        /// <summary>Forgets what is left: the next attempt searches anew.</summary>
        internal void Reset() => next = addresses.Length;

        private IPAddress[] Finish(IAsyncResult finished)
        {
            search = null;
            try
            {
                return Dns.EndGetHostAddresses(finished);
            }
            catch (Exception error) when (error is SocketException || error is ArgumentException)
            {
                throw ZmtpFailure.Link($"no address for '{host}' ({error.Message})");
            }
        }
    }
}
