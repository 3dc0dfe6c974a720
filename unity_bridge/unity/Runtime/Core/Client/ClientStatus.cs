#nullable enable
using System;
using System.Collections.Generic;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>Where a link to the server stands.</summary>
    public enum LinkState : byte
    {
        /// <summary>The client was not started, or was stopped.</summary>
        Stopped = 0,

        /// <summary>Not yet connected, or not any more; it keeps trying.</summary>
        Connecting = 1,

        Open = 2,

        /// <summary>The other end does not want this client, or is not the one that was enrolled; tried now and then.</summary>
        Refused = 3,
    }

    /// <summary>One of the three links.</summary>
    public readonly struct LinkStatus
    {
        public LinkStatus(LinkState state, string reason, int reconnections)
        {
            State = state;
            Reason = reason;
            Reconnections = reconnections;
        }

        public LinkState State { get; }

        /// <summary>Why it does not stand; empty if it does.</summary>
        public string Reason { get; }

        /// <summary>How often it was made again.</summary>
        public int Reconnections { get; }
    }

    /// <summary>How the self-test at connect stands. Unless it is NotNeeded or Passed nothing is shown.</summary>
    public enum SelfTestStatus : byte
    {
        /// <summary>Not known: there is no Welcome yet.</summary>
        Unknown = 0,

        /// <summary>The server has none.</summary>
        NotNeeded = 1,

        UnderWay = 2,

        Passed = 3,

        /// <summary>The server found this client to place things wrongly; the reasons say how.</summary>
        Failed = 4,
    }

    /// <summary>What a status panel shows. A new object each time; it does not change.</summary>
    public sealed class ClientStatus
    {
        public LinkStatus Poses { get; internal set; }

        public LinkStatus Surfaces { get; internal set; }

        public LinkStatus Control { get; internal set; }

        /// <summary>The server has welcomed this client.</summary>
        public bool IsWelcomed { get; internal set; }

        public string ServerName { get; internal set; } = "";

        /// <summary>What the server wants to be read; empty mostly.</summary>
        public string Notice { get; internal set; } = "";

        /// <summary>
        /// Of what all poses stand on, as the newest batch has it and as long as that is not too old; before the first as the
        /// Welcome has it.
        /// </summary>
        public Validity Registration { get; internal set; } = Validity.Lost;

        /// <summary>Why it is not valid; empty if it is.</summary>
        public string RegistrationReason { get; internal set; } = "";

        public string RegistrationId { get; internal set; } = "";

        /// <summary>Unapproved surfaces may be among those shown: say so on screen, always.</summary>
        public bool ResearchSession { get; internal set; }

        public SelfTestStatus SelfTest { get; internal set; }

        /// <summary>Why the self-test failed; empty unless it did.</summary>
        public string SelfTestReason { get; internal set; } = "";

        /// <summary>Why nothing at all may be shown; empty if it may. Poses may be hidden for reasons of their own.</summary>
        public string Obstacle { get; internal set; } = "";

        /// <summary>The target that is selected for all clients; empty for none.</summary>
        public string SelectedTarget { get; internal set; } = "";

        /// <summary>What was asked of the operator and is not settled.</summary>
        public IReadOnlyList<string> OpenRequests { get; internal set; } = Array.Empty<string>();

        /// <summary>Names on offer that are not here as wanted: under way, too large, damaged, or approved by nobody.</summary>
        public IReadOnlyList<string> MissingSurfaces { get; internal set; } = Array.Empty<string>();

        /// <summary>Live ultrasound without images.</summary>
        public UltrasoundCounts UltrasoundContours { get; internal set; }

        public UltrasoundCounts UltrasoundImages { get; internal set; }

        public ClientStatistics Statistics { get; internal set; }
    }

    /// <summary>Numbers for a panel and for the report to the server.</summary>
    public struct ClientStatistics
    {
        /// <summary>Batches taken in since the start.</summary>
        public ulong BatchesReceived { get; internal set; }

        /// <summary>Sequence numbers that were passed over, of all sessions.</summary>
        public ulong BatchesLost { get; internal set; }

        /// <summary>Repeated or older batches, those of another clock, and what was no batch at all.</summary>
        public ulong MessagesRefused { get; internal set; }

        /// <summary>Why the last one was.</summary>
        public string LastRefusal { get; internal set; }

        public ulong FirstSequence { get; internal set; }

        public ulong LastSequence { get; internal set; }

        /// <summary>Batches a second, over the last one.</summary>
        public double RateHz { get; internal set; }

        /// <summary>Sensor stamp to decoded, of the last few thousand batches; NaN until the clocks were compared.</summary>
        public double LatencyP50Ms { get; internal set; }

        public double LatencyP99Ms { get; internal set; }

        public double LatencyP999Ms { get; internal set; }

        /// <summary>The clocks were compared: offset and bound mean something.</summary>
        public bool HasClockOffset { get; internal set; }

        /// <summary>As often as it takes for a good bound.</summary>
        public bool ClockIsSettled { get; internal set; }

        /// <summary>As measured. Server's time = this client's time + offset.</summary>
        public long ClockOffsetNs { get; internal set; }

        /// <summary>The one that is used: 0 where both sides turn out to share one clock.</summary>
        public long AppliedClockOffsetNs { get; internal set; }

        /// <summary>The measured offset is off by this at most.</summary>
        public long ClockErrorNs { get; internal set; }

        public int SurfacesReceived { get; internal set; }

        public int SurfacesUnderWay { get; internal set; }

        /// <summary>Everything on offer is here, or was refused.</summary>
        public bool SurfacesAreDone { get; internal set; }

        public long SurfaceBytesReceived { get; internal set; }

        /// <summary>Runs of the server seen.</summary>
        public int Sessions { get; internal set; }
    }
}
