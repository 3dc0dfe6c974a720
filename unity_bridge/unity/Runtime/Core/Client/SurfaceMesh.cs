#nullable enable
using System;
using System.Threading;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// A surface that is whole: its hash is right, its indices are in range, a named person approved it (or the session
    /// is a research session). Vertices and indices are as Unity's Mesh uploads them; call Release once they are.
    /// </summary>
    public sealed class SurfaceMesh
    {
        private readonly BufferPool pool;
        private byte[]? buffer;

        internal SurfaceMesh(BufferPool pool, byte[] buffer, in SurfaceContent content, SurfaceOrigin origin)
        {
            this.pool = pool;
            this.buffer = buffer;
            Content = content;
            Origin = origin;
        }

        /// <summary>One surface of a name at a time: a newer one takes its place.</summary>
        public string Name => Content.Name;

        /// <summary>The frame that it hangs from: its parent is the tool with this `from frame`.</summary>
        public string Frame => Content.Frame;

        /// <summary>Of this level's payload, 64 hexadecimal digits: what the person sees.</summary>
        public string Sha256 => Origin.Level.Sha256;

        /// <summary>Of the full surface's payload.</summary>
        public string FullSha256 => Origin.Entry.Sha256;

        /// <summary>Level of detail, 0 for the coarsest; the last of LevelCount is the full surface.</summary>
        public int Level => Origin.Rank;

        public int LevelCount => Origin.RankCount;

        /// <summary>How far this level is from the full surface at most, as measured; 0 for the full one.</summary>
        public double DeviationMaxMm => Origin.Level.DeviationMaxMm;

        /// <summary>95 of 100 samples are nearer to the full surface than this.</summary>
        public double DeviationP95Mm => Origin.Level.DeviationP95Mm;

        /// <summary>Of the full surface.</summary>
        public long FullTriangleCount => Origin.Entry.TriangleCount;

        /// <summary>'approved' or 'edited'; 'suggested' in a research session only.</summary>
        public string Approval => Origin.Entry.Approval;

        /// <summary>Who decided; empty for 'suggested'.</summary>
        public string ApprovedBy => Origin.Entry.ApprovedBy;

        /// <summary>Nobody approved it: say so on screen.</summary>
        public bool IsSuggested => Origin.Entry.Approval == Approvals.Suggested;

        /// <summary>From the first request to the last byte.</summary>
        public double TransferSeconds => Origin.Seconds;

        /// <summary>From the last byte to ready to upload: unpacked, every index checked, the bounds found.</summary>
        public double UnpackSeconds => Origin.UnpackSeconds;

        /// <summary>What went over the link for it.</summary>
        public long TransferBytes => Origin.TransferBytes;

        public bool CameCompressed => Origin.IsCompressed;

        /// <summary>Of the payload.</summary>
        public long ByteCount => (long)Origin.Level.ByteCount;

        /// <summary>Positions are off by half of this along each axis at most.</summary>
        public double QuantisationStepMm => Content.EdgeM * 1000.0 / Constants.PositionSteps;

        public int VertexCount => Content.VertexCount;

        public int TriangleCount => Content.TriangleCount;

        /// <summary>2 or 4: IndexFormat.UInt16 or UInt32.</summary>
        public int IndexBytes => Content.IndexBytes;

        /// <summary>The GameObject's localPosition.</summary>
        public Double3 MinimumM => Content.MinimumM;

        /// <summary>The GameObject's localScale, on all axes.</summary>
        public double EdgeM => Content.EdgeM;

        /// <summary>Bounds of the vertices before position and scale: Mesh.bounds. From 0 to 1.</summary>
        public Float3 BoundsMinimum => Content.BoundsMinimum;

        public Float3 BoundsMaximum => Content.BoundsMaximum;

        /// <summary>12 bytes each: Position UNorm16 x 4, Normal SNorm8 x 4.</summary>
        /// <exception cref="ObjectDisposedException">After Release.</exception>
        public ArraySegment<byte> Vertices => Part(Content.VerticesAt, Content.VertexCount * SurfaceVertex.Size);

        /// <summary>Three per triangle, clockwise from outside, each below VertexCount.</summary>
        /// <exception cref="ObjectDisposedException">After Release.</exception>
        public ArraySegment<byte> Indices
        {
            get
            {
                int vertexBytes = Content.VertexCount * SurfaceVertex.Size;
                return Part(Content.VerticesAt + vertexBytes, 3 * Content.TriangleCount * Content.IndexBytes);
            }
        }

        internal SurfaceContent Content { get; }

        internal SurfaceOrigin Origin { get; }

        /// <summary>Gives the memory back: the bytes must not be read any more. May be called again.</summary>
        public void Release()
        {
            var taken = Interlocked.Exchange(ref buffer, null);
            if (taken != null)
            {
                pool.Return(taken);
            }
        }

        private ArraySegment<byte> Part(int at, int count)
        {
            var bytes = buffer ?? throw new ObjectDisposedException(nameof(SurfaceMesh));
            return new ArraySegment<byte>(bytes, at, count);
        }
    }
}
