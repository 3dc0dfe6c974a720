#nullable enable
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;

namespace SurgNav.Tests.Headset
{
    /// <summary>A headset that sleeps and wakes and whose world moves: what it may show meanwhile, change by change.</summary>
    internal sealed class WornHeadset
    {
        private const long EveryNs = 50_000_000;
        private readonly List<(string Anchor, long UntilNs)> stays = new List<(string, long)>();
        private readonly long begunNs;
        private long sentNs;
        private string last = "none";

        private WornHeadset(long begunNs)
        {
            this.begunNs = begunNs;
        }

        /// <summary>Whenever what is shown has changed: when, where the world was, what is shown and why not.</summary>
        internal List<object> Changes { get; } = new List<object>();

        internal static WornHeadset? Parse(string words, long nowNs)
        {
            var worn = new WornHeadset(nowNs);
            long untilNs = nowNs;
            foreach (string stay in words.Split(',').Where(each => each.Length > 0))
            {
                string[] parts = stay.Split(':');
                untilNs += (long)(double.Parse(parts[1], CultureInfo.InvariantCulture) * 1e9);
                worn.stays.Add((parts[0], untilNs));
            }

            return worn.stays.Count > 0 ? worn : null;
        }

        internal void Look(NavigationClient client)
        {
            long nowNs = client.NowNs;
            string anchor = stays.Find(stay => nowNs < stay.UntilNs).Anchor ?? "";
            if (anchor.Length == 0)
            {
                return; // asleep: it neither sends nor draws
            }

            if (nowNs - sentNs >= EveryNs)
            {
                sentNs = nowNs;
                client.Observe(anchor, nowNs, Array.Empty<ObservedTool>());
            }

            var overlay = client.ReadOverlay(anchor);
            string state = $"{anchor} {overlay.IsShown} {overlay.Reason}";
            if (state != last)
            {
                last = state;
                var at = overlay.PositionM;
                var turn = overlay.RotationXyzw;
                Changes.Add(new Dictionary<string, object?>
                {
                    ["after_s"] = (nowNs - begunNs) / 1e9,
                    ["anchor"] = anchor,
                    ["shown"] = overlay.IsShown,
                    ["reason"] = overlay.Reason,
                    ["calibrated"] = overlay.Calibrated,
                    ["expected_p95_mm"] = overlay.ExpectedP95Mm,
                    ["position_m"] = new[] { (double)at.X, at.Y, at.Z },
                    ["rotation_xyzw"] = new[] { (double)turn.X, turn.Y, turn.Z, turn.W },
                });
            }
        }
    }
}
