using System;
using System.Collections.Generic;
using Unity.Collections;
using UnityEngine.Rendering;
using UnityStubs;

namespace UnityEngine
{
    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/MeshTopology.html
    public enum MeshTopology
    {
        Triangles = 0,
        Quads = 2,
        Lines = 3,
        LineStrip = 4,
        Points = 5,
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Mesh.html
    public sealed class Mesh : Object
    {
        internal MeshStorage Storage = new MeshStorage();
        internal readonly DrawnMesh Drawn = new DrawnMesh();

        public Bounds bounds { get; set; }

        public bool isReadable { get; private set; } = true;

        public Vector3[] vertices { get; set; } = Array.Empty<Vector3>();

        public Vector2[] uv { get; set; } = Array.Empty<Vector2>();

        public int[] triangles { get; set; } = Array.Empty<int>();

        public int vertexCount => Storage.VertexCount;

        public int subMeshCount => Storage.SubMeshes.Length;

        public IndexFormat indexFormat
        {
            get => Storage.IndexFormat;
            set => Storage.IndexFormat = value;
        }

        public static MeshDataArray AllocateWritableMeshData(int meshCount)
        {
            Engine.CheckMainThread();
            return new MeshDataArray(meshCount);
        }

        public static MeshDataArray AcquireReadOnlyMeshData(Mesh mesh)
        {
            Engine.CheckMainThread();
            mesh.CheckReadable();
            return new MeshDataArray(mesh.Storage);
        }

        public static void ApplyAndDisposeWritableMeshData(
            MeshDataArray data, Mesh mesh, MeshUpdateFlags flags = MeshUpdateFlags.Default)
        {
            Engine.CheckMainThread();
            if (data.Length != 1)
            {
                throw new InvalidOperationException($"{data.Length} meshes for one");
            }

            mesh.CheckReadable();
            mesh.Storage = data[0].Storage;
            mesh.Storage.Check(flags);
            data.Dispose();
        }

        public void UploadMeshData(bool markNoLongerReadable)
        {
            Engine.CheckMainThread();
            isReadable = !markNoLongerReadable;
        }

        public void Clear()
        {
            Engine.CheckMainThread();
            Drawn.Clear();
        }

        public void SetVertices(Vector3[] inVertices, int start, int length)
        {
            Engine.CheckMainThread();
            Drawn.SetVertices(inVertices.AsSpan(start, length));
        }

        public void SetTriangles(
            int[] triangles, int trianglesStart, int trianglesLength, int submesh, bool calculateBounds = true, int baseVertex = 0)
        {
            Engine.CheckMainThread();
            Drawn.SetTriangles(triangles.AsSpan(trianglesStart, trianglesLength));
        }

        public void RecalculateNormals() => Engine.CheckMainThread();

        public void RecalculateBounds() => Engine.CheckMainThread();

        public VertexAttributeDescriptor[] GetVertexAttributes() => (VertexAttributeDescriptor[])Storage.Attributes.Clone();

        public SubMeshDescriptor GetSubMesh(int index) => Storage.SubMeshes[index];

        private void CheckReadable()
        {
            if (!isReadable)
            {
                throw new InvalidOperationException($"not allowed to access vertex data on mesh '{name}'");
            }
        }

        // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Mesh.MeshDataArray.html
        public struct MeshDataArray : IDisposable
        {
            private readonly MeshStorage[] storage;
            private readonly bool writable;

            internal MeshDataArray(MeshStorage read)
            {
                storage = new[] { read };
                writable = false;
                MeshStorage.Open++;
            }

            internal MeshDataArray(int count)
            {
                writable = true;
                storage = new MeshStorage[count];
                for (int at = 0; at < count; at++)
                {
                    storage[at] = new MeshStorage { Writable = true };
                }

                MeshStorage.Open += count;
            }

            public int Length => storage.Length;

            public MeshData this[int index] => new MeshData(storage[index], writable);

            public void Dispose()
            {
                foreach (var each in storage)
                {
                    if (each.Writable != writable)
                    {
                        throw new ObjectDisposedException(nameof(MeshDataArray));
                    }

                    each.Writable = false;
                    MeshStorage.Open--;
                }
            }
        }

        // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Mesh.MeshData.html
        public struct MeshData
        {
            internal readonly MeshStorage Storage;
            private readonly bool writable;

