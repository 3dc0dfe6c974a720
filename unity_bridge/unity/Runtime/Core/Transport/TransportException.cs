#nullable enable
using System;

namespace SurgNav.Core.Transport
{
    /// <summary>An endpoint, key or setting that cannot be. What the network does never throws this.</summary>
    public sealed class TransportException : Exception
    {
        public TransportException(string came, string allowed, string action)
            : base($"Got {came}; expected {allowed}. Fix: {action}.")
        {
            Came = came;
            Allowed = allowed;
            Action = action;
        }

        public string Came { get; }

        public string Allowed { get; }

        public string Action { get; }
    }
}
