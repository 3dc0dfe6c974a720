#nullable enable
using System;
using System.Collections.Generic;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Tests
{
    /// <summary>Answers what a surface link asks, as much at a time as the test says.</summary>
    internal sealed class SurfaceServer
    {
        private readonly Server server = new Server();
        private readonly FakeSocket socket;
        private ulong revision;

        internal SurfaceServer(FakeSocket socket)
        {
            this.socket = socket;
        }

        internal List<SurfaceEntry> Entries { get; } = new List<SurfaceEntry>();

        internal Dictionary<string, byte[]> Payloads { get; } = new Dictionary<string, byte[]>();

        /// <summary>Every chunk that was asked for: hash and offset.</summary>
        internal List<(string Sha256, ulong Offset)> Asked { get; } = new List<(string, ulong)>();

        internal int Manifests { get; private set; }

        internal int MaxChunkBytes { get; set; } = int.MaxValue;

        internal SurfaceEntry Offer(string name, byte[] payload, params byte[][] coarser)
        {
            var entry = TestSurface.Entry(name, payload, coarser);
            Entries.RemoveAll(each => each.Name == name);
            Entries.Add(entry);
            Payloads[entry.Sha256] = payload;
            foreach (var level in coarser)
            {
                Payloads[TestSurface.Hash(level)] = level;
            }

            return entry;
        }

        /// <summary>Answers up to so many requests; says how many.</summary>
        internal int Serve(int limit = int.MaxValue)
        {
            int served = 0;
            for (; served < limit && socket.Sent.Count > 0; served++)
            {
                switch (MessageCodec.Decode(socket.Sent.Dequeue(), out _))
                {
                    case SurfaceListRequest _:
                        var manifest = new SurfaceManifest { Revision = ++revision };
                        manifest.Surfaces.AddRange(Entries);
                        Manifests++;
                        socket.Put(server.Message(manifest));
                        break;
                    case SurfaceChunkRequest request:
                        Asked.Add((request.Sha256, request.Offset));
                        socket.Put(server.Message(Chunk(request)));
                        break;
                }
            }

            return served;
        }

        private IMessage Chunk(SurfaceChunkRequest request)
        {
            if (!Payloads.TryGetValue(request.Sha256, out var payload) || request.Offset >= (ulong)payload.Length)
            {
                return new Error { Code = "UnknownSurface", Came = "a hash", Allowed = "another", Action = "look again" };
            }

            int left = payload.Length - (int)request.Offset;
            int length = Math.Min(Math.Min((int)request.Length, MaxChunkBytes), left);
            return new SurfaceChunk
            {
                Sha256 = request.Sha256,
                Offset = request.Offset,
                TotalBytes = (ulong)payload.Length,
                Data = new ReadOnlyMemory<byte>(payload, (int)request.Offset, length),
            };
        }
    }
}
