#nullable enable
using System.Collections.Generic;
using System.Threading;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// An object to be placed as everything else is, and reported where it then is. The application makes an empty
    /// GameObject at the world's origin, unturned and unscaled, for the frame Root; then for each batch puts every tool
    /// of PosesOf under its `to frame`, hangs the mesh from the tool whose `from frame` is the mesh's frame, and reports
    /// every vertex of Vertices and every triangle of Triangles from the GameObject that would be drawn; then sends.
    /// </summary>
    public sealed class SelfTest
    {
        private readonly PoseFrame[] frames;
        private readonly SelfTestReport report = new SelfTestReport();
        private bool sent;

        internal SelfTest(SelfTestTask task, SurfaceMesh mesh, PoseFrame[] frames)
        {
            this.frames = frames;
            Root = task.Root;
            Mesh = mesh;
            Triangles = task.Triangles;
            var vertices = new List<int>();
            foreach (var point in task.Points)
            {
                vertices.Add((int)point.Vertex);
            }

            Vertices = vertices;
            report.Challenge = task.Challenge;
            for (int batch = 0; batch < frames.Length; batch++)
            {
                report.Placements.Add(new Placement { Batch = (uint)batch });
            }
        }

        /// <summary>The frame to put at the world's origin, unturned.</summary>
        public string Root { get; }

        public SurfaceMesh Mesh { get; }

        public int BatchCount => frames.Length;

        /// <summary>Indices of the vertices to report.</summary>
        public IReadOnlyList<int> Vertices { get; }

        /// <summary>Indices of the triangles to report.</summary>
        public IReadOnlyList<uint> Triangles { get; }

        internal bool IsSent => Volatile.Read(ref sent);

        internal SelfTestReport Report => report;

        public PoseFrame PosesOf(int batch) => frames[batch];

        /// <summary>Where a vertex is in the world: TransformPoint of the drawn object, metres; and its normal.</summary>
        public void PutPoint(int batch, int vertex, Double3 positionM, Double3 normal)
        {
            report.Placements[batch].Points.Add(new PlacedPoint
            {
                Vertex = (uint)vertex,
                PositionM = new[] { positionM.X, positionM.Y, positionM.Z },
                Normal = new[] { normal.X, normal.Y, normal.Z },
            });
        }

        /// <summary>
        /// A vector in the world out of the side of a triangle that is drawn: (b - a) x (c - a) of its corners as they
        /// are drawn, where clockwise is the front; the other way if the object's scale is negative.
        /// </summary>
        public void PutTriangle(int batch, uint triangle, Double3 visibleSide)
        {
            report.Placements[batch].Triangles.Add(new PlacedTriangle
            {
                Triangle = triangle,
                VisibleSide = new[] { visibleSide.X, visibleSide.Y, visibleSide.Z },
            });
        }

        /// <summary>
        /// Decodes what the task holds, by the code that decodes everything else.
        /// </summary>
        /// <exception cref="WireException">A part of it that is malformed.</exception>
        internal static SelfTest Of(SelfTestTask task, BufferPool pool)
        {
            var buffer = pool.Rent(task.Surface.Length);
            task.Surface.Span.CopyTo(buffer);
            var content = SurfaceContent.Read(buffer, task.Surface.Length);
            var mesh = new SurfaceMesh(pool, buffer, content, SurfaceOrigin.None);
            CheckIndices(task, content);
            var decoder = new PoseBatchDecoder();
            var frames = new PoseFrame[task.Batches.Count];
            for (int index = 0; index < frames.Length; index++)
            {
                var batch = new PoseBatch();
                decoder.Decode(task.Batches[index].Span, batch);
                frames[index] = FrameOf(batch);
            }

            return new SelfTest(task, mesh, frames);
        }

        /// <summary>Places it as a client without a scene does.</summary>
        internal void PlaceByArithmetic()
        {
            for (int batch = 0; batch < frames.Length; batch++)
            {
                if (!Placing.TryFind(frames[batch], Mesh, Root, out var placing))
                {
                    continue; // nothing would be drawn, and so nothing is reported
                }

                foreach (int vertex in Vertices)
                {
                    PutPoint(batch, vertex, placing.Vertex(vertex), placing.Normal(vertex));
                }

                foreach (uint triangle in Triangles)
                {
                    PutTriangle(batch, triangle, placing.VisibleSide((int)triangle));
                }
            }
        }

        private static void CheckIndices(SelfTestTask task, in SurfaceContent content)
        {
            long vertices = content.VertexCount;
            long triangles = content.TriangleCount;
            bool fits = task.Points.TrueForAll(point => point.Vertex < vertices)
                && task.Triangles.TrueForAll(triangle => triangle < triangles);
            if (!fits)
            {
                throw new MalformedMessageException(
                    "a self-test that asks for what its object does not have", $"{vertices} vertices, {triangles} triangles");
            }
        }

        /// <summary>The batch at its own moment, through the buffer that all poses go through.</summary>
        private static PoseFrame FrameOf(PoseBatch batch)
        {
            var header = batch.Header;
            var facts = new ServerFacts(header.SessionId, header.Clock, default, 0, PoseAges.Of(new ClientSettings(), null), "");
            var buffer = new PoseBuffer(new ClientSettings());
            buffer.Add(batch, facts, header.CaptureNs);
            var frame = new PoseFrame();
            buffer.Read(header.CaptureNs, facts, frame);
            return frame;
        }

        /// <summary>All is reported: it goes to the server.</summary>
        public void Send() => Volatile.Write(ref sent, true);
    }
}
