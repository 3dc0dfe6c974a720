#nullable enable
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>What arrived on the pose socket and what did not; a copy of one moment.</summary>
    internal struct PoseCounts
    {
        internal ulong Received;
        internal ulong Lost;
        internal ulong Refused;
        internal string LastRefusal;
        internal ulong FirstSequence;
        internal ulong LastSequence;
        internal SessionId SessionId;
        internal int Sessions;
        internal long CaptureNs;
        internal Validity Validity;
        internal string Reason;
    }
}
