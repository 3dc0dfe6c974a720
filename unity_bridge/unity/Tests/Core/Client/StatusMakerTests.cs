#nullable enable
using System.Linq;
using NUnit.Framework;
using SurgNav.Core.Client;
using SurgNav.Core.Transport;
using SurgNav.Core.Wire;
using static SurgNav.Core.Tests.FakeClock;

namespace SurgNav.Core.Tests
{
    /// <summary>A Welcome that says 50 and 120 ms, clocks 7 us apart, and a server that stops talking.</summary>
    public sealed class StatusMakerTests
    {
        private const long AheadNs = 7_000;
        private readonly Server server = new Server();
        private readonly FakeSocket poseSocket = new FakeSocket();
        private readonly FakeSocket controlSocket = new FakeSocket();
        private readonly FakeClock clock = new FakeClock(1_000 * Ms);

        [Test]
        public void TheRegistrationIsNoLongerValidWhenTheBatchesStop()
        {
            var settings = new ClientSettings { SurfaceEndpoint = "tcp://127.0.0.1:1" };
            var pool = new BufferPool(1 << 20);
            var poses = new PoseLink(poseSocket, clock, null);
            var control = new ControlLink(controlSocket, clock, settings, new EventQueue(clock), pool);
            var surfaces = new SurfaceLink(new FakeSocket(), clock, settings, new SurfaceStore(pool));
            var ultrasound = new UltrasoundLink(new FakeTransport(), clock, new SocketSettings(), false);
            var maker = new StatusMaker(clock, poses, surfaces, control, ultrasound, ultrasound);
            Connect(control);

            poseSocket.Put(server.Batch(1, clock.NowNs + AheadNs, TestTool.At(0.0f)));
            poses.Step(0);
            AssertRegistration(maker.Make(), Validity.Valid, "");
            clock.AdvanceMs(50.5);
            AssertRegistration(maker.Make(), Validity.Stale, "the newest pose is 50 ms old");
            clock.AdvanceMs(70);
            AssertRegistration(maker.Make(), Validity.Lost, "the newest pose is 120 ms old");
            poseSocket.Put(server.Batch(2, clock.NowNs + AheadNs, Validity.Suspect, "bumped", 0, TestTool.At(0.0f)));
            poses.Step(0);
            AssertRegistration(maker.Make(), Validity.Suspect, "bumped");
        }

        private static void AssertRegistration(ClientStatus status, Validity validity, string reason)
        {
            Assert.That((status.Registration, status.RegistrationReason), Is.EqualTo((validity, reason)));
        }

        private void Connect(ControlLink control)
        {
            control.Step(0, default);
            var welcome = Server.Welcome();
            welcome.PoseStaleAfterMs = 50.0;
            welcome.PoseLostAfterMs = 120.0;
            controlSocket.Put(server.Message(welcome));
            control.Step(0, default);
            var request = controlSocket.TakeSent().OfType<ClockRequest>().Single();
            long thereNs = request.ClientSentNs + AheadNs;
            controlSocket.Put(server.Message(new ClockReply
            {
                ClientSentNs = request.ClientSentNs, ServerReceivedNs = thereNs, ServerSentNs = thereNs,
            }));
            control.Step(0, default);
            Assert.That(control.Facts.Obstacle, Is.Empty);
        }
    }
}
