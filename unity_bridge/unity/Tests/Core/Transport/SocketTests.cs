#nullable enable
using System;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Threading;
using NUnit.Framework;
using SurgNav.Core.Transport;

namespace SurgNav.Core.Tests
{
    /// <summary>Whole sockets, on loopback, against listeners that the test controls.</summary>
    public sealed class SocketTests
    {
        private const int PatienceMs = 10_000;
        private TcpListener listener = null!;
        private IMessageSocket? socket;

        [SetUp]
        public void Listen()
        {
            listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start(1);
        }

        [TearDown]
        public void Stop()
        {
            socket?.Dispose();
            listener.Stop();
        }

        [Test]
        public void ConnectsReceivesLosesTheServerAndFindsItAgain()
        {
            Connect(new SocketSettings { ReconnectMinMs = 1 });
            for (int time = 0; time < 3; time++)
            {
                using var server = Accept();
                server.Send(WireParts.Join(WireParts.Greet("NULL"), WireParts.NullReady, WireParts.Frame(0, 65, (byte)time)));
                PollUntil(() => socket!.TryReceive(out var message) && message.Span[1] == time);
                Assert.That((socket!.State, socket.Reason), Is.EqualTo((SocketState.Connected, "")));
                Assert.That(socket.Reconnections, Is.EqualTo(time));
                Assert.That(socket.TrySend(new byte[1]), Is.False, "a SUB socket does not send");
            }

            PollUntil(() => socket!.State != SocketState.Connected);
            Assert.That(socket!.Reason, Is.Not.Empty);
        }

        [Test]
        public void NobodyListeningIsTriedAgain()
        {
            int port = ((IPEndPoint)listener.LocalEndpoint).Port;
            listener.Stop();
            Connect(new SocketSettings { ReconnectMinMs = 1, ReconnectMaxMs = 20 }, port);
            PollUntil(() => socket!.State == SocketState.WaitingToRetry);
            Assert.That(socket!.Reason, Does.Contain("ConnectionRefused"));
            listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            using var server = Accept();
            server.Send(WireParts.Join(WireParts.Greet("NULL"), WireParts.NullReady));
            PollUntil(() => socket!.State == SocketState.Connected);
        }

        [Test]
        public void AServerThatSaysNothingIsGivenUp()
        {
            Connect(new SocketSettings { HandshakeTimeoutMs = 50 });
            using var server = Accept();
            PollUntil(() => socket!.State == SocketState.WaitingToRetry);
            Assert.That(socket!.Reason, Does.Contain("does not finish the handshake"));
        }

        [Test]
        public void AServerThatFallsSilentIsAskedAndGivenUp()
        {
            Connect(new SocketSettings { HeartbeatIntervalMs = 30, HeartbeatTimeoutMs = 60 });
            using var server = Accept();
            server.Send(WireParts.Join(WireParts.Greet("NULL"), WireParts.NullReady));
            PollUntil(() => socket!.State == SocketState.Connected);
            PollUntil(() => socket!.State == SocketState.WaitingToRetry);
            Assert.That(socket!.Reason, Does.Contain("no sign of life"));
        }

        [Test]
        public void OurOwnSilenceIsNotTheServers()
        {
            Connect(new SocketSettings { HeartbeatIntervalMs = 20, HeartbeatTimeoutMs = 40 });
            using var server = Accept();
            server.Send(WireParts.Join(WireParts.Greet("NULL"), WireParts.NullReady));
            PollUntil(() => socket!.State == SocketState.Connected);
            PollUntil(() => server.Available >= 64 + 27 + 12 + 9); // greeting, READY, SUBSCRIBE, PING
            server.Send(WireParts.Command("PONG"));
            Thread.Sleep(100);
            Assert.That(socket!.Poll(0), Is.False);
            Assert.That(socket.State, Is.EqualTo(SocketState.Connected));
        }

        [Test]
        public void ARefusalStaysWhileItIsTriedAgain()
        {
            Connect(new SocketSettings { ReconnectMinMs = 1, ReconnectMaxMs = 5 });
            for (int time = 0; time < 3; time++)
            {
                using var server = Accept();
                server.Send(WireParts.Join(WireParts.Greet("NULL"), WireParts.Command("ERROR", 2, 78, 79)));
                PollUntil(() => socket!.State == SocketState.Refused);
                Assert.That(socket!.Reason, Is.EqualTo("the server refused: 'NO'"));
            }
        }

