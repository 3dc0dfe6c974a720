#nullable enable
using System;
using System.Collections.Generic;
using System.Linq;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;
using SurgNav.Tests.WireProbe;

namespace SurgNav.Tests.Headset
{
    /// <summary>The report of unity_bridge/client/__main__.py, with what a display saw besides.</summary>
    internal sealed class Report
    {
        private readonly Dictionary<string, object?> values = new Dictionary<string, object?>();

        internal Report(ClientStatus status, Recorder recorder, Headset headset, long? readyNs, bool isTaken)
        {
            var statistics = status.Statistics;
            bool hasClock = statistics.HasClockOffset;
            IsComplete = readyNs.HasValue && isTaken && status.MissingSurfaces.Count == 0
                && statistics.BatchesLost == 0 && statistics.MessagesRefused == 0;
            var latencies = hasClock ? recorder.LatenciesMs(statistics.AppliedClockOffsetNs) : Array.Empty<double>();
            values["batches_received"] = recorder.Received;
            values["poses_lost"] = statistics.BatchesLost;
            values["first_sequence"] = recorder.FirstSequence;
            values["last_sequence"] = recorder.LastSequence;
            values["messages_refused"] = statistics.MessagesRefused;
            values["latency_p50_ms"] = Percentile(latencies, 0.5);
            values["latency_p99_ms"] = Percentile(latencies, 0.99);
            values["latency_p999_ms"] = Percentile(latencies, 0.999);
            values["clock_offset_ns"] = hasClock ? statistics.ClockOffsetNs : (object?)null;
            values["clock_error_ns"] = hasClock ? statistics.ClockErrorNs : (object?)null;
            values["surfaces"] = headset.Surfaces.Select(Surface).ToList();
            values["complete"] = IsComplete;
            values["ready"] = readyNs.HasValue;
            values["ready_server_ns"] =
                readyNs.HasValue && hasClock ? readyNs.Value + statistics.AppliedClockOffsetNs : (object?)null;
            values["report_taken"] = isTaken;
            values["recording_full"] = recorder.IsFull;
            values["surfaces_missing"] = status.MissingSurfaces;
            values["surface_levels"] = headset.Surfaces.Select(Level).ToList();
            values["surfaces_suggested"] = headset.Surfaces.Where(each => each.IsSuggested).Select(each => each.Name).ToList();
            values["surface_reconnects"] = status.Surfaces.Reconnections;
            values["server_sessions"] = statistics.Sessions;
            values["refused_by_server"] = Program.Refusal(status);
            values["last_refusals"] = new[] { statistics.LastRefusal }.Where(each => !string.IsNullOrEmpty(each)).ToList();
            values["overlay"] = headset.Worn?.Changes ?? new List<object>();
            values["ultrasound"] = new Dictionary<string, object?>
            {
                ["contours"] = Ultrasound(status.UltrasoundContours),
                ["images"] = Ultrasound(status.UltrasoundImages),
                ["displayed"] = headset.UltrasoundDisplayed.ToList(),
                ["reason"] = headset.UltrasoundReason,
            };
            AddDisplay(status, headset);
        }

        internal bool IsComplete { get; }

        internal string Json() => WireProbe.Json.Of(values);

        private static double? Percentile(double[] sorted, double share)
        {
            if (sorted.Length == 0)
            {
                return null;
            }

            double place = share * (sorted.Length - 1);
            int below = (int)place;
            int above = Math.Min(below + 1, sorted.Length - 1);
            return sorted[below] + ((sorted[above] - sorted[below]) * (place - below));
        }

        private static object Surface(SurfaceMesh mesh)
        {
            return new Dictionary<string, object?>
            {
                ["sha256"] = mesh.Sha256,
                ["name"] = mesh.Name,
                ["vertex_count"] = mesh.VertexCount,
                ["triangle_count"] = mesh.TriangleCount,
                ["byte_count"] = mesh.ByteCount,
                ["seconds"] = mesh.TransferSeconds,
            };
        }

        private static object Ultrasound(in UltrasoundCounts counts)
        {
            return new Dictionary<string, object?>
            {
                ["received"] = counts.Received,
                ["passed_over"] = counts.PassedOver,
                ["refused"] = counts.Refused,
                ["last_refusal"] = counts.LastRefusal,
                ["latency_p50_ms"] = double.IsNaN(counts.LatencyP50Ms) ? null : (double?)counts.LatencyP50Ms,
                ["latency_p99_ms"] = double.IsNaN(counts.LatencyP99Ms) ? null : (double?)counts.LatencyP99Ms,
            };
        }

        private static object Level(SurfaceMesh mesh)
        {
            return new Dictionary<string, object?>
            {
                ["name"] = mesh.Name,
                ["triangles"] = mesh.TriangleCount,
                ["of"] = mesh.FullTriangleCount,
                ["deviation_max_mm"] = mesh.DeviationMaxMm,
                ["deviation_p95_mm"] = mesh.DeviationP95Mm,
                ["form"] = mesh.CameCompressed ? "compressed" : "raw",
                ["bytes"] = mesh.TransferBytes,
                ["seconds"] = mesh.TransferSeconds,
                ["unpack_seconds"] = mesh.UnpackSeconds,
            };
        }

        private void AddDisplay(ClientStatus status, Headset headset)
        {
            values["self_test"] = status.SelfTest.ToString();
            values["obstacle"] = status.Obstacle;
            values["display"] = headset.Display.Summary();
            values["frames"] = headset.Frames;
            values["frames_valid"] = headset.ValidFrames;
            values["displayed"] = headset.Displayed.ToDictionary(
                each => each.Key, each => (object?)new Dictionary<string, object?>
                {
                    ["hidden"] = each.Value[(int)ToolDisplay.Hidden],
                    ["greyed"] = each.Value[(int)ToolDisplay.Greyed],
                    ["shown"] = each.Value[(int)ToolDisplay.Shown],
                });
            values["surfaces_added"] = headset.Added;
            values["surfaces_removed"] = headset.Removed;
            values["events_answered"] = headset.Answers.Select(each => (object?)new Dictionary<string, object?>
            {
                ["number"] = each.Number,
                ["outcome"] = each.Outcome.Word(),
                ["code"] = each.Code,
                ["note"] = each.Note,
            }).ToList();
            values["server_events"] = headset.ServerEvents.Select(each => (object?)new Dictionary<string, object?>
            {
                ["number"] = each.Number,
                ["kind"] = each.Kind,
                ["name"] = each.Name,
            }).ToList();
        }
    }
}
