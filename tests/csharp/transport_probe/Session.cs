#nullable enable
using System;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Threading;
using SurgNav.Core.Transport;

namespace SurgNav.Tests.TransportProbe
{
    /// <summary>What became of the socket that is open.</summary>
    internal sealed class Session
    {
        private readonly SHA256 sha256 = SHA256.Create();
        private SocketState shown = SocketState.Closed;
        private string reason = "";
        private long messages;
        private long bytes;
        private bool echo;
        private long toMeasure;
        private long measuredFrom;

        internal void Obey(string command, ref IMessageSocket? socket)
        {
            var words = command.Split(' ');
            switch (words[0])
            {
                case "open":
                    socket?.Dispose();
                    socket = Open(words);
                    Program.Say($"opened");
                    break;
                case "send":
                    Program.Say($"sent {socket!.TrySend(Bytes(words[1]))}");
                    break;
                case "report":
                    Program.Say($"report {messages} {bytes} {socket!.Reconnections} {Process.GetCurrentProcess().WorkingSet64}");
                    break;
                case "measure":
                    toMeasure = long.Parse(words[1], CultureInfo.InvariantCulture);
                    measuredFrom = -1;
                    break;
                default:
                    throw new ArgumentException(command);
            }
        }

        internal void Poll(IMessageSocket? socket)
        {
            if (socket == null)
            {
                Thread.Sleep(1);
                return;
            }

            socket.Poll(1000);
            TellState(socket);
            while (socket.TryReceive(out var message))
            {
                messages++;
                bytes += message.Length;
                if (echo)
                {
                    var hash = sha256.ComputeHash(message.ToArray());
                    Program.Say($"message {message.Length} {BitConverter.ToString(hash).Replace("-", "").ToLowerInvariant()}");
                }

                Measure();
            }

            TellState(socket);
        }

        private void TellState(IMessageSocket socket)
        {
            if (socket.State != shown || socket.Reason != reason)
            {
                shown = socket.State;
                reason = socket.Reason;
                Program.Say($"state {shown} {reason}");
            }
        }

        /// <summary>What receiving so many messages left to the garbage collector, polls and waits included.</summary>
        private void Measure()
        {
            if (toMeasure == 0)
            {
                return;
            }

            if (measuredFrom < 0)
            {
                measuredFrom = GC.GetAllocatedBytesForCurrentThread();
            }
            else if (--toMeasure == 0)
            {
                long allocated = GC.GetAllocatedBytesForCurrentThread() - measuredFrom; // before the line itself is made
                Program.Say($"measured {allocated}");
            }
        }

        private IMessageSocket Open(string[] words)
        {
            var settings = new SocketSettings();
            string server = "";
            string secret = "";
            string token = "";
            echo = false;
            messages = 0;
            bytes = 0;
            shown = SocketState.Closed;
            for (int index = 3; index < words.Length; index++)
            {
                int equals = words[index].IndexOf('=');
                string name = words[index].Substring(0, equals);
                string value = words[index].Substring(equals + 1);
                switch (name)
                {
                    case "echo":
                        echo = true;
                        break;
                    case "server":
                        server = value;
                        break;
                    case "secret":
                        secret = value;
                        break;
                    case "token":
                        token = value;
                        break;
                    default:
                        Set(settings, name, int.Parse(value, CultureInfo.InvariantCulture));
                        break;
                }
            }

            settings.Keys = server == "" ? null : new CurveKeys(server, secret);
            var transport = new ZmtpTransport();
            if (words[1] == "deal")
            {
                return transport.Deal(words[2], settings);
            }

            var subscriber = transport.Subscribe(words[2], settings);
            subscriber.Subscribe(Bytes(token));
            return subscriber;
        }

        private static void Set(SocketSettings settings, string name, int value)
        {
            typeof(SocketSettings).GetProperty(name)!.SetValue(settings, value);
        }

        private static byte[] Bytes(string hex)
        {
            var bytes = new byte[hex.Length / 2];
            for (int index = 0; index < bytes.Length; index++)
            {
                bytes[index] = Convert.ToByte(hex.Substring(2 * index, 2), 16);
            }

            return bytes;
        }
    }
}