        [TestCase("connecting")]
        [TestCase("shaking hands")]
        [TestCase("connected")]
        [TestCase("waiting to retry")]
        public void StopsWhateverItIsDoing(string stage)
        {
            int port = ((IPEndPoint)listener.LocalEndpoint).Port;
            if (stage == "waiting to retry")
            {
                listener.Stop();
            }

            Connect(new SocketSettings { ReconnectMinMs = 60_000, ReconnectMaxMs = 60_000, ConnectTimeoutMs = 60_000 }, port);
            using var server = stage == "shaking hands" || stage == "connected" ? Accept() : null;
            if (stage == "connected")
            {
                server!.Send(WireParts.Join(WireParts.Greet("NULL"), WireParts.NullReady));
                PollUntil(() => socket!.State == SocketState.Connected);
            }

            var polling = new Thread(() => socket!.Poll(60_000));
            polling.Start();
            Thread.Sleep(30);
            socket!.Dispose();
            Assert.That(polling.Join(PatienceMs), Is.True);
            Assert.That(socket.State, Is.EqualTo(SocketState.Closed));
            Assert.That(socket.Poll(60_000) || socket.TryReceive(out _) || socket.TrySend(new byte[1]), Is.False);
            socket.Dispose();
        }

        [Test]
        public void WakeEndsAPoll()
        {
            Connect(new SocketSettings());
            var polling = new Thread(() => socket!.Poll(60_000));
            polling.Start();
            socket!.Wake();
            Assert.That(polling.Join(PatienceMs), Is.True);
        }

        [TestCase("tcp://127.0.0.1")]
        [TestCase("tcp://127.0.0.1:")]
        [TestCase("tcp://127.0.0.1:0")]
        [TestCase("tcp://127.0.0.1:65536")]
        [TestCase("tcp://127.0.0.1:+1")]
        [TestCase("tcp://:5570")]
        [TestCase("tcp://a b:5570")]
        [TestCase("tcp://[127.0.0.1]:5570")]
        [TestCase("tcp://[::1:5570")]
        [TestCase("ipc://somewhere:1")]
        [TestCase("")]
        public void EndpointsThatAreNone(string endpoint)
        {
            Assert.That(() => new ZmtpTransport().Deal(endpoint, new SocketSettings()), Throws.TypeOf<TransportException>());
        }

        [TestCase("tcp://[::1]:5570", "[::1]:5570")]
        [TestCase("tcp://or-7.hospital.example:5570", "or-7.hospital.example:5570")]
        public void EndpointsThatAreSome(string text, string shown)
        {
            Assert.That(Endpoint.Parse(text).ToString(), Is.EqualTo(shown));
        }

        [Test]
        public void SettingsThatCannotBe()
        {
            var settings = new SocketSettings { ReconnectMinMs = 100, ReconnectMaxMs = 50 };
            var error = Assert.Throws<TransportException>(() => new ZmtpTransport().Subscribe("tcp://127.0.0.1:1", settings));
            Assert.That(error!.Message, Does.Contain("ReconnectMaxMs = 50"));
        }

        [Test]
        public void TheBackOffDoublesUpToItsMaximumAndVaries()
        {
            var backoff = new Backoff(100, 1000, new Random(1));
            foreach (int expected in new[] { 100, 200, 400, 800, 1000, 1000 })
            {
                Assert.That(backoff.NextMs(false), Is.InRange(0.75 * expected, 1.25 * expected));
            }

            backoff.Reset();
            Assert.That(backoff.NextMs(true), Is.InRange(750, 1250));
            for (int time = 0; time < 100; time++)
            {
                Assert.That(backoff.NextMs(false), Is.InRange(1, 1250));
            }
        }

        private void Connect(SocketSettings settings, int port = 0)
        {
            port = port == 0 ? ((IPEndPoint)listener.LocalEndpoint).Port : port;
            socket = new ZmtpTransport().Subscribe($"tcp://127.0.0.1:{port}", settings);
        }

        /// <summary>Polls until somebody is at the door.</summary>
        private Socket Accept()
        {
            PollUntil(() => listener.Pending());
            return listener.AcceptSocket();
        }

        private void PollUntil(Func<bool> condition)
        {
            var watch = Stopwatch.StartNew();
            while (!condition())
            {
                Assert.That(watch.ElapsedMilliseconds, Is.LessThan(PatienceMs), $"{socket!.State}: {socket.Reason}");
                socket!.Poll(5);
            }
        }
    }
}