            internal MeshData(MeshStorage storage, bool writable)
            {
                Storage = storage;
                this.writable = writable;
            }

            public int subMeshCount
            {
                get => Storage.SubMeshes.Length;
                set => Array.Resize(ref Storage.CheckWritable().SubMeshes, value);
            }

            public void SetVertexBufferParams(int vertexCount, params VertexAttributeDescriptor[] attributes)
            {
                Storage.CheckWritable().SetVertices(vertexCount, attributes);
            }

            public void SetIndexBufferParams(int indexCount, IndexFormat format)
            {
                Storage.CheckWritable().SetIndices(indexCount, format);
            }

            public NativeArray<T> GetVertexData<T>(int stream = 0)
                where T : struct
            {
                return new NativeArray<T>(Open().Vertices);
            }

            public NativeArray<T> GetIndexData<T>()
                where T : struct
            {
                return new NativeArray<T>(Open().Indices);
            }

            public void SetSubMesh(int index, SubMeshDescriptor desc, MeshUpdateFlags flags = MeshUpdateFlags.Default)
            {
                Storage.CheckWritable().SubMeshes[index] = desc;
            }

            private MeshStorage Open() => writable ? Storage.CheckWritable() : Storage;
        }
    }
}

namespace UnityEngine.Rendering
{
    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Rendering.IndexFormat.html
    public enum IndexFormat
    {
        UInt16 = 0,
        UInt32 = 1,
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Rendering.MeshUpdateFlags.html
    [Flags]
    public enum MeshUpdateFlags
    {
        Default = 0,
        DontValidateIndices = 1,
        DontResetBoneBounds = 2,
        DontNotifyMeshUsers = 4,
        DontRecalculateBounds = 8,
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Rendering.VertexAttribute.html
    public enum VertexAttribute
    {
        Position = 0,
        Normal = 1,
        Tangent = 2,
        Color = 3,
        TexCoord0 = 4,
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Rendering.VertexAttributeFormat.html
    public enum VertexAttributeFormat
    {
        Float32 = 0,
        Float16 = 1,
        UNorm8 = 2,
        SNorm8 = 3,
        UNorm16 = 4,
        SNorm16 = 5,
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Rendering.VertexAttributeDescriptor.html
    public struct VertexAttributeDescriptor
    {
        public VertexAttributeDescriptor(
            VertexAttribute attribute = VertexAttribute.Position,
            VertexAttributeFormat format = VertexAttributeFormat.Float32,
            int dimension = 3,
            int stream = 0)
        {
            this.attribute = attribute;
            this.format = format;
            this.dimension = dimension;
            this.stream = stream;
        }

        public VertexAttribute attribute { get; set; }

        public VertexAttributeFormat format { get; set; }

        public int dimension { get; set; }

        public int stream { get; set; }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Rendering.SubMeshDescriptor.html
    public struct SubMeshDescriptor
    {
        public SubMeshDescriptor(int indexStart, int indexCount, MeshTopology topology = MeshTopology.Triangles)
        {
            this.indexStart = indexStart;
            this.indexCount = indexCount;
            this.topology = topology;
            bounds = default;
            baseVertex = 0;
            firstVertex = 0;
            vertexCount = 0;
        }

        public Bounds bounds { get; set; }

        public MeshTopology topology { get; set; }

        public int indexStart { get; set; }

        public int indexCount { get; set; }

        public int baseVertex { get; set; }

        public int firstVertex { get; set; }

        public int vertexCount { get; set; }
    }
}

namespace Unity.Collections
{
    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Unity.Collections.NativeArray_1.html
    public struct NativeArray<T>
        where T : struct
    {
        private readonly byte[] memory;

        internal NativeArray(byte[] memory)
        {
            this.memory = memory;
        }

        public int Length => Elements.Length;

        private Span<T> Elements => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, T>(memory);

        public T this[int index]
        {
            get => Elements[index];
            set => Elements[index] = value;
        }

        public static void Copy(T[] src, int srcIndex, NativeArray<T> dst, int dstIndex, int length)
        {
            src.AsSpan(srcIndex, length).CopyTo(dst.Elements.Slice(dstIndex, length));
        }
    }
}

namespace UnityStubs
{
    /// <summary>What SetVertices and SetTriangles have put into a mesh; its memory stays, as Unity's does.</summary>
    public sealed class DrawnMesh
    {
        private UnityEngine.Vector3[] vertices = Array.Empty<UnityEngine.Vector3>();
        private int[] triangles = Array.Empty<int>();
        private int vertexCount;
        private int indexCount;

