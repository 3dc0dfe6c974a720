#nullable enable
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using NUnit.Framework;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Tests
{
    public sealed class SurfaceLinkTests
    {
        private readonly ClientSettings settings = new ClientSettings { SurfaceEndpoint = "tcp://127.0.0.1:1" };
        private FakeSocket socket = new FakeSocket();
        private FakeClock clock = new FakeClock();
        private SurfaceServer server = null!;
        private SurfaceStore store = null!;
        private SurfaceLink link = null!;

        [SetUp]
        public void Begin()
        {
            socket = new FakeSocket();
            clock = new FakeClock(1);
            server = new SurfaceServer(socket);
            store = new SurfaceStore(new BufferPool(1L << 28)) { IsOpen = true };
            settings.ShowSuggestedSurfaces = false;
            settings.MaxTriangles = 0;
            settings.MaxSurfaceBytes = 1L << 30;
            Connect();
        }

        [Test]
        public void ASurfaceComesWholeAsItWillBeUploaded()
        {
            var payload = TestSurface.Payload("liver", 30_000);
            server.Offer("liver", payload);
            Run();
            var mesh = Changes().Single().Mesh!;
            Assert.That((mesh.Name, mesh.Frame, mesh.ApprovedBy), Is.EqualTo(("liver", "ct", "Dr. A. Example")));
            Assert.That((mesh.VertexCount, mesh.TriangleCount, mesh.IndexBytes), Is.EqualTo((30_002, 30_000, 4)));
            Assert.That(mesh.Sha256, Is.EqualTo(TestSurface.Hash(payload)));
            Assert.That(mesh.Indices.ToArray(), Is.EqualTo(payload.Skip(payload.Length - (12 * 30_000)).ToArray()));
            Assert.That(mesh.Vertices.Count, Is.EqualTo(12 * 30_002));
            Assert.That((mesh.BoundsMinimum.X, mesh.BoundsMaximum.X), Is.EqualTo((0.0f, 1.0f)));
            Assert.That(mesh.BoundsMaximum.Y, Is.EqualTo(1000.0f / 65535.0f).Within(1e-7f));
            Assert.That(link.IsDone, Is.True);
            Assert.That(link.Shelf.Missing, Is.Empty);
            mesh.Release();
            Assert.Throws<ObjectDisposedException>(() => _ = mesh.Vertices);
        }

        /// <summary>The compressed surface of the golden vectors, which Python has made.</summary>
        [TestCase(false)]
        [TestCase(true)]
        public void ACompressedFormIsUnpackedAndCheckedAgainstThePayloadsHash(bool isDamaged)
        {
            var packed = File.ReadAllBytes(JsonFile.Find("wire/surface_compressed.bin"));
            var payload = new CompressedSurface().Restore(packed);
            string name = SurfacePayload.Decode(payload).Name;
            var entry = server.Offer(name, payload);
            var level = new SurfaceLevel
            {
                Sha256 = isDamaged ? TestSurface.Hash(packed) : entry.Sha256,
                VertexCount = entry.VertexCount,
                TriangleCount = entry.TriangleCount,
                ByteCount = entry.ByteCount,
                QuantisationStepMm = entry.QuantisationStepMm,
                CompressedSha256 = TestSurface.Hash(packed),
                CompressedByteCount = (ulong)packed.Length,
            };
            entry.Sha256 = level.Sha256;
            entry.Levels.Add(level);
            server.Payloads[level.CompressedSha256] = packed;
            settings.SurfaceForm = SurfaceForm.Compressed;
            Connect();
            Run();
            settings.SurfaceForm = SurfaceForm.Auto;
            Assert.That(server.Asked.All(each => each.Sha256 == level.CompressedSha256), Is.True);
            if (isDamaged)
            {
                Assert.That(Changes(), Is.Empty);
                Assert.That(link.Shelf.Counts.LastRefusal, Does.Contain("unpacked, with hash"));
                return;
            }

            var mesh = Changes().Single().Mesh!;
            Assert.That((mesh.CameCompressed, mesh.TransferBytes), Is.EqualTo((true, (long)packed.Length)));
            Assert.That(mesh.Vertices.ToArray(), Is.EqualTo(SurfacePayload.Decode(payload).Vertices.ToArray()));
        }

        [Test]
        public void CoarseLevelsOfAllComeBeforeFineOnes()
        {
            server.Offer("liver", TestSurface.Payload("liver", 4000), TestSurface.Payload("liver", 40));
            server.Offer("skin", TestSurface.Payload("skin", 5000), TestSurface.Payload("skin", 50));
            var levels = new List<(string, int, int)>();
            while (!link.IsDone || levels.Count < 4)
            {
                Turn();
                levels.AddRange(Changes().Select(change => (change.Name, change.Mesh!.Level, change.Mesh.TriangleCount)));
            }

            Assert.That(levels, Is.EqualTo(new[] { ("liver", 0, 40), ("skin", 0, 50), ("liver", 1, 4000), ("skin", 1, 5000) }));
        }

        [Test]
        public void TheBudgetKeepsToCoarseLevels()
        {
            settings.MaxTriangles = 4200;
            server.Offer("liver", TestSurface.Payload("liver", 4000), TestSurface.Payload("liver", 40));
            server.Offer("skin", TestSurface.Payload("skin", 5000), TestSurface.Payload("skin", 50));
            Connect();
            Run();
            var last = Changes().Where(each => each.Mesh != null).GroupBy(each => each.Name)
                .ToDictionary(each => each.Key, each => each.Last().Mesh!.TriangleCount);
            Assert.That((last["liver"], last["skin"]), Is.EqualTo((4000, 50)));
            Assert.That(link.Shelf.Missing, Is.Empty, "what the budget leaves out is not missing");
        }

        [Test]
        public void ABrokenLinkGoesOnWhereItStopped()
        {
            var payload = TestSurface.Payload("liver", 30_000);
            var entry = server.Offer("liver", payload);
            for (int turn = 0; turn < 6; turn++)
            {
                Turn();
            }

            long received = link.Shelf.Counts.Bytes;
            Assert.That(received, Is.GreaterThan(0).And.LessThan(payload.Length));
            server.Asked.Clear();
            socket.Reconnect();
            Run();
            Assert.That(server.Asked[0], Is.EqualTo((entry.Sha256, (ulong)received)), "the first byte that is not here");
            Assert.That(link.Shelf.Counts.Bytes, Is.EqualTo(payload.Length), "not one byte twice");
            Assert.That(Changes().Single().Mesh!.Sha256, Is.EqualTo(entry.Sha256));
        }

        [Test]
        public void AnswersThatWereDroppedAreAskedForAgain()
        {
            server.Offer("liver", TestSurface.Payload("liver", 30_000));
            Turn();
            Turn();
            link.Step(0);
            socket.Sent.Clear(); // the server has dropped them
            clock.AdvanceMs(900);
            link.Step(0);
            Assert.That(socket.Sent, Is.Empty);
            clock.AdvanceMs(200);
            Run();
            Assert.That(Changes().Count, Is.EqualTo(1));
        }

        [Test]
        public void AServerWithSmallChunksIsFollowed()
        {
            server.MaxChunkBytes = 5000;
            server.Offer("liver", TestSurface.Payload("liver", 30_000));
            Run();
            Assert.That(Changes().Count, Is.EqualTo(1));
        }

        [Test]
        public void AWrongHashIsRefusedOnceAndNotPulledAgain()
        {
            var entry = server.Offer("liver", TestSurface.Payload("liver", 1000));
            server.Payloads[entry.Sha256] = TestSurface.Payload("liver", 1000, 3);
            Run();
            Assert.That(Changes(), Is.Empty);
            Assert.That(link.Shelf.Counts.LastRefusal, Does.Contain("hash"));
            Assert.That(link.Shelf.Missing, Is.EqualTo(new[] { "liver" }));
            int asked = server.Asked.Count;
            clock.AdvanceMs(2500);
            Run();
            Assert.That(server.Asked.Count, Is.EqualTo(asked));
            Assert.That(link.Shelf.Counts.Refused, Is.EqualTo(1UL));
        }

        [Test]
        public void AnIndexOutOfRangeIsRefused()
        {
            // The manifest and the hash are those of the damaged payload: only the index check can find it.
            var payload = TestSurface.Payload("liver", 1000, 1002);
            var entry = TestSurface.Entry("liver", TestSurface.Payload("liver", 1000));
            entry.Sha256 = TestSurface.Hash(payload);
            server.Entries.Add(entry);
            server.Payloads[entry.Sha256] = payload;
            Run();
            Assert.That(Changes(), Is.Empty);
            Assert.That(link.Shelf.Counts.LastRefusal, Does.Contain("index 1002"));
        }

        [Test]
        public void APayloadThatIsAnotherThanTheManifestSaysIsRefused()
        {
            var payload = TestSurface.Payload("kidney", 1000);
            var entry = server.Offer("liver", payload);
            Assert.That(entry.Name, Is.EqualTo("liver"));
            Run();
            Assert.That(Changes(), Is.Empty);
            Assert.That(link.Shelf.Counts.LastRefusal, Does.Contain("kidney"));
        }

        [TestCase("suggested", "", false)]
        [TestCase("approved", " ", false)]
        [TestCase("rejected", "Dr. A. Example", false)]
        [TestCase("suggested", "", true)]
        public void OnlyWhatMayBeShownIsPulled(string approval, string person, bool isResearch)
        {
            settings.ShowSuggestedSurfaces = isResearch;
            Connect(isResearch);
            var entry = server.Offer("liver", TestSurface.Payload("liver", 100));
            entry.Approval = approval;
            entry.ApprovedBy = person;
            Run();
            var changes = Changes();
            Assert.That(changes.Count, Is.EqualTo(isResearch ? 1 : 0));
            Assert.That(changes.All(each => each.Mesh!.IsSuggested), Is.True);
            Assert.That(server.Asked.Count > 0, Is.EqualTo(isResearch), "not one byte of it");
        }

        [Test]
        public void ResearchAloneIsNotEnough()
        {
            Connect(isResearch: true);
            server.Offer("liver", TestSurface.Payload("liver", 100)).Approval = "suggested";
            Run();
            Assert.That(Changes(), Is.Empty, "the application has not said that it says so on screen");
        }

        [Test]
        public void WhatIsWithdrawnIsRemovedAndWhatIsReplacedComesAnew()
        {
            server.Offer("liver", TestSurface.Payload("liver", 100));
            server.Offer("skin", TestSurface.Payload("skin", 100));
            Run();
            Changes();
            server.Entries.RemoveAt(1);
            server.Offer("liver", TestSurface.Payload("liver", 200));
            clock.AdvanceMs(2500);
            Run();
            var changes = Changes();
            Assert.That(changes[0].Kind, Is.EqualTo(SurfaceChangeKind.Removed));
            Assert.That(changes.Count(each => each.Kind == SurfaceChangeKind.Removed), Is.EqualTo(1), "the new liver takes the old one's place");
            Assert.That(changes.Single(each => each.Mesh != null).Mesh!.TriangleCount, Is.EqualTo(200));
        }

        [Test]
        public void TooLargeIsRefusedBeforeItsFirstByte()
        {
            settings.MaxSurfaceBytes = 1000;
            Connect();
            server.Offer("liver", TestSurface.Payload("liver", 100));
            Run();
            Assert.That(server.Asked, Is.Empty);
            Assert.That(link.Shelf.Counts.LastRefusal, Does.Contain("too large"));
        }

        [Test]
        public void WhatIsAnnouncedAllocatesNothing()
        {
            var entry = server.Offer("liver", TestSurface.Payload("liver", 100));
            entry.ByteCount = 200_000_000;
            long before = GC.GetTotalMemory(true);
            for (int turn = 0; turn < 10; turn++)
            {
                Turn();
            }

            Assert.That(GC.GetTotalMemory(false) - before, Is.LessThan(10_000_000));
            Assert.That(Changes(), Is.Empty);
        }

        [Test]
        public void AHundredSurfacesTakeTheMemoryOfOne()
        {
            for (int count = 0; count < 100; count++)
            {
                server.Offer("liver", TestSurface.Payload("liver", 20_000 + count));
                clock.AdvanceMs(2500);
                Run();
                Changes().Single(each => each.Mesh != null).Mesh!.Release();
                if (count == 1)
                {
                    firstKept = store.Pool.KeptBytes;
                }
            }

            Assert.That(store.Pool.KeptBytes, Is.EqualTo(firstKept));
        }

        /// <summary>Beyond a megabyte, where ArrayPool.Shared would make a new array each time.</summary>
        [Test]
        public void ASurfaceThatComesAgainAllocatesNextToNothing()
        {
            var payload = TestSurface.Payload("liver", 50_000);
            var manifest = new SurfaceManifest();
            manifest.Surfaces.Add(TestSurface.Entry("liver", payload));
            var chunk = new SurfaceChunk
            {
                Sha256 = manifest.Surfaces[0].Sha256, TotalBytes = (ulong)payload.Length, Data = payload,
            };
            long before = 0;
            for (int count = 0; count < 30; count++)
            {
                before = count == 2 ? GC.GetAllocatedBytesForCurrentThread() : before;
                var transfer = new SurfaceTransfer(new SurfaceShelf(settings, store, clock).Plan(manifest).Single(), store.Pool);
                transfer.Add(chunk);
                link.Shelf.Finish(transfer);
                Changes().Single().Mesh!.Release();
            }

            long each = (GC.GetAllocatedBytesForCurrentThread() - before) / 28;
            Assert.That(payload.Length, Is.GreaterThan(1 << 20));
            Assert.That(each, Is.LessThan(20_000));
        }

        [Test]
        public void NothingIsGivenOutBeforeTheServerHasJudged()
        {
            store.IsOpen = false;
            server.Offer("liver", TestSurface.Payload("liver", 100));
            Run();
            Assert.That(Changes(), Is.Empty);
            store.IsOpen = true;
            Assert.That(Changes().Count, Is.EqualTo(1));
        }

        [Test]
        public void ChangesThatNobodyTakesDoNotPileUp()
        {
            for (int count = 0; count < 20; count++)
            {
                server.Offer("liver", TestSurface.Payload("liver", 100 + count));
                clock.AdvanceMs(2500);
                Run();
            }

            var change = Changes().Single();
            Assert.That(change.Mesh!.TriangleCount, Is.EqualTo(119));
        }

        private long firstKept;

        private void Connect(bool isResearch = false)
        {
            link = new SurfaceLink(socket, clock, settings, store);
            link.Allow(true, isResearch);
        }

        private void Turn()
        {
            link.Step(0);
            server.Serve(1);
            clock.AdvanceMs(1);
        }

        /// <summary>Until neither side has anything to say.</summary>
        private void Run()
        {
            for (int turn = 0; turn < 20_000; turn++)
            {
                link.Step(0);
                clock.AdvanceMs(0.1);
                if (server.Serve() == 0 && !socket.Poll(0))
                {
                    return;
                }
            }

            Assert.Fail("it never ends");
        }

        private List<SurfaceChange> Changes()
        {
            var changes = new List<SurfaceChange>();
            while (store.TryTakeChange(out var change))
            {
                changes.Add(change);
            }

            return changes;
        }
    }
}
