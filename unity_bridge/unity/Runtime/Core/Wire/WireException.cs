#nullable enable
using System;

namespace SurgNav.Core.Wire
{
    /// <summary>Bytes that must not be interpreted: drop the message, keep the connection.</summary>
    public abstract class WireException : Exception
    {
        protected WireException(string came, string allowed, string action)
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

    /// <summary>No SurgNav message: truncated, inconsistent, or with values that cannot be.</summary>
    public sealed class MalformedMessageException : WireException
    {
        public MalformedMessageException(string came, string allowed)
            : base(came, allowed, "drop the message; if it comes again, compare both sides' versions")
        {
        }
    }

    /// <summary>Another major version: nothing in the message may be interpreted.</summary>
    public sealed class UnsupportedVersionException : WireException
    {
        public UnsupportedVersionException(string came, string allowed)
            : base(came, allowed, "use programs of one major version")
        {
        }
    }

    /// <summary>The refusals that several readers share; the caller throws them.</summary>
    internal static class Refuse
    {
        internal static WireException Size(string what, int came, int allowed)
        {
            return new MalformedMessageException($"a {what} of {came} bytes", $"{allowed} bytes");
        }

        internal static WireException Code(string what, byte code)
        {
            return new MalformedMessageException($"{what} code {code}", "a code of this version");
        }

        internal static WireException Number(string what)
        {
            return new MalformedMessageException($"a {what} that is not finite", "finite numbers; unknown is left out");
        }
    }
}
