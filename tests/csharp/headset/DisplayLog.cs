#nullable enable
using System;
using System.Collections.Generic;
using System.Linq;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;

namespace SurgNav.Tests.Headset
{
    /// <summary>
    /// What a display saw, as unity_bridge/client/poses/display_log.py has it: how old the poses were that it showed as valid, and
    /// for which share of the time there were any. It measures from capture times and the clock, and does not ask the client.
    /// </summary>
    internal sealed class DisplayLog
    {
        private const double StaleMs = 100.0;
        private const double LostMs = 250.0;
        private const int StepsPerMs = 10;
        private const int LastStep = 100_000;
        private readonly long[] ages = new long[LastStep + 1];
        private readonly SortedDictionary<string, Times> tools = new SortedDictionary<string, Times>(StringComparer.Ordinal);
        private readonly HashSet<string> valid = new HashSet<string>(StringComparer.Ordinal);
        private long readings;
        private long aged;
        private long tooOldShown;
        private double ageMaxMs;
        private long totalNs;
        private long tooOldNs;
        private long lastNs;
        private double lastAgeMs;

        /// <param name="frame">What was read.</param>
        /// <param name="nowNs">When, on the client's clock.</param>
        /// <param name="offsetNs">To the clock that stamps the poses; null if unknown.</param>
        internal void Note(PoseFrame frame, long nowNs, long? offsetNs)
        {
            if (readings > 0)
            {
                Close(nowNs);
            }

            readings++;
            lastNs = nowNs;
            valid.Clear();
            double ageMs = offsetNs.HasValue ? (nowNs + offsetNs.Value - frame.CaptureNs) / 1e6 : double.PositiveInfinity;
            foreach (var view in frame.Tools)
            {
                if (!tools.ContainsKey(view.Tool))
                {
                    tools.Add(view.Tool, new Times { GapNs = totalNs, LongestGapNs = totalNs });
                }

                if (view.Display == ToolDisplay.Shown)
                {
                    valid.Add(view.Tool);
                }
            }

            if (valid.Count > 0)
            {
                aged++;
                ages[(int)Math.Min(LastStep, Math.Max(0.0, Math.Round(ageMs * StepsPerMs)))]++;
                ageMaxMs = Math.Max(ageMaxMs, ageMs);
                tooOldShown += ageMs > StaleMs ? 1 : 0;
            }

            lastAgeMs = frame.Validity == Validity.Stale ? double.PositiveInfinity : ageMs;
        }

        /// <summary>The same names as in the report of the reference client.</summary>
        internal Dictionary<string, object?> Summary()
        {
            double total = Math.Max(1, totalNs);
            return new Dictionary<string, object?>
            {
                ["readings"] = readings,
                ["limits"] = new Dictionary<string, object?> { ["stale_after_ms"] = StaleMs, ["lost_after_ms"] = LostMs },
                ["valid_age_ms"] = new Dictionary<string, object?>
                {
                    ["p50"] = Percentile(0.5), ["p99"] = Percentile(0.99), ["max"] = aged > 0 ? ageMaxMs : (object?)null,
                },
                ["valid_too_old"] = tooOldShown,
                ["too_old_share"] = tooOldNs / total,
                ["valid_share"] = tools.ToDictionary(each => each.Key, each => (object?)(each.Value.ValidNs / total)),
                ["longest_gap_s"] = tools.ToDictionary(each => each.Key, each => (object?)(each.Value.LongestGapNs / 1e9)),
            };
        }

        /// <summary>The time since the last reading belongs to what was read then, valid for as long as it was young.</summary>
        private void Close(long nowNs)
        {
            long elapsedNs = nowNs - lastNs;
            long youngNs = Math.Min(elapsedNs, (long)(Math.Min(Math.Max(0.0, StaleMs - lastAgeMs), 1e6) * 1e6));
            totalNs += elapsedNs;
            tooOldNs += elapsedNs - youngNs;
            foreach (var each in tools)
            {
                long validNs = valid.Contains(each.Key) ? youngNs : 0;
                var times = each.Value;
                times.ValidNs += validNs;
                times.GapNs = validNs > 0 ? elapsedNs - validNs : times.GapNs + elapsedNs;
                times.LongestGapNs = Math.Max(times.LongestGapNs, times.GapNs);
            }
        }

        private object? Percentile(double share)
        {
            double wanted = aged * share;
            long reached = 0;
            for (int step = 0; step <= LastStep && aged > 0; step++)
            {
                reached += ages[step];
                if (ages[step] > 0 && reached >= wanted)
                {
                    return (double)step / StepsPerMs;
                }
            }

            return null;
        }

        private sealed class Times
        {
            internal long ValidNs { get; set; }

            internal long GapNs { get; set; }

            internal long LongestGapNs { get; set; }
        }
    }
}
