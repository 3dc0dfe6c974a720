#nullable enable
using NUnit.Framework;
using SurgNav.Core.Client;

namespace SurgNav.Core.Tests
{
    public sealed class TransferWindowTests
    {
        private const long Ms = 1_000_000;

        [Test]
        public void AnEmptyLinkDoublesPerRoundTrip()
        {
            var window = new TransferWindow();
            for (int round = 0; round < 10; round++)
            {
                int bytes = window.ByteCount;
                window.Answered(10 * Ms, bytes, bytes);
                Assert.That(window.ByteCount, Is.EqualTo(System.Math.Min(2 * bytes, TransferWindow.MaxBytes)));
            }

            Assert.That(window.ChunkBytes, Is.EqualTo(TransferWindow.MaxChunkBytes));
        }

        /// <summary>
        /// A link of 25 MB/s and a round trip of 10 ms: the queue settles at the target, a third of a frame at 90 Hz.
        /// </summary>
        [Test]
        public void AFullLinkIsHeldAtItsTarget()
        {
            const double bytesPerNs = 25e6 / 1e9;
            var window = new TransferWindow();
            for (int round = 0; round < 200; round++)
            {
                int chunk = window.ChunkBytes;
                long roundTripNs = (long)System.Math.Max(10 * Ms, window.ByteCount / bytesPerNs);
                window.Answered(roundTripNs, chunk, window.ByteCount);
            }

            double inQueueNs = (window.ByteCount / bytesPerNs) - (10 * Ms);
            Assert.That(inQueueNs, Is.EqualTo(3.5 * Ms).Within(0.35 * Ms));
        }

        [Test]
        public void ASlowAnswerShrinksItButNotToNothing()
        {
            var window = new TransferWindow();
            window.Answered(1 * Ms, 8192, 8192);
            for (int round = 0; round < 50; round++)
            {
                window.Answered(1000 * Ms, 8192, 16_384);
            }

            Assert.That(window.ByteCount, Is.EqualTo(TransferWindow.MinBytes));
        }
    }
}
