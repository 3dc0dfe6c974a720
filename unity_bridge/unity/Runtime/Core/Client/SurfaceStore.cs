#nullable enable
using System;
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

    /// <summary>
    /// Where the surface thread leaves what the main thread shows. It holds one change for each surface at most, however
    /// long nobody takes them.
    /// </summary>
    public sealed class SurfaceStore
    {
        private readonly object gate = new object();
        private readonly List<SurfaceChange> changes = new List<SurfaceChange>();
        private readonly HashSet<string> shown = new HashSet<string>(StringComparer.Ordinal);
        private bool isOpen;

        internal SurfaceStore(BufferPool pool)
        {
            Pool = pool;
        }

        /// <summary>Where the memory of surfaces comes from.</summary>
        public BufferPool Pool { get; }

        /// <summary>False until the server has found that this client places things rightly: nothing is given out.</summary>
        internal bool IsOpen
        {
            set
            {
                lock (gate)
                {
                    isOpen = value;
                }
            }
        }

        /// <summary>The oldest change not yet taken; take until there is none. Never waits for a transfer.</summary>
        public bool TryTakeChange(out SurfaceChange change)
        {
            lock (gate)
            {
                // What is to be hidden is hidden whatever else holds.
                int index = isOpen ? 0 : changes.FindIndex(each => each.Kind == SurfaceChangeKind.Removed);
                if (index < 0 || index >= changes.Count)
                {
                    change = default;
                    return false;
                }

                change = changes[index];
                changes.RemoveAt(index);
                if (change.Kind == SurfaceChangeKind.Added)
                {
                    shown.Add(change.Name);
                }
                else
                {
                    shown.Remove(change.Name);
                }

                return true;
            }
        }

        internal void Add(SurfaceMesh mesh)
        {
            lock (gate)
            {
                Drop(mesh.Name);
                changes.Add(new SurfaceChange(SurfaceChangeKind.Added, mesh.Name, mesh));
            }
        }

        internal void Remove(string name)
        {
            lock (gate)
            {
                Drop(name);
                if (shown.Contains(name))
                {
                    changes.Add(new SurfaceChange(SurfaceChangeKind.Removed, name, null));
                }
            }
        }

        /// <summary>A change of this name that nobody has taken is overtaken.</summary>
        private void Drop(string name)
        {
            int index = changes.FindIndex(each => each.Name == name);
            if (index >= 0)
            {
                changes[index].Mesh?.Release();
                changes.RemoveAt(index);
            }
        }
    }
}
