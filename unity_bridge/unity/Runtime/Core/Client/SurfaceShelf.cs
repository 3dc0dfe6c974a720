#nullable enable
using System;
using System.Collections.Generic;
using System.Security.Cryptography;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>What arrived on the surface socket; a copy of one moment.</summary>
    internal struct SurfaceCounts
    {
        internal int Received;
        internal int UnderWay;
        internal long Bytes;
        internal ulong Refused;
        internal string LastRefusal;
    }

    /// <summary>
    /// Which surfaces are on offer, may be shown, and are here; unpacks and checks those that have come. Belongs to the
    /// surface thread, but for Counts and Received.
    /// </summary>
    internal sealed class SurfaceShelf
    {
        private readonly ClientSettings settings;
        private readonly SurfaceStore store;
        private readonly IClock clock;
        private readonly bool compressed;
        private readonly CompressedSurface unpacker = new CompressedSurface();
        private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private readonly object gate = new object();
        private readonly Dictionary<string, Held> held = new Dictionary<string, Held>(StringComparer.Ordinal);
        private readonly HashSet<string> broken = new HashSet<string>(StringComparer.Ordinal);
        private HashSet<string> turnedDown = new HashSet<string>(StringComparer.Ordinal);
        private List<(string Name, string FullSha256, int Rank)> offered = new List<(string, string, int)>();
        private SurfaceCounts counts = new SurfaceCounts { LastRefusal = "" };

        internal SurfaceShelf(ClientSettings settings, SurfaceStore store, IClock clock)
        {
            this.settings = settings;
            this.store = store;
            this.clock = clock;
            bool isFar = settings.SurfaceForm == SurfaceForm.Auto && !Loopback.Is(settings.SurfaceEndpoint);
            compressed = isFar || settings.SurfaceForm == SurfaceForm.Compressed;
        }

        internal BufferPool Pool => store.Pool;

        internal bool SuggestionsAllowed { get; set; }

        internal SurfaceCounts Counts
        {
            get
            {
                lock (gate)
                {
                    counts.Received = held.Count;
                    return counts;
                }
            }
        }

        /// <summary>Names on offer that are not here as wanted.</summary>
        internal List<string> Missing
        {
            get
            {
                lock (gate)
                {
                    return offered.FindAll(each => !IsHere(each.Name, each.FullSha256, each.Rank))
                        .ConvertAll(each => each.Name);
                }
            }
        }

        /// <summary>What the server is told of the surfaces that are here.</summary>
        internal void Received(List<ReceivedSurface> surfaces)
        {
            lock (gate)
            {
                foreach (var each in held.Values)
                {
                    surfaces.Add(each.Report);
                }
            }
        }

        internal void Refuse(string words)
        {
            lock (gate)
            {
                counts.Refused++;
                counts.LastRefusal = words;
            }
        }

        internal void CountBytes(int bytes)
        {
            lock (gate)
            {
                counts.Bytes += bytes;
            }
        }

        internal void CountUnderWay(int transfers)
        {
            lock (gate)
            {
                counts.UnderWay = transfers;
            }
        }

        /// <summary>Removes what is no longer on offer or may not be shown; says what is to be pulled, in order.</summary>
        internal List<SurfaceItem> Plan(SurfaceManifest manifest)
        {
            var known = turnedDown;
            turnedDown = new HashSet<string>(StringComparer.Ordinal);
            var offer = Offer(manifest, known);
            RemoveMissing(offer);
            var wanted = new List<SurfaceItem>();
            double total = 0.0;
            long maxTriangles = settings.MaxTriangles > 0 ? settings.MaxTriangles : long.MaxValue;
            var order = SurfacePlan.Order(offer, maxTriangles, compressed);
            NoteOffer(manifest, order);
            foreach (var item in order)
            {
                bool fits = item.ByteCount > 0 && item.Origin.Level.ByteCount <= Constants.MaxPayloadBytes
                    && item.ByteCount <= Constants.MaxPayloadBytes && total + item.MemoryBytes <= settings.MaxSurfaceBytes;
                if (!fits)
                {
                    TurnDown(item.Sha256, known, $"surface '{item.Name}' of {item.MemoryBytes} bytes: too large");
                    continue;
                }

                total += item.MemoryBytes;
                if (!IsHere(item.Name, item.Origin.Entry.Sha256, item.Origin.Rank) && !broken.Contains(item.Sha256))
                {
                    wanted.Add(item);
                }
            }

            return wanted;
        }

        /// <summary>A transfer is whole: unpacked, checked and given to the application.</summary>
        /// <exception cref="WireException">It is not what the manifest says; it is not pulled again.</exception>
        internal void Finish(SurfaceTransfer transfer)
        {
            var item = transfer.Item;
            byte[]? buffer = null;
            try
            {
                long wholeNs = clock.NowNs;
                buffer = transfer.Finish(wholeNs, out double seconds);
                if (item.IsCompressed)
                {
                    var packed = buffer;
                    buffer = null; // from here on it is Unpacked's
                    buffer = Unpacked(item, packed);
                }

                var content = SurfaceContent.Read(buffer, (int)item.Origin.Level.ByteCount);
                CheckContent(item, content);
                double unpackSeconds = (clock.NowNs - wholeNs) / 1e9;
                var origin = item.Origin.With(seconds, unpackSeconds, item.ByteCount, item.IsCompressed);
                var mesh = new SurfaceMesh(Pool, buffer, content, origin);
                buffer = null;
                Keep(item, content, seconds);
                store.Add(mesh);
            }
            catch (WireException)
            {
                broken.Add(item.Sha256);
                throw;
            }
            finally
            {
                if (buffer != null)
                {
                    Pool.Return(buffer);
                }

                transfer.Dispose();
            }
        }

        private static void CheckContent(SurfaceItem item, in SurfaceContent content)
        {
            var entry = item.Origin.Entry;
            var level = item.Origin.Level;
            bool isSame = content.Name == entry.Name && content.Frame == entry.Frame
                && content.VertexCount == level.VertexCount && content.TriangleCount == level.TriangleCount;
            if (!isSame)
            {
                throw new MalformedMessageException(
                    $"surface '{content.Name}' in '{content.Frame}' with {content.VertexCount} vertices",
                    $"what the manifest says: '{entry.Name}' in '{entry.Frame}' with {level.VertexCount}");
            }
        }

        /// <summary>Takes over the packed bytes' buffer, and returns the payload's.</summary>
        private byte[] Unpacked(SurfaceItem item, byte[] packed)
        {
            byte[]? payload = null;
            try
            {
                var data = new ReadOnlyMemory<byte>(packed, 0, (int)item.ByteCount);
                int size = CompressedSurface.PayloadBytes(data.Span);
                if ((ulong)size != item.Origin.Level.ByteCount)
                {
                    throw new MalformedMessageException(
                        $"'{item.Name}' that unpacks to {size} bytes", $"{item.Origin.Level.ByteCount} bytes");
                }

                payload = Pool.Rent(size);
                unpacker.Restore(data, payload.AsSpan(0, size));
                CheckHash(item, payload, size);
                var whole = payload;
                payload = null;
                return whole;
            }
            finally
            {
                Pool.Return(packed);
                if (payload != null)
                {
                    Pool.Return(payload);
                }
            }
        }

        private void CheckHash(SurfaceItem item, byte[] payload, int size)
        {
            Span<byte> found = stackalloc byte[32];
            hash.AppendData(payload, 0, size); // of an array: Mono copies a span first
            hash.TryGetHashAndReset(found, out _);
            string text = Hexadecimal.Write(found);
            if (text != item.Origin.Level.Sha256)
            {
                throw new MalformedMessageException(
                    $"'{item.Name}', unpacked, with hash {text.Substring(0, 12)}", item.Origin.Level.Sha256.Substring(0, 12));
            }
        }

        private void Keep(SurfaceItem item, in SurfaceContent content, double seconds)
        {
            var report = new ReceivedSurface
            {
                Sha256 = item.Origin.Level.Sha256,
                Name = content.Name,
                VertexCount = (uint)content.VertexCount,
                TriangleCount = (uint)content.TriangleCount,
                ByteCount = item.Origin.Level.ByteCount,
                Seconds = seconds,
            };
            lock (gate)
            {
                held[item.Name] = new Held(item.Origin.Entry.Sha256, item.Origin.Rank, report);
            }
        }

        private List<(SurfaceEntry Entry, List<SurfaceLevel> Levels)> Offer(SurfaceManifest manifest, HashSet<string> known)
        {
            var offer = new List<(SurfaceEntry Entry, List<SurfaceLevel> Levels)>();
            var names = new HashSet<string>(StringComparer.Ordinal);
            foreach (var entry in manifest.Surfaces)
            {
                try
                {
                    Approvals.Check(entry, SuggestionsAllowed && settings.ShowSuggestedSurfaces);
                    if (!names.Add(entry.Name))
                    {
                        throw new MalformedMessageException($"two surfaces '{entry.Name}'", "each name once");
                    }

                    offer.Add((entry, SurfacePlan.LevelsOf(entry)));
                }
                catch (WireException error)
                {
                    TurnDown(entry.Sha256, known, error.Message);
                }
            }

            return offer;
        }

        private bool IsHere(string name, string fullSha256, int rank)
        {
            return held.TryGetValue(name, out var here) && here.FullSha256 == fullSha256 && here.Rank >= rank;
        }

        /// <summary>The finest wanted level of each name; of what may not be shown, one that never comes.</summary>
        private void NoteOffer(SurfaceManifest manifest, List<SurfaceItem> order)
        {
            var ranks = new Dictionary<SurfaceEntry, int>();
            foreach (var item in order)
            {
                ranks[item.Origin.Entry] = item.Origin.Rank; // the finest comes last
            }

            var finest = manifest.Surfaces.ConvertAll(
                entry => (entry.Name, entry.Sha256, ranks.TryGetValue(entry, out int rank) ? rank : int.MaxValue));
            lock (gate)
            {
                offered = finest;
            }
        }

        private void RemoveMissing(List<(SurfaceEntry Entry, List<SurfaceLevel> Levels)> offer)
        {
            var gone = new List<string>();
            foreach (var each in held)
            {
                bool isThere = offer.Exists(
                    other => other.Entry.Name == each.Key && other.Entry.Sha256 == each.Value.FullSha256);
                if (!isThere)
                {
                    gone.Add(each.Key);
                }
            }

            foreach (string name in gone)
            {
                lock (gate)
                {
                    held.Remove(name);
                }

                store.Remove(name);
            }
        }

        /// <summary>Counts a refusal once, however often the manifest comes.</summary>
        private void TurnDown(string sha256, HashSet<string> known, string words)
        {
            turnedDown.Add(sha256);
            if (!known.Contains(sha256))
            {
                Refuse(words);
            }
        }

        private readonly struct Held
        {
            internal readonly string FullSha256;
            internal readonly int Rank;
            internal readonly ReceivedSurface Report;

            internal Held(string fullSha256, int rank, ReceivedSurface report)
            {
                FullSha256 = fullSha256;
                Rank = rank;
                Report = report;
            }
        }
    }
}
