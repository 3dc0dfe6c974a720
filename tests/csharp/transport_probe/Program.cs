#nullable enable
using System;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Threading;
using SurgNav.Core.Transport;

namespace SurgNav.Tests.TransportProbe
{
    /// <summary>
    /// A client that a test remote-controls by lines: 'open sub|deal ENDPOINT NAME=VALUE...', 'send HEX', 'report', 'measure
    /// COUNT', 'stop', 'quit'. It polls one socket all the while and tells, a line each, of every change of state and, if
    /// 'echo=1' was said, of every message.
    /// </summary>
    public static class Program
    {
        private static readonly ConcurrentQueue<string> Commands = new ConcurrentQueue<string>();
        private static IMessageSocket? socket;

        public static int Main(string[] arguments)
        {
            if (arguments.Length > 0)
            {
                return Benchmark.Run(arguments);
            }

            new Thread(Read) { IsBackground = true }.Start();
            var session = new Session();
            while (true)
            {
                while (Commands.TryDequeue(out var command))
                {
                    if (command == "quit")
                    {
                        return 0;
                    }

                    session.Obey(command, ref socket);
                }

                session.Poll(socket);
            }
        }

        internal static void Say(FormattableString line)
        {
            Console.Out.WriteLine(line.ToString(CultureInfo.InvariantCulture));
            Console.Out.Flush();
        }

        private static void Read()
        {
            string? line;
            while ((line = Console.In.ReadLine()) != null)
            {
                if (line == "stop")
                {
                    // From this thread, while the other one polls.
                    var watch = Stopwatch.StartNew();
                    socket?.Dispose();
                    Say($"stopped {watch.Elapsed.TotalMilliseconds:F1}");
                }
                else
                {
                    Commands.Enqueue(line);
                    socket?.Wake();
                }
            }

            Commands.Enqueue("quit");
            socket?.Wake();
        }
    }
}
