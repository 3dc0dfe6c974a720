#nullable enable
using System;
using System.Text;
using System.Threading;
using SurgNav.Core.Client;
using SurgNav.Core.Transport;
using SurgNav.Core.Wire;

namespace SurgNav.Tests.Headset
{
    /// <summary>
    /// The subscriber of benchmarks/unity_bridge/bench_csharp_session.py: the whole client, as it listens to poses; prints "hearing" when
    /// the warm-up has come, and at the end latencies and what the pose thread has left to the garbage collector.
    /// </summary>
    internal sealed class PoseMeasurement : IBatchListener
    {
        private const long WarmUpNs = 1_000_000_000;

        /// <summary>By then every place of the ring to the display was used once, and has its memory.</summary>
        private const int Settled = 300;

        private const long QuietNs = 1_500_000_000;
        private readonly long[] latenciesNs;
        private int count;
        private int tools;
        private long heardNs = long.MaxValue;
        private long allocatedBefore;
        private long allocated;
        private int collections;

        private PoseMeasurement(int expected)
        {
            latenciesNs = new long[expected];
        }

        void IBatchListener.Received(PoseBatch batch, long receivedNs, long decodedNs)
        {
            if (batch.Header.CaptureNs <= WarmUpNs)
            {
                if (heardNs == long.MaxValue)
                {
                    Console.Out.WriteLine("hearing");
                    Console.Out.Flush();
                }
            }
            else if (count < latenciesNs.Length)
            {
                if (count == Settled)
                {
                    collections = GC.CollectionCount(0);
                    allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
                }

                latenciesNs[count++] = decodedNs - batch.Header.CaptureNs;
                tools += batch.Count;
                allocated = count > Settled ? GC.GetAllocatedBytesForCurrentThread() - allocatedBefore : -1;
            }

            Volatile.Write(ref heardNs, decodedNs);
        }

        internal static int Run(string endpoint, int expected)
        {
            var clock = new StopwatchClock(BootClock.Name());
            var measurement = new PoseMeasurement(expected);
            using var client = new NavigationClient(new ZmtpTransport(), clock, measurement);
            // Poses only: nobody answers at the other two.
            const string nobody = "tcp://127.0.0.1:9";
            client.Start(new ClientSettings
            {
                PoseEndpoint = endpoint, ControlEndpoint = nobody, SurfaceEndpoint = nobody,
            });
            var frame = new PoseFrame();
            while (clock.NowNs - Volatile.Read(ref measurement.heardNs) < QuietNs)
            {
                client.ReadPoses(clock.NowNs, frame);
                Thread.Sleep(11);
            }

            client.Stop();
            Console.Out.WriteLine(measurement.Json());
            return 0;
        }

        private string Json()
        {
            var text = new StringBuilder("{\"latencies_ns\":[");
            for (int index = 0; index < count; index++)
            {
                text.Append(index > 0 ? "," : "").Append(latenciesNs[index]);
            }

            return text.Append($"],\"messages\":{tools},\"pose_thread_bytes\":{allocated},")
                .Append($"\"collections\":{GC.CollectionCount(0) - collections}}}").ToString();
        }
    }
}
