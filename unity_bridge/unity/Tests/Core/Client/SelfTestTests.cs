#nullable enable
using System;
using NUnit.Framework;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Tests
{
    public sealed class SelfTestTests
    {
        /// <summary>A strip that hangs from 'object', which is 1 m along x of the root and turned by a quarter.</summary>
        internal static SelfTestTask Task(Server server, uint vertex = 1)
        {
            var held = new TestTool
            {
                Name = "object", FromFrame = "object", X = 1.0f, AngleRad = Math.PI / 2.0,
            };
            var task = new SelfTestTask
            {
                Challenge = 42,
                Surface = TestSurface.Payload("self-test", 2, frame: "object"),
                Root = "reference",
            };
            task.Batches.Add(server.Batch(1, 123, held));
            task.Points.Add(new TestPoint { Vertex = vertex, Name = "tip" });
            task.Triangles.Add(0);
            return task;
        }

        [Test]
        public void ThePlacingIsThatOfNestedTransforms()
        {
            var test = SelfTest.Of(Task(new Server()), new BufferPool(1 << 20));
            test.PlaceByArithmetic();
            var placement = test.Report.Placements[0];
            // Vertex 1 of 4 has steps 21845, 1000, 7919: in the cube of edge 0.5 at (0.1, 0.2, 0.3).
            double x = 0.1 + (0.5 * 21845 / 65535);
            double y = 0.2 + (0.5 * 1000 / 65535);
            double z = 0.3 + (0.5 * 7919 / 65535);
            var position = placement.Points[0].PositionM;
            Assert.That(position[0], Is.EqualTo(1.0 - y).Within(1e-6), "a quarter turn about z: (x, y) -> (-y, x)");
            Assert.That(position[1], Is.EqualTo(x).Within(1e-6));
            Assert.That(position[2], Is.EqualTo(z).Within(1e-6));
            Assert.That(placement.Points[0].Normal, Is.EqualTo(new[] { 0.0, 1.0, 0.0 }).Within(1e-6));
            Assert.That(placement.Triangles[0].VisibleSide[2] != 0.0, Is.True);
        }

        [Test]
        public void AnObjectThatHangsFromNothingIsNotPlaced()
        {
            var task = Task(new Server());
            task.Root = "nowhere";
            var test = SelfTest.Of(task, new BufferPool(1 << 20));
            test.PlaceByArithmetic();
            Assert.That(test.Report.Placements[0].Points, Is.Empty);
        }

        [Test]
        public void AVertexThatIsNotThereIsRefused()
        {
            Assert.Throws<MalformedMessageException>(
                () => SelfTest.Of(Task(new Server(), vertex: 9), new BufferPool(1 << 20)));
        }

        [Test]
        public void WhatAdmitsItToThePosesIsKeptUntilItFailsOrTheServerSaysOtherwise()
        {
            var clock = new FakeClock();
            var steps = new SelfTestSteps(new MessageSender(new FakeSocket(), clock), clock, new BufferPool(1 << 20), false);
            var welcome = Server.Welcome(SelfTestState.Untested);
            steps.Begin(welcome);
            steps.Take(Task(new Server()));
            steps.Take(Verdict(SelfTestState.Passed, 1, 2));
            var token = steps.PoseToken;
            Assert.That(token, Is.EqualTo(new byte[] { 1, 2 }));
            welcome.SelfTest = SelfTestState.Passed;
            welcome.PoseToken = new byte[] { 1, 2 };
            steps.Begin(welcome);
            Assert.That(steps.PoseToken, Is.SameAs(token), "nobody subscribes anew for the same bytes");
            welcome.SelfTest = SelfTestState.Untested;
            welcome.PoseToken = null;
            steps.Begin(welcome);
            Assert.That(steps.PoseToken, Is.Null);
            steps.Take(Task(new Server()));
            steps.Take(Verdict(SelfTestState.Failed));
            Assert.That((steps.PoseToken, steps.MayShow), Is.EqualTo(((byte[]?)null, false)));
        }

        private static SelfTestVerdict Verdict(SelfTestState state, params byte[] token)
        {
            return new SelfTestVerdict { Challenge = 42, State = state, PoseToken = token };
        }

        [Test]
        public void AnApplicationPlacesItItself()
        {
            var clock = new FakeClock();
            var socket = new FakeSocket();
            var steps = new SelfTestSteps(new MessageSender(socket, clock), clock, new BufferPool(1 << 20), true);
            steps.Begin(Server.Welcome(SelfTestState.Untested));
            steps.Take(Task(new Server()));
            Assert.That(steps.TryTake(out var test), Is.True);
            Assert.That(steps.TryTake(out _), Is.False);
            steps.Tick();
            Assert.That(socket.TakeSent(), Is.Empty, "not before the application has sent it");
            test.PutPoint(0, 1, default, default);
            test.Send();
            steps.Tick();
            Assert.That(((SelfTestReport)socket.TakeSent()[0]).Placements[0].Points.Count, Is.EqualTo(1));
        }
    }
}
