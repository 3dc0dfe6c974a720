#nullable enable
using NUnit.Framework;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;
using static SurgNav.Core.Tests.FakeClock;

namespace SurgNav.Core.Tests
{
    public sealed class GuidanceInboxTests
    {
        private readonly Server server = new Server();
        private GuidanceInbox inbox = new GuidanceInbox();

        [SetUp]
        public void Begin() => inbox = new GuidanceInbox();

        [Test]
        public void NumbersAreShownWhileTheyAreYoung()
        {
            inbox.Take(server.Message(Of(Driver())));
            Assert.That(inbox.TryRead("driver", 50 * Ms, Facts(), out var young, out string reason), Is.True);
            Assert.That((young!.LateralMm, reason), Is.EqualTo(((double?)0.75, "")));
            Assert.That(inbox.TryRead("driver", 150 * Ms, Facts(), out var old, out reason), Is.False);
            Assert.That(old, Is.Null);
            Assert.That(reason, Does.Contain("150 ms old"));
        }

        [Test]
        public void AToolThatIsNotValidSaysWhy()
        {
            inbox.Take(server.Message(Of(new ToolGuidance { Tool = "driver", Validity = Validity.Lost, Reason = "covered" })));
            Assert.That(inbox.TryRead("driver", 0, Facts(), out var none, out string reason), Is.False);
            Assert.That((none, reason), Is.EqualTo(((ToolGuidance?)null, "covered")));
            Assert.That(inbox.TryRead("drill", 0, Facts(), out _, out reason), Is.False);
            Assert.That(reason, Does.Contain("does not guide"));
        }

        [Test]
        public void BeforeTheFirstAndBehindAnObstacleThereAreNoNumbers()
        {
            Assert.That(inbox.TryRead("driver", 0, Facts(), out _, out string reason), Is.False);
            Assert.That(reason, Does.Contain("no guidance"));
            inbox.Take(server.Message(Of(Driver())));
            Assert.That(inbox.TryRead("driver", 0, Facts("self-test failed"), out _, out reason), Is.False);
            Assert.That(reason, Is.EqualTo("self-test failed"));
        }

        [Test]
        public void NumbersWithoutValidityAndRepetitionsAreRefused()
        {
            var suspect = Driver();
            suspect.Validity = Validity.Suspect;
            Assert.That(() => inbox.Take(server.Message(Of(suspect))), Throws.InstanceOf<MalformedMessageException>());
            byte[] message = server.Message(Of(Driver()));
            inbox.Take(message);
            Assert.That(() => inbox.Take(message), Throws.InstanceOf<MalformedMessageException>());
        }

        [Test]
        public void ThePlanIsShownWhileItIsToldAnew()
        {
            Assert.That(inbox.TryReadPlan(0, Facts(), out _, out string reason), Is.False);
            Assert.That(reason, Does.Contain("no guidance"));
            inbox.Take(server.Message(new GuidancePlan { Followed = "l3_left" }));
            Assert.That(inbox.TryReadPlan(2900 * Ms, Facts(), out var plan, out reason), Is.True);
            Assert.That((plan!.Followed, reason), Is.EqualTo(("l3_left", "")));
            Assert.That(inbox.TryReadPlan(3100 * Ms, Facts(), out plan, out reason), Is.False);
            Assert.That((plan, reason), Is.EqualTo(((GuidancePlan?)null, "the newest plan is 3.1 s old")));
            Assert.That(inbox.TryReadPlan(0, Facts("self-test failed"), out _, out reason), Is.False);
            Assert.That(reason, Is.EqualTo("self-test failed"));
        }

        [Test]
        public void APlanWithAProblemIsNoneAndARepeatedOneIsRefused()
        {
            byte[] message = server.Message(new GuidancePlan { Problem = "the plan has changed" });
            inbox.Take(message);
            Assert.That(inbox.TryReadPlan(0, Facts(), out var plan, out string reason), Is.False);
            Assert.That((plan, reason), Is.EqualTo(((GuidancePlan?)null, "the plan has changed")));
            Assert.That(() => inbox.Take(message), Throws.InstanceOf<MalformedMessageException>());
        }

        [Test]
        public void ThePoseLinkRefusesNoneOfIt()
        {
            var socket = new FakeSocket();
            var link = new PoseLink(socket, new FakeClock(), null);
            socket.Put(server.Message(Of(Driver())));
            socket.Put(server.Message(new GuidancePlan { Followed = "l3_left" }));
            link.Step(0);
            Assert.That((link.Counts.Refused, link.Counts.Received), Is.EqualTo((0UL, 0UL)));
            Assert.That(link.Guidance.TryRead("driver", 0, Facts(), out _, out _), Is.True);
            Assert.That(link.Guidance.TryReadPlan(0, Facts(), out _, out _), Is.True);
        }

        private static Guidance Of(ToolGuidance tool)
        {
            var message = new Guidance();
            message.Tools.Add(tool);
            return message;
        }

        private static ToolGuidance Driver()
        {
            return new ToolGuidance { Tool = "driver", Validity = Validity.Valid, LateralMm = 0.75 };
        }

        private ServerFacts Facts(string obstacle = "")
        {
            return server.Facts(default, 0, Server.Welcome(), obstacle);
        }
    }
}
