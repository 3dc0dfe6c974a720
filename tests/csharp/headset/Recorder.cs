#nullable enable
using System;
using System.Collections.Generic;
using System.Linq;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;

namespace SurgNav.Tests.Headset
{
    /// <summary>Keeps every batch, for whoever holds the truth to check it against.</summary>
    internal sealed class Recorder : IBatchListener
    {
        private readonly object gate = new object();
        private readonly int maxBatches;
        private readonly List<Row> rows = new List<Row>();
        private bool isFrozen;
        private SessionId sessionId;

        internal Recorder(int maxBatches)
        {
            this.maxBatches = maxBatches;
        }

        internal ulong Received { get; private set; }

        internal ulong FirstSequence { get; private set; }

        internal ulong LastSequence { get; private set; }

        internal bool IsFull => Received > (ulong)rows.Count;

        void IBatchListener.Received(PoseBatch batch, long receivedNs, long decodedNs)
        {
            lock (gate)
            {
                if (!isFrozen)
                {
                    Keep(batch, receivedNs, decodedNs);
                }
            }
        }

        /// <summary>From here on nothing is taken in, so that report and recording agree.</summary>
        internal void Freeze()
        {
            lock (gate)
            {
                isFrozen = true;
            }
        }

        /// <summary>Sensor stamp to decoded, ms, sorted.</summary>
        internal double[] LatenciesMs(long offsetNs)
        {
            var latencies = rows.ConvertAll(row => (row.DecodedNs + offsetNs - row.CaptureNs) / 1e6).ToArray();
            Array.Sort(latencies);
            return latencies;
        }

        /// <summary>Writes what unity_bridge.client.load_recording opens.</summary>
        internal void Save(string path, long offsetNs, IEnumerable<SurfaceMesh> surfaces)
        {
            var tools = rows.SelectMany(row => row.Tools).Select(tool => tool.Name).Distinct()
                .OrderBy(name => name, StringComparer.Ordinal).ToList();
            var column = tools.Select((name, index) => (name, index)).ToDictionary(each => each.name, each => each.index);
            int n = rows.Count;
            int k = tools.Count;
            var validity = Enumerable.Repeat("", n * k).ToArray();
            var reason = Enumerable.Repeat("", n * k).ToArray();
            var position = Enumerable.Repeat(double.NaN, n * k * 3).ToArray();
            var rotation = Enumerable.Repeat(double.NaN, n * k * 4).ToArray();
            for (int row = 0; row < n; row++)
            {
                foreach (var tool in rows[row].Tools)
                {
                    int at = (row * k) + column[tool.Name];
                    validity[at] = tool.Validity.Word();
                    reason[at] = tool.Reason;
                    if (tool.HasPose)
                    {
                        Array.Copy(new double[] { tool.Position.X, tool.Position.Y, tool.Position.Z }, 0, position, 3 * at, 3);
                        var q = tool.Rotation;
                        Array.Copy(new double[] { q.X, q.Y, q.Z, q.W }, 0, rotation, 4 * at, 4);
                    }
                }
            }

            using var file = new NumpyArchive(path);
            file.Texts("session_id", rows.ConvertAll(row => row.SessionId.ToString()), n);
            file.Integers("sequence", rows.ConvertAll(row => (long)row.Sequence));
            file.Integers("capture_ns", rows.ConvertAll(row => row.CaptureNs));
            file.Integers("received_ns", rows.ConvertAll(row => row.ReceivedNs + offsetNs));
            file.Integers("decoded_ns", rows.ConvertAll(row => row.DecodedNs + offsetNs));
            file.Texts("batch_validity", rows.ConvertAll(row => row.Validity.Word()), n);
            file.Texts("tools", tools, k);
            file.Texts("validity", validity, n, k);
            file.Texts("reason", reason, n, k);
            file.Numbers("position_m", position, n, k, 3);
            file.Numbers("rotation_xyzw", rotation, n, k, 4);
            int number = 0;
            foreach (var mesh in surfaces)
            {
                SavedSurface.Write(file, $"surface_{number++}_", mesh);
            }
        }

        private void Keep(PoseBatch batch, long receivedNs, long decodedNs)
        {
            Received++;
            FirstSequence = batch.Header.SessionId == sessionId ? FirstSequence : batch.Header.Sequence;
            LastSequence = batch.Header.Sequence;
            sessionId = batch.Header.SessionId;
            if (rows.Count < maxBatches)
            {
                rows.Add(new Row(batch, receivedNs, decodedNs));
            }
        }

        private sealed class Row
        {
            internal readonly SessionId SessionId;
            internal readonly ulong Sequence;
            internal readonly long CaptureNs;
            internal readonly long ReceivedNs;
            internal readonly long DecodedNs;
            internal readonly Validity Validity;
            internal readonly Tool[] Tools;

            internal Row(PoseBatch batch, long receivedNs, long decodedNs)
            {
                SessionId = batch.Header.SessionId;
                Sequence = batch.Header.Sequence;
                CaptureNs = batch.Header.CaptureNs;
                ReceivedNs = receivedNs;
                DecodedNs = decodedNs;
                Validity = batch.Validity;
                Tools = new Tool[batch.Count];
                for (int index = 0; index < batch.Count; index++)
                {
                    Tools[index] = new Tool(batch[index]);
                }
            }
        }

        private readonly struct Tool
        {
            internal readonly string Name;
            internal readonly Validity Validity;
            internal readonly string Reason;
            internal readonly bool HasPose;
            internal readonly Float3 Position;
            internal readonly Float4 Rotation;

            internal Tool(in ToolPose tool)
            {
                Name = tool.Tool;
                Validity = tool.Validity;
                Reason = tool.Reason;
                HasPose = tool.HasPose;
                Position = tool.PositionM;
                Rotation = tool.RotationXyzw;
            }
        }
    }
}
