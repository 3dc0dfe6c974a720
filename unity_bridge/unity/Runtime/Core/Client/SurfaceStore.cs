#nullable enable
using System.Collections.Generic;

namespace SurgNav.Core.Client
{
    public enum SurfaceChangeKind : byte
    {
        /// <summary>Show it, in the place of one of the same name.</summary>
        Added = 1,

        /// <summary>Hide the one of this name: it is no longer on offer.</summary>
        Removed = 2,
    }

    /// <summary>What changed among the surfaces.</summary>
    public readonly struct SurfaceChange
    {
        internal SurfaceChange(SurfaceChangeKind kind, string name, SurfaceMesh? mesh)
        {
            Kind = kind;
            Name = name;
            Mesh = mesh;
        }

        public SurfaceChangeKind Kind { get; }

        public string Name { get; }

        /// <summary>Null if removed.</summary>
        public SurfaceMesh? Mesh { get; }
    }

    /// <summary>Where the surface thread leaves what the main thread shows.</summary>
    public sealed class SurfaceStore
    {
        private readonly object gate = new object();
        private readonly Queue<SurfaceChange> changes = new Queue<SurfaceChange>();

        internal SurfaceStore(BufferPool pool)
        {
            Pool = pool;
        }

        internal BufferPool Pool { get; }

        /// <summary>The oldest change not yet taken; take until there is none. Never waits for a transfer.</summary>
        public bool TryTakeChange(out SurfaceChange change)
        {
            lock (gate)
            {
                if (changes.Count == 0)
                {
                    change = default;
                    return false;
                }

                change = changes.Dequeue();
                return true;
            }
        }

        internal void Add(SurfaceMesh mesh)
        {
            Put(new SurfaceChange(SurfaceChangeKind.Added, mesh.Name, mesh));
        }

        internal void Remove(string name)
        {
            Put(new SurfaceChange(SurfaceChangeKind.Removed, name, null));
        }

        private void Put(SurfaceChange change)
        {
            lock (gate)
            {
                changes.Enqueue(change);
            }
        }
    }
}
