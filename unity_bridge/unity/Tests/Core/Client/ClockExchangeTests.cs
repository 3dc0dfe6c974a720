#nullable enable
using NUnit.Framework;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Tests
{
    public sealed class ClockExchangeTests
    {
        [Test]
        public void FourTimestampsGiveOffsetAndBound()
        {
            // Sent at 100, there at 1150 and away at 1170, here again at 220: 50 each way, the server is 1000 ahead.
            var exchange = new ClockExchange();
            exchange.Add(100, 1150, 1170, 220);
            Assert.That(exchange.TryBest(out var offset), Is.True);
            Assert.That(offset.OffsetNs, Is.EqualTo(1000));
            Assert.That(offset.ErrorNs, Is.EqualTo(51));
        }

        [TestCase(0, 100)]
        [TestCase(100, 0)]
        [TestCase(37, 63)]
        public void TheBoundHoldsHoweverTheRoundTripIsSplit(long thereNs, long backNs)
        {
            const long ahead = -123_456;
            var exchange = new ClockExchange();
            exchange.Add(0, thereNs + ahead, thereNs + ahead + 5, thereNs + 5 + backNs);
            exchange.TryBest(out var offset);
            Assert.That(System.Math.Abs(offset.OffsetNs - ahead), Is.LessThanOrEqualTo(offset.ErrorNs));
        }

        [Test]
        public void TheFastestMessageOfEachDirectionCounts()
        {
            // There in 10 and back in 50, then there in 40 and back in 20: 1000 ahead, between 10 there and 20 back.
            var exchange = new ClockExchange();
            exchange.Add(0, 1010, 1010, 60);
            exchange.Add(100, 1140, 1140, 160);
            exchange.TryBest(out var best);
            Assert.That(best.OffsetNs, Is.EqualTo(995));
            Assert.That(best.ErrorNs, Is.EqualTo(16));
        }

        [Test]
        public void TheSlowerHalfTakesNoPart()
        {
            // Offset 0; the middles are those of 10 there and 10 back, 30 and 10, 10 and 30; one was held up for 1,000.
            var exchange = new ClockExchange();
            exchange.Add(0, 10, 10, 20);
            exchange.Add(10_000, 10_030, 10_030, 10_040);
            exchange.Add(20_000, 20_010, 20_010, 20_040);
            exchange.Add(30_000, 31_000, 31_000, 31_010);
            exchange.TryBest(out var best);
            Assert.That(best.OffsetNs, Is.EqualTo(0));
            Assert.That(best.ErrorNs, Is.EqualTo(11));
        }

        [Test]
        public void AnOldExchangeCountsForLessAndAClockThatWasSetBeginsAnew()
        {
            const long second = 1_000_000_000;
            var exchange = new ClockExchange();
            exchange.Add(0, 1_000_010, 1_000_010, 20);
            exchange.Add(second, second + 2_000_000, second + 2_000_000, second + 2_000_000);
            exchange.TryBest(out var best);
            Assert.That(best.OffsetNs, Is.EqualTo(1_000_000));
            Assert.That(best.ErrorNs, Is.EqualTo(50_111));
            exchange.Add(2 * second, 10, 10, (2 * second) + 20);
            exchange.TryBest(out best);
            Assert.That(best.OffsetNs, Is.EqualTo(-2 * second));
        }

        [Test]
        public void AnExchangeCountsAsLongAsItIsInTheWindow()
        {
            var exchange = new ClockExchange();
            exchange.Add(0, 10, 10, 20);
            for (int count = 1; count < ClockExchange.Window; count++)
            {
                exchange.Add(0, 600, 600, 1000);
            }

            exchange.TryBest(out var best);
            Assert.That(best.ErrorNs, Is.EqualTo(11));
            exchange.Add(0, 600, 600, 1000);
            exchange.TryBest(out best);
            Assert.That(best.ErrorNs, Is.EqualTo(501), "the first has left the window");
            Assert.That(exchange.Count, Is.EqualTo(ClockExchange.Window));
        }

        [TestCase(0, 10, 5, 20, TestName = "answered before it was asked")]
        [TestCase(0, 10, 90, 20, TestName = "longer at the server than under way")]
        public void WhatCannotBeIsRefused(long sent, long received, long answered, long back)
        {
            var exchange = new ClockExchange();
            Assert.Throws<MalformedMessageException>(() => exchange.Add(sent, received, answered, back));
            Assert.That(exchange.TryBest(out _), Is.False);
        }

        [Test]
        public void AnotherServerIsAnotherClock()
        {
            var exchange = new ClockExchange();
            exchange.Add(0, 10, 10, 20);
            exchange.Clear();
            Assert.That(exchange.TryBest(out _), Is.False);
        }

        [Test]
        public void TheStopwatchDoesNotStepBack()
        {
            var clock = new StopwatchClock();
            long last = clock.NowNs;
            for (int count = 0; count < 10_000; count++)
            {
                long now = clock.NowNs;
                Assert.That(now, Is.GreaterThanOrEqualTo(last));
                last = now;
            }
        }
    }
}
