#nullable enable
using System;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// Everything tracked at one moment of display. Make one and hand it to NavigationClient.ReadPoses again and again:
    /// it keeps its memory.
    /// </summary>
    public sealed class PoseFrame
    {
        private ToolView[] tools = Array.Empty<ToolView>();

        /// <summary>Of what all poses stand on: the reference, the registration, the link itself.</summary>
        public Validity Validity { get; internal set; } = Validity.Lost;

        /// <summary>Why it is not valid; empty if it is.</summary>
        public string Reason { get; internal set; } = "";

        /// <summary>Of the newest batch; 0 before the first of a session.</summary>
        public ulong Sequence { get; internal set; }

        /// <summary>The run of the server that sent it.</summary>
        public SessionId SessionId { get; internal set; }

        /// <summary>When the sensor saw the newest batch, on the server's clock.</summary>
        public long CaptureNs { get; internal set; }

        /// <summary>How old that is at the moment of display, at its worst; 0 where the clocks were not compared.</summary>
        public long AgeNs { get; internal set; }

        public int Count { get; internal set; }

        /// <summary>The views, without copying them.</summary>
        public ReadOnlySpan<ToolView> Tools => tools.AsSpan(0, Count);

        /// <summary>Finds a tool by its name.</summary>
        public bool TryFind(string tool, out ToolView view)
        {
            for (int index = 0; index < Count; index++)
            {
                if (string.Equals(tools[index].Tool, tool, StringComparison.Ordinal))
                {
                    view = tools[index];
                    return true;
                }
            }

            view = default;
            return false;
        }

        /// <summary>Finds what hangs a frame, such as the patient's 'ct': the tool with this `from frame`.</summary>
        public bool TryFindFrame(string fromFrame, out ToolView view)
        {
            for (int index = 0; index < Count; index++)
            {
                if (string.Equals(tools[index].FromFrame, fromFrame, StringComparison.Ordinal))
                {
                    view = tools[index];
                    return true;
                }
            }

            view = default;
            return false;
        }

        /// <summary>Nothing is shown, for this reason.</summary>
        internal void Clear(string reason)
        {
            Count = 0;
            Validity = Validity.Lost;
            Reason = reason;
            Sequence = 0;
            SessionId = default;
            CaptureNs = 0;
            AgeNs = 0;
        }

        internal ToolView[] Reserve(int count)
        {
            if (tools.Length < count)
            {
                Array.Resize(ref tools, Math.Max(count, 2 * tools.Length));
            }

            return tools;
        }
    }
}
