#nullable enable
using System;
using System.Threading.Tasks;
using SurgNav.Core.Client;
using Unity.Collections;
using UnityEngine;
using UnityEngine.Rendering;

namespace SurgNav.Unity
{
    /// <summary>
    /// A surface on its way into a Mesh: its bytes are copied by a worker, as they came, and handed to the graphics card
    /// by the main thread.
    /// </summary>
    internal sealed class SurfaceUpload
    {
        // Indices were checked when the surface was decoded, and the box was measured.
        private const MeshUpdateFlags Flags = MeshUpdateFlags.DontValidateIndices | MeshUpdateFlags.DontRecalculateBounds;

        /// <summary>12 bytes a vertex, as on the wire: SurfaceVertex.</summary>
        private static readonly VertexAttributeDescriptor[] Layout =
        {
            new VertexAttributeDescriptor(VertexAttribute.Position, VertexAttributeFormat.UNorm16, 4),
            new VertexAttributeDescriptor(VertexAttribute.Normal, VertexAttributeFormat.SNorm8, 4),
        };

        private readonly Mesh.MeshDataArray data;
        private readonly Task? work;
        private readonly Bounds bounds;

        /// <summary>On the main thread.</summary>
        internal SurfaceUpload(SurfaceMesh source, bool onWorker)
        {
            Source = source;
            var low = Placement.ToVector3(source.BoundsMinimum);
            var high = Placement.ToVector3(source.BoundsMaximum);
            bounds = new Bounds((low + high) * 0.5f, high - low);
            data = Mesh.AllocateWritableMeshData(1);
            if (onWorker)
            {
                work = Task.Run(Fill);
            }
            else
            {
                Fill();
            }
        }

        internal SurfaceMesh Source { get; }

        internal bool IsDone => work is null || work.IsCompleted;

        /// <summary>Null where the graphics card takes the wire's layout.</summary>
        internal static string? Trouble()
        {
            bool isTaken = SystemInfo.SupportsVertexAttributeFormat(VertexAttributeFormat.UNorm16, 4)
                && SystemInfo.SupportsVertexAttributeFormat(VertexAttributeFormat.SNorm8, 4);
            return isTaken ? null : "this graphics card does not take UNorm16 positions and SNorm8 normals";
        }

        /// <summary>A new mesh with the surface; the surface's memory goes back. On the main thread, once done.</summary>
        internal Mesh Apply(bool keepReadable)
        {
            work?.GetAwaiter().GetResult();
            var mesh = new Mesh { name = Source.Name };
            Mesh.ApplyAndDisposeWritableMeshData(data, mesh, Flags);
            mesh.bounds = bounds;
            if (!keepReadable)
            {
                mesh.UploadMeshData(true);
            }

            Source.Release();
            return mesh;
        }

        /// <summary>Gives everything back. On the main thread; waits for the worker, for some milliseconds at most.</summary>
        internal void Abandon()
        {
            try
            {
                work?.Wait();
            }
            finally
            {
                data.Dispose();
                Source.Release();
            }
        }

        private void Fill()
        {
            var mesh = data[0];
            var vertices = Source.Vertices;
            var indices = Source.Indices;
            int count = Source.TriangleCount * 3;
            mesh.SetVertexBufferParams(Source.VertexCount, Layout);
            mesh.SetIndexBufferParams(count, Source.IndexBytes == 2 ? IndexFormat.UInt16 : IndexFormat.UInt32);
            Copy(vertices, mesh.GetVertexData<byte>());
            Copy(indices, mesh.GetIndexData<byte>());
            mesh.subMeshCount = 1;
            var part = new SubMeshDescriptor(0, count) { bounds = bounds, vertexCount = Source.VertexCount };
            mesh.SetSubMesh(0, part, Flags);
        }

        private static void Copy(ArraySegment<byte> from, NativeArray<byte> to)
        {
            NativeArray<byte>.Copy(from.Array!, from.Offset, to, 0, from.Count);
        }
    }
}