        public static DrawnMesh Of(UnityEngine.Mesh mesh) => mesh.Drawn;

        public ReadOnlySpan<UnityEngine.Vector3> Vertices => vertices.AsSpan(0, vertexCount);

        public ReadOnlySpan<int> Triangles => triangles.AsSpan(0, indexCount);

        internal void Clear() => vertexCount = indexCount = 0;

        internal void SetVertices(Span<UnityEngine.Vector3> given)
        {
            if (vertices.Length < given.Length)
            {
                vertices = new UnityEngine.Vector3[given.Length];
            }

            given.CopyTo(vertices);
            vertexCount = given.Length;
        }

        internal void SetTriangles(Span<int> given)
        {
            foreach (int index in given)
            {
                if (index < 0 || index >= vertexCount)
                {
                    throw new ArgumentException($"the index {index} of {vertexCount} vertices");
                }
            }

            if (triangles.Length < given.Length)
            {
                triangles = new int[given.Length];
            }

            given.CopyTo(triangles);
            indexCount = given.Length;
        }
    }

    /// <summary>What a mesh holds, with the checks that Unity makes and some that it leaves to the graphics card.</summary>
    public sealed class MeshStorage
    {
        internal bool Writable;
        internal SubMeshDescriptor[] SubMeshes = Array.Empty<SubMeshDescriptor>();
        internal VertexAttributeDescriptor[] Attributes = Array.Empty<VertexAttributeDescriptor>();
        internal int VertexCount;
        internal IndexFormat IndexFormat;

        /// <summary>Allocated and neither applied nor disposed: Unity would report a leak.</summary>
        public static int Open { get; internal set; }

        public byte[] Vertices { get; private set; } = Array.Empty<byte>();

        public byte[] Indices { get; private set; } = Array.Empty<byte>();

        /// <summary>The bytes that a mesh holds on the graphics card.</summary>
        public static MeshStorage Of(UnityEngine.Mesh mesh) => mesh.Storage;

        internal MeshStorage CheckWritable()
        {
            return Writable ? this : throw new ObjectDisposedException("the mesh data was applied or disposed");
        }

        internal void SetVertices(int count, VertexAttributeDescriptor[] attributes)
        {
            int stride = 0;
            foreach (var attribute in attributes)
            {
                int size = attribute.dimension * Size(attribute.format);
                if (size % 4 != 0)
                {
                    throw new ArgumentException($"{attribute.attribute}: {size} bytes, not a multiple of 4");
                }

                stride += size;
            }

            VertexCount = count;
            Attributes = (VertexAttributeDescriptor[])attributes.Clone();
            Vertices = new byte[count * stride];
        }

        internal void SetIndices(int count, IndexFormat format)
        {
            IndexFormat = format;
            Indices = new byte[count * (format == IndexFormat.UInt16 ? 2 : 4)];
        }

        internal void Check(MeshUpdateFlags flags)
        {
            int size = IndexFormat == IndexFormat.UInt16 ? 2 : 4;
            foreach (var part in SubMeshes)
            {
                if ((part.indexStart + part.indexCount) * size > Indices.Length)
                {
                    throw new ArgumentException("a sub-mesh beyond the index buffer");
                }

                for (int at = part.indexStart; at < part.indexStart + part.indexCount; at++)
                {
                    long index = size == 2 ? BitConverter.ToUInt16(Indices, at * 2) : BitConverter.ToUInt32(Indices, at * 4);
                    if (index + part.baseVertex >= VertexCount)
                    {
                        throw new ArgumentException($"the index {index} of {VertexCount} vertices");
                    }
                }
            }
        }

        private static int Size(VertexAttributeFormat format)
        {
            return format switch
            {
                VertexAttributeFormat.Float32 => 4,
                VertexAttributeFormat.UNorm8 => 1,
                VertexAttributeFormat.SNorm8 => 1,
                _ => 2,
            };
        }
    }
}
