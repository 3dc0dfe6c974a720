#nullable enable
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using SurgNav.Core.Transport;

namespace SurgNav.Tests.TransportProbe
{
    /// <summary>Timings for benchmarks/unity_bridge/bench_csharp_client.py.</summary>
    internal static class Benchmark
    {
        private const double NsPerSecond = 1e9;

        private static long NowNs => (long)(Stopwatch.GetTimestamp() * (NsPerSecond / Stopwatch.Frequency));

        internal static int Run(string[] arguments)
        {
            var settings = new SocketSettings { MaxMessageBytes = 1 << 22 };
            if (arguments.Length > 3)
            {
                settings.Keys = new CurveKeys(arguments[3], CurveKeys.NewSecret());
            }

            using var socket = new ZmtpTransport().Subscribe(arguments[1], settings);
            int count = int.Parse(arguments[2], CultureInfo.InvariantCulture);
            return arguments[0] == "latency" ? Latency(socket, count) : Throughput(socket, count);
        }

        /// <summary>Each message begins with when it was sent, on the clock of the machine; one line for each: how long ago.</summary>
        private static int Latency(IMessageSocket socket, int count)
        {
            var found = new List<long>(count);
            while (found.Count < count)
            {
                if (socket.Poll(100))
                {
                    while (socket.TryReceive(out var message))
                    {
                        found.Add(NowNs - MemoryMarshal.Read<long>(message.Span));
                    }
                }
            }

            foreach (long each in found)
            {
                Console.WriteLine(each);
            }

            return 0;
        }

        /// <summary>Seconds from the first message, of so many bytes in all, to the last.</summary>
        private static int Throughput(IMessageSocket socket, int bytes)
        {
            long begin = 0;
            while (bytes > 0)
            {
                socket.Poll(100);
                while (socket.TryReceive(out var message))
                {
                    begin = begin == 0 ? NowNs : begin;
                    bytes -= message.Length;
                }
            }

            Console.WriteLine(((NowNs - begin) / NsPerSecond).ToString("R", CultureInfo.InvariantCulture));
            return 0;
        }
    }
}
