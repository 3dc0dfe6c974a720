#nullable enable
using System;
using System.Collections.Generic;
using System.Threading;
using SurgNav.Core.Transport;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// The client's end of the surface socket: pulls what the manifest offers, coarse levels first, as many bytes under
    /// way as the link takes without delaying poses, and goes on where a broken link stopped. Step belongs to the surface
    /// thread.
    /// </summary>
    internal sealed class SurfaceLink : IDisposable
    {
        /// <summary>The largest manifest, and more than the largest chunk.</summary>
        internal const int MaxMessageBytes = 1 << 22;

        /// <summary>Chunks under way at most: the server holds no more answers than 16 for a client.</summary>
        private const int Credit = 8;

        /// <summary>A server that sends less costs more requests than it is worth, but still works.</summary>
        private const int MinChunkBytes = 4096;

        /// <summary>After this silence what is under way is taken to be lost, and asked for again.</summary>
        private const long TimeoutNs = 1_000_000_000;

        /// <summary>How often to ask whether the offer has changed: approvals come and go.</summary>
        private const long RefreshNs = 2_000_000_000;

        private readonly IMessageSocket socket;
        private readonly IClock clock;
        private readonly MessageSender sender;
        private readonly SurfaceShelf shelf;
        private readonly List<SurfaceTransfer> waiting = new List<SurfaceTransfer>();
        private readonly Queue<Request> requests = new Queue<Request>();
        private TransferWindow window = new TransferWindow();
        private int largestChunk = TransferWindow.MaxChunkBytes;
        private int reconnections;
        private bool isHalted;
        private bool wasAllowed;
        private long heardNs;
        private long? askedNs;
        private long manifestNs = long.MinValue / 2;
        private int rules;
        private bool refreshAsked;
        private bool isDone;

        internal SurfaceLink(IMessageSocket socket, IClock clock, ClientSettings settings, SurfaceStore store)
        {
            this.socket = socket;
            this.clock = clock;
            sender = new MessageSender(socket, clock);
            shelf = new SurfaceShelf(settings, store, clock);
        }

        internal IMessageSocket Socket => socket;

        internal SurfaceShelf Shelf => shelf;

        internal MessageSender Sender => sender;

        /// <summary>Everything on offer is here and unpacked, or was refused.</summary>
        internal bool IsDone => Volatile.Read(ref isDone);

        /// <summary>
        /// Told by the control thread: whether the server has welcomed us, and whether it runs a research session.
        /// </summary>
        internal void Allow(bool isWelcomed, bool isResearch)
        {
            Volatile.Write(ref rules, (isWelcomed ? 1 : 0) + (isResearch ? 2 : 0));
        }

        /// <summary>The offer may have changed: look now.</summary>
        internal void Refresh() => Volatile.Write(ref refreshAsked, true);

        /// <summary>Waits at most so long, takes in what is there, asks for what is next.</summary>
        internal void Step(int timeoutMs)
        {
            int now = Volatile.Read(ref rules);
            shelf.SuggestionsAllowed = (now & 2) != 0;
            bool hasMessage = socket.Poll(timeoutMs);
            while (hasMessage && socket.TryReceive(out var message))
            {
                Take(message);
            }

            if ((now & 1) != 0)
            {
                Tick();
            }
        }

        public void Dispose()
        {
            sender.TrySend(new Goodbye());
            foreach (var transfer in waiting)
            {
                transfer.Dispose();
            }

            waiting.Clear();
            socket.Dispose();
        }

        private void Tick()
        {
            long nowNs = clock.NowNs;
            bool isNewLink = socket.Reconnections != reconnections;
            bool isSilent = (waiting.Count > 0 || askedNs.HasValue)
                && nowNs - Math.Max(heardNs, askedNs.GetValueOrDefault()) > TimeoutNs;
            if (!wasAllowed || isNewLink || isSilent)
            {
                wasAllowed = true;
                reconnections = socket.Reconnections;
                StartOver();
            }
            else if (Volatile.Read(ref refreshAsked) || (nowNs - manifestNs > RefreshNs && !askedNs.HasValue))
            {
                RequestManifest();
            }

            Ask();
        }

        /// <summary>What is under way will not come any more: asks again from the bytes that are here.</summary>
        private void StartOver()
        {
            heardNs = clock.NowNs;
            window = new TransferWindow();
            Rewind();
            RequestManifest();
        }

        private void Rewind()
        {
            requests.Clear();
            foreach (var transfer in waiting)
            {
                transfer.Rewind();
            }
        }

        private void RequestManifest()
        {
            if (sender.TrySend(new SurfaceListRequest()))
            {
                Volatile.Write(ref refreshAsked, false);
                askedNs = clock.NowNs;
            }
        }

        private void Take(ReadOnlyMemory<byte> bytes)
        {
            heardNs = clock.NowNs;
            try
            {
                switch (MessageCodec.Decode(bytes, out _))
                {
                    case SurfaceManifest manifest:
                        askedNs = null;
                        manifestNs = heardNs;
                        isHalted = false;
                        Plan(manifest);
                        break;
                    case SurfaceChunk chunk:
                        TakeChunk(chunk);
                        break;
                    case Error error:
                        // Perhaps it is no longer on offer: look again at the next refresh, and then go on.
                        shelf.Refuse(error.InWords());
                        isHalted = true;
                        Rewind();
                        break;
                }
            }
            catch (WireException error)
            {
                shelf.Refuse(error.Message);
            }

            Ask();
        }

        private void Plan(SurfaceManifest manifest)
        {
            var kept = new Dictionary<string, SurfaceTransfer>(StringComparer.Ordinal);
            foreach (var transfer in waiting)
            {
                kept[transfer.Item.Sha256] = transfer;
            }

            waiting.Clear();
            foreach (var item in shelf.Plan(manifest))
            {
                bool isKept = kept.TryGetValue(item.Sha256, out var transfer) && transfer!.Item.Name == item.Name;
                waiting.Add(isKept ? transfer! : new SurfaceTransfer(item, shelf.Pool));
                if (isKept)
                {
                    kept.Remove(item.Sha256);
                }
            }

            foreach (var transfer in kept.Values)
            {
                transfer.Dispose();
            }

            CountWaiting();
        }

        private void TakeChunk(SurfaceChunk chunk)
        {
            shelf.CountBytes(chunk.Data.Length);
            var transfer = waiting.Find(each => each.Item.Sha256 == chunk.Sha256);
            if (transfer == null)
            {
                return;
            }

            bool isAnswer = TryAnswer(chunk, out var request);
            try
            {
                transfer.Add(chunk);
                if (isAnswer && chunk.Data.Length < request.Length && !transfer.IsWhole)
                {
                    // The server's chunks are smaller: ask anew in its size; what is under way will not continue, and go.
                    largestChunk = Math.Max(chunk.Data.Length, MinChunkBytes);
                    Rewind();
                }

                if (transfer.IsWhole)
                {
                    waiting.Remove(transfer);
                    shelf.Finish(transfer);
                    CountWaiting(); // only now: who waits until all is here wants it unpacked
                }
            }
            catch (WireException)
            {
                waiting.Remove(transfer);
                transfer.Dispose(); // as it is it can never become whole
                CountWaiting();
                throw;
            }
        }

        private void CountWaiting()
        {
            shelf.CountUnderWay(waiting.Count);
            Volatile.Write(ref isDone, waiting.Count == 0);
        }

        /// <summary>The request that this chunk answers, which the window learns from.</summary>
        private bool TryAnswer(SurfaceChunk chunk, out Request request)
        {
            request = default;
            bool isThere = false;
            foreach (var each in requests)
            {
                isThere |= each.Sha256 == chunk.Sha256 && each.Offset == chunk.Offset;
            }

            while (isThere)
            {
                // Answers come in the order of the requests: those before it were dropped.
                request = requests.Dequeue();
                if (request.Sha256 == chunk.Sha256 && request.Offset == chunk.Offset)
                {
                    window.Answered(heardNs - request.AskedNs, chunk.Data.Length, request.UnderWayBytes);
                    return true;
                }
            }

            return false;
        }

        /// <summary>Keeps a window's worth of chunks under way, level by level as planned.</summary>
        private void Ask()
        {
            if (isHalted)
            {
                return;
            }

            long underWay = 0;
            foreach (var request in requests)
            {
                underWay += request.Length;
            }

            foreach (var transfer in waiting)
            {
                while (transfer.Left > 0)
                {
                    int length = (int)Math.Min(Math.Min(window.ChunkBytes, largestChunk), transfer.Left);
                    bool isFull = underWay + length > window.ByteCount || requests.Count >= Credit;
                    if ((requests.Count > 0 && isFull) || !TryAsk(transfer, length, underWay + length))
                    {
                        return;
                    }

                    underWay += length;
                }
            }
        }

        private bool TryAsk(SurfaceTransfer transfer, int length, long underWayBytes)
        {
            var request = new SurfaceChunkRequest
            {
                Sha256 = transfer.Item.Sha256, Offset = (ulong)transfer.Requested, Length = (uint)length,
            };
            if (!sender.TrySend(request))
            {
                return false; // no link, or its queue is full: the next Step tries again
            }

            long nowNs = clock.NowNs;
            requests.Enqueue(new Request(request, nowNs, underWayBytes));
            transfer.Asked(length, nowNs);
            return true;
        }

        /// <summary>A chunk that was asked for and has not come.</summary>
        private readonly struct Request
        {
            internal readonly string Sha256;
            internal readonly ulong Offset;
            internal readonly int Length;
            internal readonly long AskedNs;
            internal readonly long UnderWayBytes;

            internal Request(SurfaceChunkRequest request, long askedNs, long underWayBytes)
            {
                Sha256 = request.Sha256;
                Offset = request.Offset;
                Length = (int)request.Length;
                AskedNs = askedNs;
                UnderWayBytes = underWayBytes;
            }
        }
    }
}
