#nullable enable
using System;
using System.Linq;
using NUnit.Framework;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Tests
{
    public sealed class NavigationClientTests
    {
        private const string Poses = "tcp://127.0.0.1:5570";
        private const string Surfaces = "tcp://127.0.0.1:5571";
        private const string Control = "tcp://127.0.0.1:5572";
        private readonly PoseFrame frame = new PoseFrame();

        [Test]
        public void ItStopsSaysGoodbyeAndStartsAgain()
        {
            var transport = new FakeTransport();
            using var client = new NavigationClient(transport, new FakeClock());
            for (int count = 0; count < 3; count++)
            {
                client.Start(Settings());
                var control = transport.Sockets[Control];
                client.Stop();
                Assert.That(transport.Sockets.Values.All(socket => socket.IsClosed), Is.True);
                Assert.That(control.TakeSent().Last(), Is.InstanceOf<Goodbye>());
                Assert.That(client.IsStarted, Is.False);
            }
        }

        [Test]
        public void StartedTwiceIsAMistake()
        {
            using var client = new NavigationClient(new FakeTransport(), new FakeClock());
            client.Start(Settings());
            Assert.Throws<InvalidOperationException>(() => client.Start(Settings()));
        }

        [Test]
        public void WithoutAServerNothingIsShownAndTheReasonIsSaid()
        {
            using var client = new NavigationClient(new FakeTransport(), new FakeClock());
            client.ReadPoses(0, frame);
            Assert.That((frame.Count, frame.Validity, frame.Reason), Is.EqualTo((0, Validity.Lost, "the client is not started")));
            client.Start(Settings());
            client.ReadPoses(0, frame);
            Assert.That((frame.Count, frame.Validity), Is.EqualTo((0, Validity.Lost)));
            Assert.That(client.TryTakeSelfTest(out _), Is.False);
            Assert.That(client.Surfaces.TryTakeChange(out _), Is.False);
        }

        [TestCase("http://127.0.0.1:1", 30.0)]
        [TestCase(Poses, -1.0)]
        [TestCase(Poses, double.NaN)]
        [TestCase(Poses, 1e6)]
        public void SettingsThatCannotBeAreRefused(string endpoint, double predictionMs)
        {
            using var client = new NavigationClient(new FakeTransport(), new FakeClock());
            var settings = Settings();
            settings.PoseEndpoint = endpoint;
            settings.PredictionCapMs = predictionMs;
            Assert.Throws<SettingsException>(() => client.Start(settings));
            Assert.That(client.IsStarted, Is.False);
        }

        private static ClientSettings Settings()
        {
            return new ClientSettings { PoseEndpoint = Poses, SurfaceEndpoint = Surfaces, ControlEndpoint = Control };
        }
    }
}
