#nullable enable
using System;
using System.Collections.Generic;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// What the headset sees itself: the newest image that was not sent yet. A newer one takes its place, and nothing is
    /// sent again. Any thread puts it here; the control thread sends it.
    /// </summary>
    public sealed class ObservationSender
    {
        /// <summary>The frame of the wire that is the headset's own world.</summary>
        public const string Frame = "headset";

        private readonly object gate = new object();
        private string anchor = "";
        private long seenNs;
        private IReadOnlyList<ObservedTool>? waiting;
        private ulong number;

        /// <summary>What the server answers: where the tracker is in the headset's world.</summary>
        internal OverlayKeeper Overlay { get; } = new OverlayKeeper();

        /// <summary>Images that a newer one has replaced before they were sent.</summary>
        public long Replaced { get; private set; }

        /// <summary>Why the last image that could not be encoded was not sent; empty if there was none.</summary>
        public string LastTrouble { get; private set; } = "";

        /// <summary>Puts an image in the place of one that still waits. Do not change the tools afterwards.</summary>
        /// <param name="anchorName">Names the place of the headset's world: another one whenever it is placed anew.</param>
        /// <param name="atNs">When the sensor saw it, on the client's clock; so are the tools' own times.</param>
        /// <param name="tools">Every tool that the headset looks for, seen or not.</param>
        /// <returns>Empty, or why it can never be sent.</returns>
        public string TryPut(string anchorName, long atNs, IReadOnlyList<ObservedTool> tools)
        {
            string trouble = Trouble(anchorName, tools);
            if (trouble.Length > 0)
            {
                return trouble;
            }

            lock (gate)
            {
                Replaced += waiting is null ? 0 : 1;
                number++;
                anchor = anchorName;
                seenNs = atNs;
                waiting = tools;
            }

            return "";
        }

        /// <summary>Sends the image that waits, if it can leave now: later it would be old.</summary>
        internal void Send(MessageSender sender, ServerFacts facts)
        {
            if (!TryTake(facts, out var message))
            {
                return;
            }

            try
            {
                sender.TrySend(message);
            }
            catch (WireException error)
            {
                LastTrouble = error.Message;
            }
        }

        /// <summary>The image that waits, with its times on the server's clock; false if none does, or they cannot be.</summary>
        internal bool TryTake(ServerFacts facts, out ToolObservations message)
        {
            message = null!;
            lock (gate)
            {
                if (waiting is null || !facts.HasClock)
                {
                    return false;
                }

                message = new ToolObservations
                {
                    Frame = Frame,
                    Anchor = anchor,
                    Number = number,
                    SeenNs = facts.ToServerNs(seenNs),
                    ClockErrorNs = facts.ErrorNsAt(seenNs),
                };
                foreach (var tool in waiting)
                {
                    tool.SeenNs = tool.SeenNs.HasValue ? facts.ToServerNs(tool.SeenNs.Value) : (long?)null;
                    message.Tools.Add(tool);
                }

                waiting = null;
                return true;
            }
        }

        private static string Trouble(string anchorName, IReadOnlyList<ObservedTool> tools)
        {
            if (anchorName.Length == 0)
            {
                return "the headset's world has no anchor's name";
            }

            if (tools.Count > Constants.MaxObservedTools)
            {
                return $"{tools.Count} tools: {Constants.MaxObservedTools} at most";
            }

            for (int at = 0; at < tools.Count; at++)
            {
                var tool = tools[at];
                for (int before = 0; before < at; before++)
                {
                    if (tools[before].Tool == tool.Tool)
                    {
                        return $"the tool '{tool.Tool}' twice";
                    }
                }

                bool mustHavePose = tool.Validity == Validity.Valid || tool.Validity == Validity.Suspect;
                if ((tool.PositionM != null) != mustHavePose || (tool.RotationXyzw != null) != mustHavePose)
                {
                    return $"'{tool.Tool}': a pose exactly of a tool that is valid or suspect";
                }

                if (mustHavePose && IsIdentity(tool.PositionM!, tool.RotationXyzw!))
                {
                    return $"'{tool.Tool}': its pose is exactly the identity, as of a Transform that nobody has set";
                }
            }

            return "";
        }

        private static bool IsIdentity(double[] position, double[] turn)
        {
            return position[0] == 0 && position[1] == 0 && position[2] == 0
                && turn[0] == 0 && turn[1] == 0 && turn[2] == 0 && Math.Abs(turn[3]) == 1;
        }
    }
}
